"""Texts of the user for a model that reads tokens: one file, or a folder whose files are the documents."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import LoadError
from ..machine.bounded_file import read_bounded
from ..registry import DATA
from ..values.samples import Split
from ..values.subject import Normalisation, Task
from ..values.text import TextForm
from .pool import file_facts, fingerprint
from .reader import ANY, Reader, check_request, class_name
from .text_windows import Document, cut_for, document_of

LONGEST = 64 * 2**20  # bytes of one text
MOST_FILES = 100_000
SEED = 0
FEW = 16  # documents; fewer are cut into pieces, so that there are enough units for an interval
PIECE = 4  # windows of a piece at the most
UNITS = 32  # pieces that each part should have: an interval of fewer than 25 allows for one odd sample more
FOLDERS = {
    "training": ("train", "training"),
    "tuning": ("val", "valid", "validation", "tuning"),
    "held_out": ("test", "held_out"),
}
METRICS = {
    "next": ("perplexity", "next_token_accuracy", "bits_per_byte"),
    "masked": ("perplexity", "bits_per_byte"),
    "other": ("same_answer", "kl_divergence"),
}
FEATURES = ("cosine_similarity", "relative_error")  # of a model whose outputs are no scores
ASKED = {
    "next": "The model is asked for the token after each one.",
    "masked": "The model is asked for 15 % of the tokens, which are hidden from it; perplexity is of these.",
    "other": "There are no targets, so agreement with the dense model is measured.",
}


@DATA.register("text", rank=14, place="PATH", local_only=True)
def text(path: str = "", reader: Reader = ANY, *, samples: int = 1000, files: str = "*") -> Task:
    """A text file, or a folder of them, cut into windows by the model's own tokenizer.

    Args:
        path: of the file or folder. Each file of a folder is a document. Subfolders train, valid and test are
            used as they are; otherwise half of the documents are for calibration and training, a quarter each
            for tuning and held out.
        reader: the model that it is for.
        samples: maximum number of windows per split.
        files: which files of a folder, such as *.txt.
    Raises:
        LoadError: the model has no tokenizer, or the path leads to nothing that is text.
    """
    check_request("text:PATH", path, samples)
    form, place = _form(reader), Path(path).expanduser()
    length = reader.shape[0]
    paths = _paths(place, files) if place.is_dir() else {"": [place]}
    documents = {name: [document_of(text, form) for text in _read(parts)] for name, parts in paths.items()}
    is_few = min(map(len, documents.values())) < FEW
    windows = _windows_of_piece(documents, length)
    if is_few:
        documents = {name: _pieces(parts, length * windows) for name, parts in documents.items()}
    splits = _splits(documents, reader, samples)
    facts = file_facts([path for parts in paths.values() for path in parts], place.parent)
    division = [windows] if is_few and windows != PIECE else []
    return Task(
        f"text:{place.name}",
        reader.shape,
        load_split=splits.get,
        normalisation=Normalisation(whole=True),
        note="Half of the text is for calibration and training, a quarter each for tuning and held out."
        if "" in paths
        else "",
        source=str(place),
        fingerprint=fingerprint([*facts, reader.shape, form.fingerprint, samples, *division]),
        how=_told(splits, _piece(windows) if is_few else "document", length, form),
        metric=METRICS[form.answers] if form.answers != "other" or reader.classes else FEATURES,
        vocabulary=form.vocabulary,
        text=form,
    )


def _form(reader: Reader) -> TextForm:
    """Return the model's vocabulary.

    Raises:
        LoadError: it has none, it does not fit the model, or windows are too long for the model.
    """
    form = reader.text
    if len(reader.parts) > 1:
        names = " and ".join(repr(part.name) for part in reader.parts)
        raise LoadError(
            f"This model reads {len(reader.parts)} inputs side by side ({names}), and a text is only one; "
            "leave out --data, or give an array for each with --data npz:FILE."
        )
    if form is None:
        raise LoadError(
            "This model has no tokenizer that can be read, so text cannot become what it reads; give a "
            "folder of transformers with its tokenizer.json, or tokens with --data npz:FILE."
        )
    if reader.numbers is not None and form.vocabulary > reader.numbers:
        raise LoadError(
            f"The tokenizer has {form.vocabulary:,} tokens, but the model's table has rows for "
            f"{reader.numbers:,}; use the tokenizer that the model was trained with."
        )
    if form.positions is not None and reader.shape[0] > form.positions:
        raise LoadError(
            f"Windows of {reader.shape[0]:,} tokens are longer than the {form.positions:,} positions of the "
            f"model; ask for shorter ones, such as hf:FOLDER@{form.positions}."
        )
    return form


def _paths(folder: Path, pattern: str) -> dict[str, list[Path]]:
    """Return the files of each split, or of "" if there are no subfolders for splits."""
    chosen = {
        name: _files(folder / own, pattern)
        for name, names in FOLDERS.items()
        for own in names
        if (folder / own).is_dir()
    }
    if "tuning" not in chosen and "held_out" not in chosen:
        return {"": _files(folder, pattern)}
    return chosen


def _files(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder, without hidden ones.

    Raises:
        LoadError: there are none, or too many.
    """
    paths = sorted(
        path
        for path in folder.rglob(pattern)
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not 0 < len(paths) <= MOST_FILES:
        raise LoadError(
            f"Folder {class_name(folder.name)!r} has {len(paths):,} files {pattern[:40]!r}; it takes 1 to "
            f"{MOST_FILES:,} texts."
        )
    return paths


def _read(paths: Sequence[Path]) -> list[str]:
    """Return the texts.

    Raises:
        LoadError: one cannot be read, is too long, or is no text.
    """
    texts = []
    for path in paths:
        name = class_name(path.name)
        try:
            content = read_bounded(path, LONGEST)
            text = content.decode("utf-8")
        except OSError as error:
            raise LoadError(f"Text {name!r} cannot be read ({error.strerror}).") from error
        except UnicodeDecodeError as error:
            raise LoadError(
                f"{name!r} is no text in UTF-8 (byte {error.start:,}); convert it, or choose other files of "
                "a folder with ?files=*.txt."
            ) from error
        if "\0" in text:
            raise LoadError(f"{name!r} holds zero bytes, so it is no text; give plain text in UTF-8.")
        texts.append(text)
    return texts


def _windows_of_piece(documents: Mapping[str, Sequence[Document]], length: int) -> int:
    """Return how many windows a piece of few documents has: fewer if the text is short, so that each part has
    enough pieces, of which an undivided text gives a quarter to a part.
    """
    fewest = min(sum(len(one.tokens) for one in parts) for parts in documents.values()) // length
    wanted = 4 * UNITS if "" in documents else UNITS
    return min(PIECE, max(1, fewest // wanted))


def _piece(windows: int) -> str:
    """
    >>> _piece(1), _piece(4)
    ('window', 'piece of 4 windows')
    """
    return "window" if windows == 1 else f"piece of {windows} windows"


def _pieces(documents: Sequence[Document], length: int) -> list[Document]:
    """Cut texts into pieces; the first token of each is only read."""
    return [
        Document(one.tokens[start : start + length + 1], one.sizes[start : start + length + 1])
        for one in documents
        for start in range(0, max(1, len(one.tokens) - 1), length)
    ]


def _splits(documents: Mapping[str, list[Document]], reader: Reader, samples: int) -> dict[str, Split]:
    """Return the windows of each split.

    Raises:
        LoadError: there is too little text for tuning.
    """
    assert reader.text is not None
    if "" in documents:
        documents = _shared(documents[""])
    cut = cut_for(reader.text)
    splits = {name: cut(found, reader.shape[0], None, samples) for name, found in documents.items() if found}
    if not len(splits.get("tuning", ())):
        total = sum(len(one.tokens) for found in documents.values() for one in found)
        raise LoadError(
            f"The text has {total:,} tokens, too few for windows of {reader.shape[0]:,} in a tuning and a "
            "held-out part; give more text, or shorter windows, such as hf:FOLDER@32."
        )
    return {name: split for name, split in splits.items() if len(split)}


def _shared(documents: list[Document]) -> dict[str, list[Document]]:
    """Return half of the documents for training, a quarter each for tuning and held out, in a seeded order;
    fewer than four are tuning alone.
    """
    order = np.random.default_rng(SEED).permutation(len(documents))
    if len(order) < 4:
        return {"tuning": [documents[k] for k in order]}
    quarter = max(1, len(order) // 4)
    bounds = {
        "tuning": order[:quarter],
        "held_out": order[quarter : 2 * quarter],
        "training": order[2 * quarter :],
    }
    return {name: [documents[k] for k in chosen] for name, chosen in bounds.items()}


def _told(splits: Mapping[str, Split], unit: str, length: int, form: TextForm) -> tuple[str, ...]:
    counts = ", ".join(f"{len(split):,} {name.replace('_', '-')}" for name, split in splits.items())
    return (
        f"Windows of {length:,} tokens: {counts}.",
        ASKED[form.answers],
        f"Intervals treat a {unit} as one sample.",
    )
