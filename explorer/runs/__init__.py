"""Kept runs: stored, compared, replayed."""
