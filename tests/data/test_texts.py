"""Texts: a vocabulary of bytes and merges, windows, files of the user, and the shipped standard library."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from explorer.data import stdlib, text_files, text_windows
from explorer.data.byte_pairs import BytePairs
from explorer.data.reader import Reader
from explorer.data.source_text import load_data
from explorer.data.text_windows import (
    Document,
    document_of,
    masked_windows,
    next_token_windows,
    plain_windows,
)
from explorer.errors import LoadError, UnknownNameError
from explorer.machine import paths
from explorer.metrics.checks import IGNORED
from explorer.values.text import TextForm

BYTES = BytePairs([])


def form(**changes):
    """One token for each byte; 256 starts a document, 257 hides a token."""
    known = {"answers": "next", "vocabulary": 258, "start": (256,), "mask": 257} | changes
    return TextForm(
        lambda text: (list(text.encode()), [1] * len(text.encode())),
        lambda tokens: BYTES.decode(tokens),
        **known,
    )


def numbers(count):
    return Document(np.arange(count), np.ones(count, dtype=np.int64))


# --------------------------------------------------------------------------- vocabulary


def test_the_first_merges_of_the_shipped_texts_are_indentation():
    known = stdlib.vocabulary()
    assert [known.pieces[256 + k] for k in range(3)] == [b" " * 2, b" " * 4, b" " * 8]


@pytest.mark.parametrize(
    "text", ["", "def f(x):\n    return x  # ünï→\n", "  \t\n\n", "a" * 50, "0x1F == 31"]
)
def test_decoding_gives_the_text_back(text):
    known = stdlib.vocabulary()
    tokens = known.encode(text)
    assert known.decode(tokens) == text and len(tokens) <= len(text.encode())


def test_merges_apply_in_their_order():
    # "ab" first, so that "bc" finds no b
    assert BytePairs([(97, 98), (98, 99)]).encode("abc").tolist() == [256, 99]
    assert BytePairs([(98, 99), (97, 98)]).encode("abc").tolist() == [97, 256]


def test_a_merge_of_a_later_token_is_refused():
    with pytest.raises(LoadError, match="Merge 0 must join two tokens from 0 to 255"):
        BytePairs([(97, 256)])


# --------------------------------------------------------------------------- windows


def test_each_token_but_the_first_is_asked_for_once_and_after_what_it_follows():
    split = next_token_windows([numbers(11), numbers(3)], 4)
    tokens, sizes = split.targets
    real = tokens != IGNORED
    assert bool((split.inputs[real] + 1 == tokens[real]).all())
    asked = [sorted(tokens[split.units == unit][real[split.units == unit]].tolist()) for unit in (0, 1)]
    assert asked == [list(range(1, 11)), [1, 2]]
    assert int(sizes.sum()) == 12 and sizes.tolist() == real.sum(1).tolist()


def test_a_short_text_is_filled_and_its_filling_is_not_asked_for():
    split = next_token_windows([numbers(3)], 5)
    assert split.inputs.tolist() == [[0, 1, 0, 0, 0]]
    assert split.targets[0].tolist() == [[1, 2, IGNORED, IGNORED, IGNORED]]
    assert len(next_token_windows([numbers(1), numbers(0)], 5)) == 0


def test_masked_windows_ask_for_hidden_tokens_alone():
    split = masked_windows([numbers(100)], 10, form(answers="masked", before=(250,), after=(251,)))
    inputs, (tokens, sizes) = split.inputs, split.targets
    hidden = inputs == 257
    assert bool((hidden == (tokens != IGNORED)).all()) and bool(hidden.any(1).all())
    assert bool((inputs[:, 0] == 250).all()) and bool((inputs[:, -1] == 251).all())
    assert sizes.tolist() == hidden.sum(1).tolist()
    assert 0.05 < hidden.float().mean() < 0.35
    shown = torch.where(hidden, tokens, inputs)[:, 1:-1].sort(0).values
    assert sorted(set(shown.flatten().tolist())) == list(range(100))


def test_windows_without_targets_leave_short_texts_out():
    split = plain_windows([numbers(9), numbers(3)], 4, form(answers="other"))
    assert split.targets is None and sorted(split.inputs.tolist()) == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [5, 6, 7, 8],
    ]


def test_a_document_begins_with_its_start():
    document = document_of("ab", form())
    assert (document.tokens.tolist(), document.sizes.tolist()) == ([256, 97, 98], [0, 1, 1])


# --------------------------------------------------------------------------- files of the user


def reader(**changes):
    return Reader((8,), None, whole=True, numbers=258, answer="anything", text=form(**changes))


@pytest.fixture
def folder(tmp_path):
    for k in range(20):
        (tmp_path / f"{k:02}.txt").write_text(f"text number {k} of several, ünï " * 3)
    return tmp_path


def test_documents_of_a_folder_are_shared_whole_between_the_splits(folder):
    task = load_data(f"text:{folder}", reader())
    splits = {name: task.split(name) for name in ("training", "tuning", "held_out")}
    assert {name: len(split.units.unique()) for name, split in splits.items()} == {
        "training": 10,
        "tuning": 5,
        "held_out": 5,
    }
    said = sum(int(split.targets[1].sum()) for split in splits.values())
    assert said == sum(len(path.read_bytes()) for path in folder.iterdir())
    assert task.metrics == ("perplexity", "next_token_accuracy", "bits_per_byte")
    assert "Intervals treat a document as one sample." in task.how


@pytest.mark.parametrize(
    ("words", "unit"),
    [(60, "window"), (200, "piece of 3 windows"), (2000, "piece of 4 windows")],
)
def test_a_single_file_is_cut_into_enough_pieces(words, unit, folder):
    """Of fewer than 25 pieces an interval is so wide that hardly any change is beyond it."""
    (folder / "one").mkdir()
    path = folder / "one" / "text.md"
    path.write_text("words and words " * words)
    task = load_data(f"text:{path}", reader())
    tuning = task.split("tuning")
    assert f"Intervals treat a {unit} as one sample." in task.how
    assert len(tuning.units.unique()) >= (32 if unit != "window" else 0.9 * len(tuning))
    assert len(load_data(f"text:{path}?samples=7", reader()).split("tuning")) == 7


def test_another_division_has_another_fingerprint(folder, monkeypatch):
    path = folder / "00.txt"
    before = load_data(f"text:{path}", reader()).fingerprint
    monkeypatch.setattr(text_files, "UNITS", 1)
    assert load_data(f"text:{path}", reader()).fingerprint != before


def test_folders_for_splits_are_used_as_they_are(folder):
    for name in ("train", "valid"):
        (folder / name).mkdir()
        (folder / name / "a.txt").write_text(f"the {name} folder has its own text " * 20)
    task = load_data(f"text:{folder}", reader())
    assert task.split("held_out") is None and len(task.split("training")) > 1


def test_another_text_has_another_fingerprint(folder):
    before = load_data(f"text:{folder}", reader()).fingerprint
    (folder / "00.txt").write_text("changed, and longer than it was " * 9)
    assert load_data(f"text:{folder}", reader()).fingerprint != before


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("a.png", b"\x89PNG\r\n\x1a\n\xff\xfe", r"'a\.png' is no text in UTF-8 \(byte 0\)"),
        ("a.bin", b"text\0text", r"'a\.bin' holds zero bytes, so it is no text"),
        ("a.txt", b"ab", r"The text has 3 tokens, too few for windows of 8"),
        ("a.txt", b"", r"The text has 1 tokens, too few"),
    ],
)
def test_what_is_no_text_is_one_sentence(name, content, sentence, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LoadError, match=sentence):
        load_data(f"text:{tmp_path / name}", reader(answers="masked"))


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"vocabulary": 300}, r"The tokenizer has 300 tokens, but the model's table has rows for 258"),
        ({"positions": 4}, r"Windows of 8 tokens are longer than the 4 positions of the model"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_one_sentence(changes, sentence, folder):
    with pytest.raises(LoadError, match=sentence):
        load_data(f"text:{folder}", reader(**changes))


def test_a_model_without_a_vocabulary_reads_no_text(folder):
    with pytest.raises(LoadError, match="This model has no tokenizer"):
        load_data(f"text:{folder}", Reader((8,), whole=True))
    with pytest.raises(LoadError, match=r"has 0 files '\*\.md'"):
        load_data(f"text:{folder}?files=*.md", reader())
    with pytest.raises(LoadError, match=r"Text 'gone' cannot be read"):
        load_data(f"text:{folder}/gone", reader())


# --------------------------------------------------------------------------- the shipped text


def test_the_shipped_texts_are_those_of_the_fingerprint_and_split_by_file():
    digest = hashlib.sha256(repr(stdlib.vocabulary().merges).encode())
    for path, text in stdlib.texts():
        digest.update(f"{path}\0{text}\0".encode())
    assert digest.hexdigest()[:16] == stdlib.FINGERPRINT
    assert len(stdlib.vocabulary()) == stdlib.VOCABULARY
    names = [path for path, _ in stdlib.texts()]
    assert len(set(names)) == 295 and all(path.endswith(".py") for path in names)
    parts = [set(names[slice(*bounds)]) for bounds in stdlib.BOUNDS.values()]
    assert [len(part) for part in parts] == [48, 48, 199]
    assert not any("\0" in text for _, text in stdlib.texts()), "a zero byte starts a file"


def test_a_split_of_the_shipped_texts_asks_for_the_files_own_tokens():
    split = stdlib.load_split("tuning")
    tokens, sizes = split.targets
    assert split.inputs.shape[1] == stdlib.LENGTH and len(split.units.unique()) == 48
    assert int(torch.bincount(split.units).max()) <= stdlib.MOST
    row = int((sizes > 0).nonzero()[5])
    said = stdlib.vocabulary().decode(tokens[row][tokens[row] != IGNORED].tolist())
    assert said in stdlib.texts()[48 + int(split.units[row])][1] and len(said.encode()) == int(sizes[row])


def test_damaged_texts_are_refused(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(stdlib, "paths", SimpleNamespace(sample_models=lambda: tmp_path))
    for content in (b"", b"nothing packed"):
        (tmp_path / "data" / "stdlib.xz").write_bytes(content)
        (tmp_path / "data" / "stdlib.merges.txt").write_text("1 two")
        with pytest.raises(LoadError, match="install the program again"):
            stdlib.texts.__wrapped__()
        with pytest.raises(LoadError, match="install the program again"):
            stdlib.vocabulary.__wrapped__()
    with pytest.raises(UnknownNameError, match="held_out, tuning, training"):
        stdlib.load_split("validation")
    assert paths.sample_models() != tmp_path


@pytest.mark.parametrize("merges", [[(97, 97), (256, 256), (256, 97)], [(97, 98), (98, 97), (256, 257)]])
@pytest.mark.parametrize("letters", ["a", "ab", "abc"])
def test_a_long_word_becomes_the_tokens_of_the_plain_rule(merges, letters):
    """Short words are merged pair by pair; all of a long word's equal pairs are merged at once."""
    known, draw = BytePairs(merges), np.random.default_rng(0)
    for length in (33, 34, 35, 64, 257):
        word = "".join(draw.choice(list(letters), length))
        assert known.encode(f"{word} {word}b\n{word}").tolist() == [
            token for part in (word, f" {word}b", "\n", word) for token in known._merged(list(part.encode()))
        ]


def test_only_the_windows_that_are_taken_are_made_and_they_are_the_first(monkeypatch):
    documents = [numbers(n) for n in (40, 7, 23)]
    whole = next_token_windows(documents, 4)
    count = []
    make = text_windows._next_window
    monkeypatch.setattr(text_windows, "_next_window", lambda *row: count.append(1) or make(*row))
    few = next_token_windows(documents, 4, samples=5)
    assert len(count) == 5 < len(whole)
    assert torch.equal(few.inputs, whole.inputs[:5]) and torch.equal(few.units, whole.units[:5])
    assert all(torch.equal(a, b[:5]) for a, b in zip(few.targets, whole.targets, strict=True))
    masked = form(answers="masked", before=(250,), after=(251,))
    assert torch.equal(
        masked_windows(documents, 8, masked, samples=2).inputs,
        masked_windows(documents, 8, masked).inputs[:2],
    )
