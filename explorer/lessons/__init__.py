"""Lessons: the learner predicts each claim about pruning, the engine measures it, and a rule judges it."""
