"""Lessons: each claim about pruning is predicted by the learner, measured by the engine, and judged by a
rule.
"""
