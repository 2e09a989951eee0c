"""The fader console: its model in Python and its element in the browser."""
