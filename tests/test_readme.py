"""The README is run: its commands, their output, its Python, and its tables. `python tests/test_readme.py`
writes it anew.
"""

import contextlib
import io
import json
import re
import shlex
import tempfile
import zipfile
from pathlib import Path

import pytest
import torch

from explorer.commands.main import main
from explorer.commands.models import facts
from explorer.commands.verbs import VERBS
from explorer.loaders.model_text import load
from explorer.measuring.statistics import format_accuracy
from explorer.registry import ALLOCATORS, CRITERIA, EXPORTERS, SAMPLES

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n\$ ([^\n]*)\n(.*?)```", TEXT, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SHELL = re.findall(r"```sh\n(.*?)\n```", TEXT, re.DOTALL)
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


# --------------------------------------------------------------------------- tables


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def sample_rows() -> list[list[str]]:
    found = [facts(name) for name in SAMPLES]
    return [
        [
            f"`{f['name']}`",
            f["description"],
            f"{f['params']:,}",
            f"{f['macs']:,}",
            format_accuracy(f["correct"], f["samples"], f["samples"]) if f["samples"] else "not trained yet",
        ]
        for f in found
    ]


def tables() -> dict[str, str]:
    """What stands between the marks of the README."""
    criteria = CRITERIA.values()
    return {
        "samples": table(
            ["model", "what it is", "parameters", "MACs", "accuracy on held-out data"], sample_rows()
        ),
        "criteria": table(
            ["criterion", "rates", "what it does"],
            [[f"`{p.name}`", p.traits["level"], p.tooltip] for p in criteria],
        ),
        "allocators": table(
            ["allocator", "what it does"], [[f"`{p.name}`", p.tooltip] for p in ALLOCATORS.values()]
        ),
        "exporters": table(
            ["format", "what it is"], [[f"`{p.name}`", p.tooltip] for p in EXPORTERS.values()]
        ),
    }


def marked(name: str, content: str) -> str:
    return f"<!-- {name} -->\n{content}\n<!-- end -->"


@pytest.mark.parametrize("name", ["samples", "criteria", "allocators", "exporters"])
def test_tables_are_those_of_the_program(name):
    assert marked(name, tables()[name]) in TEXT, "write them anew: python tests/test_readme.py"


# --------------------------------------------------------------------------- commands


def skeleton(text: str) -> list[str]:
    """The words of an output; numbers and alignment left out."""
    return NUMBER.sub("#", text).split()


def numbers(text: str) -> list[float]:
    return [float(found.replace(",", "")) for found in NUMBER.findall(text)]


def close(found: float, shown: float) -> bool:
    """Another processor may round a sample to the other side; seconds and tiny differences are those of the
    machine.
    """
    return abs(found - shown) <= 0.05 * abs(shown) + 2 or found < 1e-8


def run_all(folder: Path) -> dict[str, tuple[int, str]]:
    """Each command of the README, run in the order of the text in one folder: line -> exit code and all that
    it printed.
    """
    found = {}
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.cuda.is_available", lambda: False)
        for line, _ in CONSOLE:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                found[line] = main(shlex.split(line)[1:]), printed.getvalue()
    return found


@pytest.fixture(scope="module")
def transcript(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    return run_all(folder), folder


@pytest.mark.parametrize("line, shown", CONSOLE, ids=[line for line, _ in CONSOLE])
def test_a_command_prints_what_the_readme_shows(line, shown, transcript):
    code, printed = transcript[0][line]
    assert line.startswith("pruning-explorer ")
    assert code == (2 if "conv9" in line else 0), printed
    assert skeleton(printed) == skeleton(shown)
    assert all(close(f, s) for f, s in zip(numbers(printed), numbers(shown), strict=True)), printed


def test_a_wrong_output_would_be_noticed():
    assert skeleton("accuracy  98.4 %") == skeleton("accuracy 97.1 %") != skeleton("loss 98.4 %")
    assert not close(80.0, 98.4) and close(98.2, 98.4)


def test_the_python_that_loads_an_export_counts_what_prune_counts(transcript, tmp_path, monkeypatch, capsys):
    folder = transcript[1]
    zipfile.ZipFile(folder / "quarter.zip").extractall(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    split = load("digits-cnn").task.split("tuning")
    known = {"images": split.inputs}
    with torch.inference_mode():
        exec(PYTHON[0], known)
    correct = int((known["logits"].argmax(1) == split.targets).sum())
    assert (
        main(["prune", "digits-cnn", "--recipe", str(folder / "quarter.json"), "--no-latency", "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["pruned"]["correct"] == correct


def test_the_python_api_of_the_readme_runs(capsys):
    exec(PYTHON[1], {})
    accuracy, verdict = capsys.readouterr().out.split()
    assert 0.8 < float(accuracy) <= 1 and verdict in ("different", "equivalent", "undecided")


def test_there_are_no_other_code_blocks():
    assert len(re.findall(r"^```\w", TEXT, re.MULTILINE)) == len(CONSOLE) + len(PYTHON) + len(SHELL)


# --------------------------------------------------------------------------- small promises


def test_the_start_commands_are_one_line_each_and_the_check_runs_the_second():
    start, check = SHELL
    assert start == "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/pruning-explorer"
    assert (
        check == 'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/python -m pytest'
    )
    ci = ROOT / ".ci" / "run"
    assert check in ci.read_text(encoding="utf-8") and ci.stat().st_mode & 0o111


def test_files_that_the_readme_names_are_there():
    named = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT)
    assert len(named) >= 3
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_verb_of_the_readme_exists_and_is_in_the_changelog():
    named = set(re.findall(r"pruning-explorer ([a-z][a-z-]{3,})", TEXT))
    assert named <= set(VERBS)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in changelog and all(verb in changelog for verb in VERBS)


def rewritten() -> str:
    """The README with the tables and outputs of today."""
    text = TEXT
    for name, content in tables().items():
        before, _, rest = text.partition(f"<!-- {name} -->")
        text = before + marked(name, content) + rest.partition("<!-- end -->")[2]
    with tempfile.TemporaryDirectory() as folder:
        printed = run_all(Path(folder))
    for line, shown in CONSOLE:
        text = text.replace(f"$ {line}\n{shown}```", f"$ {line}\n{printed[line][1]}```")
    return text


if __name__ == "__main__":
    README.write_text(rewritten(), encoding="utf-8")
