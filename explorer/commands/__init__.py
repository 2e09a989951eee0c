"""The verbs of the command line, one file each: `add_arguments(parser)` declares the arguments,
`run(arguments)` does the work.
"""
