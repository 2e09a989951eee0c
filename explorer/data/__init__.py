"""Plug-ins that turn a SOURCE text into a Task."""
