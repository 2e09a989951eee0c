"""A file is written whole or not at all."""

import os
import resource
import signal
from pathlib import Path

import pytest

from explorer.machine.whole_file import write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_replaced_and_reached_through_its_link(tmp_path):
    file, link = tmp_path / "a.json", tmp_path / "link.json"
    write_whole(file, b"one")
    link.symlink_to(file)
    write_whole(link, b"two")
    assert file.read_bytes() == b"two" and link.is_symlink() and names(tmp_path) == ["a.json", "link.json"]


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
