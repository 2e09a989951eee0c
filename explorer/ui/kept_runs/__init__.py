"""Keeping a run from any page, and its words."""
