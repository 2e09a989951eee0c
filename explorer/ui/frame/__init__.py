"""What is around every page: its head, the help menu, the first minute, and three recipes to begin with."""
