"""This computer: environment, paths, memory, cache, files, version."""
