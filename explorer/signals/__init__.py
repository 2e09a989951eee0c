"""What criteria look at: results of passes over training data, and facts from the graph alone."""
