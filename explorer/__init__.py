"""Pruning Explorer: slide pruning ratios of a PyTorch model and see measured accuracy, size, compute and latency."""

__version__ = "0.1.0"
