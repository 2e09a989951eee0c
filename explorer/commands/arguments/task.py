"""--task and --metric: what a model is measured by."""

import argparse


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add --task and --metric."""
    parser.add_argument(
        "--task",
        metavar="FILE.py:make",
        help="your own explorer.Task: data, metric and loss of any kind, instead of --data",
    )
    parser.add_argument(
        "--metric",
        metavar="NAME[,NAME]",
        help="what the model is measured by (see 'pruning-explorer metrics'); the first decides, the others "
        "are shown",
    )
