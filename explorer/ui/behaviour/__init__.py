"""What the Behaviour page draws."""
