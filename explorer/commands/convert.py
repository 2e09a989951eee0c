"""A .pt file of weights -> .safetensors, read as data only, so that no code in it can run."""

import argparse

from ..loaders.pt_weights import convert
from .printing.output import note


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="IN.pt", help="a file that torch.save wrote, with a state dict in it"
    )
    parser.add_argument("target", metavar="OUT.safetensors", help="the file to write")


def run(arguments: argparse.Namespace) -> None:
    """Convert.

    Raises:
        LoadError: the source is missing, damaged, too large, or holds more than tensors.
    """
    written = convert(arguments.source, arguments.target)
    note(f"Wrote {arguments.target} ({written:,} bytes).")
