"""What the Recover page draws."""
