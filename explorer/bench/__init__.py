"""The performance table of this machine: each row is a ratio to a named baseline that ran in turns with
it.
"""
