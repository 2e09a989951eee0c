"""Plug-ins that say how good a model's outputs are: statistics of samples, and a value computed from their
sums.
"""
