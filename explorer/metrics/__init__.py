"""Plug-ins that say how good a model's outputs are: statistics of samples, and the value of their sums."""
