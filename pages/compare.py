"""Kept runs: which are worth their cost, how they differ, and where each came from."""

from explorer.ui.compare import compare

compare.draw()
