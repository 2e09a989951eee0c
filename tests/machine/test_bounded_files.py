"""Files that are endless, pipes, folders or too long, where a file is expected: none is waited for, none
fills the memory, each is one sentence or as if it were not there.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from explorer.commands.arguments.recipe import read_recipe
from explorer.errors import ExplorerError, shortened
from explorer.lessons.lesson_files import TEMPLATE, lessons
from explorer.lessons.toml_table import LessonError
from explorer.machine import bounded_file
from explorer.machine.bounded_file import TooLongError, append_text, read_bounded
from explorer.planning.known_latencies import TimedWidths
from explorer.runs.store import Store
from explorer.studies.sensitivity.scan_log import Count, ScanLog
from explorer.values.recipe import Recipe

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pipes among files")


@pytest.fixture
def quick(monkeypatch):
    """Nothing may be waited for longer than this."""
    monkeypatch.setattr(bounded_file, "PATIENCE", 0.3)
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 5


def create(kind, path):
    """What is no file, at a path."""
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "an endless device":
        path.symlink_to("/dev/zero")
    elif kind == "a link to itself":
        path.symlink_to(path)
    elif kind == "a link to nothing":
        path.symlink_to(path.with_name("nothing"))
    return path


KINDS = ("a folder", "a pipe", "an endless device", "a link to itself", "a link to nothing")


# --------------------------------------------------------------------------- reading


def test_a_file_is_read_whole_up_to_the_limit(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    assert read_bounded(path, 3_000_000) == path.read_bytes()
    with pytest.raises(TooLongError, match="it has more than 2,999,999 bytes"):
        read_bounded(path, 2_999_999)


@pytest.mark.parametrize("pipes", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_not_waited_for(kind, pipes, tmp_path, quick):
    if kind == "a pipe" and pipes:
        assert read_bounded(create(kind, tmp_path / "a"), 1000, pipes=True) == b"", "nobody writes into it"
        return
    with pytest.raises(OSError):
        read_bounded(create(kind, tmp_path / "a"), 1000, pipes=pipes)


def test_a_pipe_is_read_while_somebody_writes_and_not_longer_than_patience_lasts(tmp_path, quick):
    path = create("a pipe", tmp_path / "a")
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writing = os.open(path, os.O_WRONLY)
    os.write(writing, b"half")
    threading.Timer(0.1, lambda: (os.write(writing, b" and half"), os.close(writing))).start()
    assert read_bounded(path, 1000, pipes=True) == b"half and half"
    silent = os.open(path, os.O_WRONLY)
    with pytest.raises(OSError, match="it gives no data"):
        read_bounded(path, 1000, pipes=True)
    os.close(silent), os.close(reading)


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "an endless device", "a link to itself"])
def test_nothing_is_added_to_what_is_no_file(kind, tmp_path, quick):
    with pytest.raises(OSError):
        append_text(create(kind, tmp_path / "a"), "x")


def test_text_is_added_at_the_end(tmp_path):
    assert [append_text(tmp_path / "new" / "a", text) for text in ("one\n", "two\n")] == [4, 8]
    assert (tmp_path / "new" / "a").read_text() == "one\ntwo\n"


# --------------------------------------------------------------------------- recipes and lessons


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_that_is_no_file_is_one_sentence(kind, tmp_path, quick):
    with pytest.raises(
        ExplorerError, match=r"Recipe file '.*' (cannot be read|is larger|is damaged)"
    ) as caught:
        read_recipe(str(create(kind, tmp_path / "a")))
    assert "\n" not in str(caught.value)


def test_a_recipe_may_come_out_of_a_shell_pipe(tmp_path):
    text = json.dumps(Recipe(channels={"conv1": 0.5}).to_json())
    program = (
        "import sys; from explorer.commands.arguments.recipe import read_recipe; "
        "print(read_recipe(sys.argv[1]))"
    )
    line = f"'{sys.executable}' -c '{program}' <(sleep 0.2; echo '{text}')"
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert "'conv1': 0.5" in done.stdout, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_lesson_that_is_no_file_is_one_sentence(kind, tmp_path, quick):
    create(kind, tmp_path / "a.toml")
    with pytest.raises(LessonError, match=r"Lesson 'a\.toml' cannot be read"):
        lessons(tmp_path)


LESSONS = {
    "a number of 6,000 digits": ("number = 21", f"number = {'9' * 6000}", "is not valid TOML: .*4300"),
    "a number of 4,000 digits": ("number = 21", f"number = {'9' * 4000}", "whole number from 1 to 99"),
    "a point of 6,000 digits": ("x = 0.9", f"x = {'9' * 6000}", "is not valid TOML"),
    "lists in lists": ("minutes = 5", f"minutes = {'[' * 40_000}", "in lists without end"),
    "tables in tables": ("minutes = 5", f"minutes = {'{a=' * 30_000}", "without end|is not valid TOML"),
    "a long word": ('terms = ["pruning ratio"', f'terms = ["{"x" * 50_000}"', "no term named 'xxx"),
    "too many bytes": ("number = 21", f"number = 21 #{'x' * 100_000}", "more than 100,000 bytes"),
    "no text": ("title", "\udcff", "is not valid TOML"),
}


@pytest.mark.parametrize("what", LESSONS)
def test_a_lesson_that_was_made_to_do_harm_is_one_sentence(what, tmp_path):
    before, after, sentence = LESSONS[what]
    text = TEMPLATE.read_text(encoding="utf-8").replace(before, after, 1)
    (tmp_path / "a.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(LessonError, match=sentence) as caught:
        lessons(tmp_path)
    assert len(str(caught.value)) <= 1200


def test_errors_stay_readable_however_much_they_quote():
    assert shortened("A sentence of usual length.") == "A sentence of usual length."
    said = str(ExplorerError(f"No part named {'x' * 5000!r}; choose another."))
    assert len(said) < 300 and said.endswith("'; choose another.")
    assert len(str(ExplorerError("many words " * 1000))) == 1200


# --------------------------------------------------------------------------- the cache


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_named_like_a_run_and_is_none_is_not_there(kind, tmp_path, quick):
    store = Store(tmp_path)
    folder = store._folder("subject")
    folder.mkdir(parents=True)
    place = create(kind, folder / f"{'a' * 24}.json")
    assert store.runs() == [] and store.runs("subject") == [] and store.run("a" * 24) is None
    with pytest.raises(ExplorerError, match="No kept run begins with 'aaaa'"):
        store.full_name("aaaa")
    store.delete("a" * 24)
    assert place.is_symlink() or place.exists(), "only files are removed"


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "an endless device", "a link to itself"])
def test_a_record_of_openings_that_is_no_file_keeps_the_data_closed(kind, tmp_path, quick):
    store = Store(tmp_path)
    path = store._held_out_path("subject")
    path.parent.mkdir(parents=True)
    create(kind, path)
    with pytest.raises(ExplorerError, match="Held-out data stays closed"):
        store.open_held_out("subject")
    with pytest.raises(ExplorerError, match="so it stays closed"):
        store.held_out_openings("subject")


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "an endless device", "a link to itself"])
def test_scans_and_times_go_on_where_their_files_are_none(kind, tmp_path, quick):
    log = ScanLog(tmp_path, {"a": 1})
    create(kind, log.path)
    log.append([Count("a", 0.5, 0.5, 10, 5, 1, 2, 0.1, 0.2)])
    assert log.read() == []
    times = TimedWidths(create(kind, tmp_path / "times"))
    times.add((("a", 3),), 0.5)
    assert times.share((("a", 3),)) == 0.5
