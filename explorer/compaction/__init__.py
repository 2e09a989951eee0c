"""Masks -> a physically smaller model under the original names."""
