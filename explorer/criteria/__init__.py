"""Plug-ins that rate weights or channels before pruning."""
