"""The conditions of a measurement on the command line."""

import argparse

from .model import add_device, add_dtype


def add_conditions(parser: argparse.ArgumentParser) -> None:
    """Add --samples, --device, --dtype and --json."""
    parser.add_argument(
        "--samples", type=int, metavar="N", help="measure on the first N samples (default: all)"
    )
    add_device(parser)
    add_dtype(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
