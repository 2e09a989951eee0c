"""Keeping a run from any page, and texts about runs."""
