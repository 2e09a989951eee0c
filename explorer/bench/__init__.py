"""The performance table of this machine: each row a ratio against a named baseline that ran next to it in the
same minutes.
"""
