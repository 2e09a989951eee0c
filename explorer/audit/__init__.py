"""Proof that a smaller model computes what the masked one does."""
