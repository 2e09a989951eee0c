"""Recipe -> masks: checks, scores, cuts and the decision of what is removed."""
