"""The verbs of the command line, one file each: `add_arguments(parser)` says what they take, `run(arguments)`
does it.
"""
