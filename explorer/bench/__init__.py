"""The performance table of this machine: each row a ratio against a named baseline that ran beside it in the
same minutes.
"""
