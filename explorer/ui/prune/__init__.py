"""What the Prune page draws."""
