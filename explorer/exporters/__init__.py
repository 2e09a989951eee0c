"""Plug-ins that turn a pruned model into the bytes of a file. The file contains the model that was
measured.
"""
