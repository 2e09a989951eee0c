"""What criteria look at: passes over training data, and what the graph alone can tell."""
