"""A file is written whole or not at all."""

import os
import resource
import signal
from pathlib import Path

import pytest

from explorer.machine.whole_file import write_together, write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_replaced_and_reached_through_its_link(tmp_path):
    file, link = tmp_path / "a.json", tmp_path / "link.json"
    write_whole(file, b"one")
    link.symlink_to(file)
    write_whole(link, b"two")
    assert file.read_bytes() == b"two" and link.is_symlink() and names(tmp_path) == ["a.json", "link.json"]


def test_files_that_belong_together_are_both_written_or_neither(tmp_path):
    weights, card = tmp_path / "weights" / "a.bin", tmp_path / "cards" / "a.json"
    write_together({weights: b"one", card: b"1"})
    write_together({weights: b"two", card: b"2"})
    assert (weights.read_bytes(), card.read_bytes()) == (b"two", b"2")
    card.unlink()
    card.mkdir()  # nothing can be put there
    with pytest.raises(OSError):
        write_together({weights: b"three", card: b"3"})
    assert weights.read_bytes() == b"two" and names(weights.parent) == ["a.bin"]
    assert names(card.parent) == ["a.json"] and not names(card)
    new = tmp_path / "other" / "b.bin"
    with pytest.raises(OSError):
        write_together({new: b"one", card: b"1"})
    assert not names(new.parent), "what was not there before is not there after"


@pytest.mark.parametrize("stop", range(1, 5))
def test_a_process_that_is_killed_leaves_no_card_of_other_weights(tmp_path, stop, monkeypatch):
    """Stopped before any of its steps, each of which is a rename."""
    weights, card = tmp_path / "a.bin", tmp_path / "a.json"
    write_together({weights: b"old", card: b"old"})
    child = os.fork()
    if child == 0:
        replace, steps = Path.replace, [0]

        def killed(path, target):
            steps[0] += 1
            if steps[0] == stop:
                os._exit(9)
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", killed)
        write_together({weights: b"new", card: b"new"})
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    found = [path.read_bytes() for path in (weights, card) if path.is_file()]
    assert len(set(found)) < 2


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    file = tmp_path / "a.json"
    write_whole(file, b"kept")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # as small a quota as a test can have
    try:
        for path in (file, tmp_path / "new.json"):
            with pytest.raises(OSError, match="File too large"):
                write_whole(path, bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert file.read_bytes() == b"kept" and names(tmp_path) == ["a.json"]


def test_a_folder_and_a_device_are_no_files(tmp_path):
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, b"")
    write_whole(os.devnull, b"gone")
    assert not Path(os.devnull).is_file()
