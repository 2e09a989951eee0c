"""295 files of Python's standard library, shipped with the program: text that a small model can learn."""

import lzma
from functools import cache

from ..errors import LoadError, UnknownNameError
from ..machine import paths
from ..registry import DATA
from ..values.samples import Split
from ..values.subject import Normalisation, Task
from ..values.text import TextForm, Tokens
from .byte_pairs import BytePairs
from .text_windows import document_of, next_token_windows

SOURCE = "CPython 3.11.7, Lib (Python Software Foundation, https://www.python.org)"
LENGTH = 128  # tokens of a window
VOCABULARY = 768
POSITIONS = 512  # the longest window of the model that is trained on it
START = 0  # the byte before each file, which no file contains
MOST = 8  # windows of a file that is measured, so that long files do not outweigh the others
# Files are in the order of the SHA-256 of their paths, so that a split is of whole files and never depends on
# a version.
BOUNDS = {"held_out": (0, 48), "tuning": (48, 96), "training": (96, 295)}
FINGERPRINT = "bda5b0f47414312f"  # of the unpacked texts and the merges, checked by a test


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Return (path, text) of each file.

    Raises:
        LoadError: the file is missing or damaged.
    """
    path = paths.sample_models() / "data" / "stdlib.xz"
    try:
        parts = lzma.decompress(path.read_bytes()).decode().split("\0")
        return tuple(zip(parts[::2], parts[1::2], strict=True))
    except (OSError, ValueError, EOFError, lzma.LZMAError) as error:
        raise LoadError(f"The texts in {path.name} could not be read; install the program again.") from error


@cache
def vocabulary() -> BytePairs:
    """Return the vocabulary, learned from the training files.

    Raises:
        LoadError: the file is missing or damaged.
    """
    path = paths.sample_models() / "data" / "stdlib.merges.txt"
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        return BytePairs([(int(left), int(right)) for left, right in (line.split() for line in lines)])
    except (OSError, ValueError) as error:
        raise LoadError(f"The merges in {path.name} could not be read; install the program again.") from error


def _encoded(text: str) -> Tokens:
    known = vocabulary()
    tokens = known.encode(text).tolist()
    return tokens, [len(known.pieces[token]) for token in tokens]


def text_form() -> TextForm:
    """Return how text becomes tokens of this vocabulary."""
    return TextForm(
        _encoded,
        lambda tokens: vocabulary().decode(tokens),
        "next",
        VOCABULARY,
        POSITIONS,
        start=(START,),
        fingerprint=FINGERPRINT,
    )


@cache
def load_split(name: str) -> Split:
    """Windows of (n, 128) tokens; of a tuning or held-out file, at most 8.

    Raises:
        UnknownNameError: no such split.
        LoadError: a file is missing or damaged.
    """
    if name not in BOUNDS:
        raise UnknownNameError("split", name, BOUNDS)
    form = text_form()
    documents = [document_of(text, form) for _, text in texts()[slice(*BOUNDS[name])]]
    return next_token_windows(documents, LENGTH, None if name == "training" else MOST)


@DATA.register("stdlib", rank=4)
def stdlib() -> Task:
    """Python's standard library: 199 files to train, 48 to tune, 48 held out, cut into windows of 128
    tokens.
    """
    return Task(
        name="stdlib",
        shape=(LENGTH,),
        load_split=load_split,
        normalisation=Normalisation(whole=True),
        note="Real code: whole files are tuning or held out, and intervals treat a file as one sample.",
        source=SOURCE,
        licence="PSF-2.0",
        fingerprint=FINGERPRINT,
        metric=("perplexity", "next_token_accuracy", "bits_per_byte"),
        vocabulary=VOCABULARY,
        text=text_form(),
    )
