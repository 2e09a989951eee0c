"""Masks -> a physically smaller model with the original names."""
