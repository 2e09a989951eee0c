"""Plug-ins that turn a MODEL text into a Subject."""
