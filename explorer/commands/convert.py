"""Convert a .pt file of weights to .safetensors. It is read as data only, so no code in it can run."""

import argparse

from ..loaders.pt_weights import convert
from .printing.output import note


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="IN.pt",
        help="a file that torch.save wrote with weights in it, or the index of a model in several files",
    )
    parser.add_argument("target", metavar="OUT.safetensors", help="the file to write")
    told = "where in the file the weights are, such as 'model_ema' (default: where they usually are)"
    parser.add_argument("--key", metavar="NAME", default="", help=told)


def run(arguments: argparse.Namespace) -> None:
    """Convert the file.

    Raises:
        LoadError: the source is missing, damaged or too large, or contains no weights.
    """
    made = convert(arguments.source, arguments.target, key=arguments.key)
    place = f" from {made.place!r}" if made.place else ""
    note(f"Wrote {arguments.target} ({made.tensors:,} tensors{place}, {made.bytes:,} bytes).")
    if made.others:
        listed = ", ".join(repr(other[:80]) for other in made.others[:6])
        note(f"There are weights in {listed}, too; choose with --key NAME.")
