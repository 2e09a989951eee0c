"""Plug-ins that choose the ratios of all parts from one target."""
