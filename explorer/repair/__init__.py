"""Repairs that win quality back without any training: norm statistics, biases, least squares."""
