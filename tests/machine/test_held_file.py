"""A held file keeps others out, in this process and in others, and is free again once its holder is gone."""

import subprocess
import sys
import threading

import serving

from explorer.machine.held_file import HeldLock, held, hold, hold_if_free

HOLDER = """
import sys, time
from pathlib import Path
from explorer.machine.held_file import hold
file = hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_one_holds_it_at_a_time(tmp_path):
    path = tmp_path / "new" / "file"
    with held(path):
        assert hold_if_free(path) is None
    file = hold_if_free(path)
    assert file is not None
    file.close()
    assert path.read_bytes() == b""


def test_who_waits_gets_it_next(tmp_path):
    path, got = tmp_path / "file", threading.Event()
    first = hold(path)
    waiting = threading.Thread(target=lambda: (hold(path).close(), got.set()))
    waiting.start()
    assert not got.wait(0.1)
    first.close()
    assert got.wait(10)
    waiting.join()


def test_a_killed_process_holds_it_no_longer(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "file")],
        stdout=subprocess.PIPE,
        env=serving.environment(),
    )
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    assert hold_if_free(tmp_path / "file") is None
    process.kill()
    process.wait()
    file = hold_if_free(tmp_path / "file")
    assert file is not None
    file.close()


def test_the_lock_of_journals_is_a_held_file(tmp_path):
    lock = HeldLock(tmp_path / "file")
    assert lock.acquire() and hold_if_free(tmp_path / "file") is None
    lock.release()
    with held(tmp_path / "file"):
        pass
