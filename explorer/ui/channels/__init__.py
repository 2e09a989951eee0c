"""What the Channels page draws."""
