"""Proves that a smaller model computes the same as the masked one."""
