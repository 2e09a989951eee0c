"""This computer: where files are kept, what it can do, and how its files are read and written."""
