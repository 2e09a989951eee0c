"""Regions of a page that follow background jobs."""
