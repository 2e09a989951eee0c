"""Plug-ins that turn a pruned model into the bytes of a file. What is written is what was measured."""
