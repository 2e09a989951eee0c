"""Turns a goal into a recipe: targets, budgets and plans by measured latency."""
