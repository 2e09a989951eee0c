"""What the Criteria page draws."""
