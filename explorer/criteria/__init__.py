"""Plug-ins that rate what is removed: weights or channels."""
