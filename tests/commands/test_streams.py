"""What goes where: results on standard output and nothing else, whatever a model prints or raises; a stream
that is closed, full, or not read to its end is no traceback.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from explorer.background.lane import Lane
from explorer.background.lanes import Lanes
from explorer.commands.main import main
from explorer.loaders.model_text import load
from explorer.machine.foreign_code import failure
from explorer.values.progress import Step

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
CHATTY = '''
import os, sys, warnings
import torch
from torch import nn

print("importing")
input_shape = (1, 8, 8)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.fc = nn.Conv2d(1, 6, 3), nn.Linear(6, 10)

    def forward(self, x):
        print("forward")
        return self.fc(torch.relu(self.c(x)).mean((2, 3)))


def make():
    print("loading")
    sys.stdout.write("more\\n")
    os.system("echo from a program")
    warnings.warn("mind the gap")
    return Net()


class Eager(Net):
    """No graph can be read from it, so that its own code runs whenever it is measured."""

    def forward(self, x):
        if float(x.sum()) > 1e9:
            return x
        if len(x) > 2:
            raise ValueError("only\\n two")
        return super().forward(x)


class Exits(Net):
    def forward(self, x):
        if float(x.sum()) > 1e9:
            return x
        if len(x) > 2:
            sys.exit("bye")
        return super().forward(x)


class Never(Net):
    def forward(self, x):
        raise KeyError("nothing")


class Deep(Net):
    def forward(self, x):
        return self.forward(x)


def inner():
    import next_to_chatty
    return next_to_chatty.broken()
'''


@pytest.fixture
def chatty(tmp_path):
    (tmp_path / "chatty.py").write_text(CHATTY)
    (tmp_path / "next_to_chatty.py").write_text("def broken():\n    return 1 / 0\n")
    x, y = np.random.RandomState(0).rand(40, 1, 8, 8).astype("f4"), np.arange(40) % 10
    np.savez(tmp_path / "d.npz", x=x, y=y)
    return tmp_path / "chatty.py"


def line_of(path, text):
    """The number of the first line with a text."""
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def shell(line):
    """What `pruning-explorer` in a line of a shell gives."""
    program = f"'{sys.executable}' -W ignore -c 'import sys; from explorer.commands.main import main; "
    line = line.replace("pruning-explorer", f"{program}sys.exit(main())'").replace("-W ignore ", "")
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=ENVIRONMENT)


# --------------------------------------------------------------------------- what a model prints


@pytest.mark.parametrize(
    "verb",
    [
        "prune --channels 0.5 --no-latency",
        pytest.param("profile", marks=pytest.mark.heavy),
        pytest.param("audit", marks=pytest.mark.heavy),
    ],
)
def test_json_is_all_that_is_on_standard_output(verb, chatty):
    verb, _, rest = verb.partition(" ")
    done = shell(f"pruning-explorer {verb} {chatty}:make {rest} --json")
    assert done.returncode == 0 and isinstance(json.loads(done.stdout), dict)
    for word in ("importing", "loading", "more", "from a program", "forward"):
        assert word in done.stderr.splitlines(), "what the model says is still to be seen"
    assert f"chatty.py, line {line_of(chatty, 'mind the gap')}, warns: mind the gap" in done.stderr
    assert "Warning" not in done.stderr


def test_within_one_process_too(chatty, capsys):
    assert main(["profile", f"{chatty}:make", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["model"] == "chatty.py:make" and "forward" in err
    print("again")
    assert capsys.readouterr().out == "again\n", "standard output is what it was"


# --------------------------------------------------------------------------- what a model raises


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("Eager", "raise ValueError", "fails with ValueError: only two."),
        ("Exits", 'sys.exit("bye")', "fails with SystemExit: bye."),
    ],
)
def test_what_a_model_raises_while_it_is_measured_is_one_sentence_with_its_line(
    name, text, sentence, chatty, capsys
):
    words = ["prune", f"{chatty}:{name}", "--weights", "0.5", "--data", f"npz:{chatty.with_name('d.npz')}"]
    assert main(words) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"chatty.py, line {line_of(chatty, text)}, {sentence}"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("Never", "raise KeyError", "chatty.py, line {}, fails with KeyError: 'nothing'"),
        ("Deep", "return self.forward(x)", "chatty.py, line {}, fails with RecursionError: maximum"),
    ],
)
def test_a_model_that_does_not_run_is_one_sentence_with_its_line(name, text, sentence, chatty, capsys):
    assert main(["profile", f"{chatty}:{name}"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert sentence.format(line_of(chatty, text)) in said and "does not run on an input of shape" in said


def test_the_line_may_be_in_a_file_next_to_it(chatty, capsys):
    assert main(["profile", f"{chatty}:inner"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "next_to_chatty.py, line 2, fails with ZeroDivisionError: division by zero"


def test_a_fault_of_this_program_is_no_fault_of_the_user(chatty):
    load(f"{chatty}:make")
    try:
        json.loads("{")
    except ValueError as error:
        assert failure(error) is None


def test_a_job_that_fails_in_code_of_the_user_is_no_traceback_in_the_log(chatty, caplog):
    model = load(f"{chatty}:Eager").model
    lanes, lane = Lanes(lambda _: True), Lane("lesson")

    def job():
        yield Step(1)
        model(model.fc.weight.new_zeros(5, 1, 8, 8))

    try:
        lanes.submit("session", lane, "key", job)
        state = lanes.wait("session", lane, 20)
    finally:
        lanes.shutdown()
    assert state.error.startswith("chatty.py, line ") and "Traceback" not in caplog.text


# --------------------------------------------------------------------------- streams


FULL = "The output cannot be written (No space left on device); make room, or choose another place for it.\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("words", ["criteria", "criteria --json", "--help", "--version"])
def test_a_full_disk_is_one_sentence(words):
    done = shell(f"pruning-explorer {words} > /dev/full")
    assert (done.returncode, done.stderr) == (1, FULL)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("pruning-explorer criteria >&- 2>&-", 0),
        ("pruning-explorer nothing 2>/dev/full", 2),
        pytest.param("pruning-explorer criteria >&-", 0, marks=pytest.mark.heavy),
        pytest.param("pruning-explorer nothing >&- 2>&-", 2, marks=pytest.mark.heavy),
        pytest.param("pruning-explorer criteria <&-", 0, marks=pytest.mark.heavy),
    ],
)
def test_closed_streams_are_no_traceback(line, code):
    done = shell(line)
    assert (done.returncode, done.stderr) == (code, "")


def test_what_is_for_a_closed_stream_goes_to_no_other():
    done = shell("pruning-explorer nothing-of-that-name --json 2>&-")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_reader_that_has_seen_enough_is_no_complaint():
    done = shell("(pruning-explorer criteria; echo code $? >&2) | true")
    assert done.stderr in ("code 1\n", "code 0\n")


def test_names_that_standard_output_cannot_say_are_written_out():
    done = shell("PYTHONIOENCODING=ascii pruning-explorer criteria")
    assert done.returncode == 0 and done.stderr == ""


def printing(source):
    """Lines of bare `print(...)`, which standard output does not see."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


def test_results_are_shown_and_not_printed():
    assert printing("x = 1\nprint(x)") == [2], "a print would be seen"
    for path in (ROOT / "explorer").rglob("*.py"):
        if path.parent.name != "printing":
            assert printing(path.read_text(encoding="utf-8")) == [], f"{path}: call show() instead"
