"""Kept runs: which are worth what they cost, how they differ, and where each came from."""

from explorer.ui.compare import compare

compare.draw()
