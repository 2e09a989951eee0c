"""What the Structure page draws."""
