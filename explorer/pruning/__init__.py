"""Recipe -> masks: checks, scores, cuts and the decision what to remove."""
