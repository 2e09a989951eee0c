"""Bounds what the library for convolutions on processors, oneDNN, keeps of its programs.

It makes some for each width of a layer, of a size that depends on the processor, and keeps 1,024. Whoever
moves a fader asks for another width with each move, so a server would grow for minutes.
"""

import os

KEPT = 256  # a forward of a deep network may need more; to make them again takes next to no time
VARIABLES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY")


def keep_few() -> None:
    """Let this process keep few of them, unless its user has said how many; before torch computes anything,
    since the library asks once.
    """
    if not any(os.environ.get(name) for name in VARIABLES):
        os.environ[VARIABLES[0]] = str(KEPT)
