"""The README and the guide are run: their commands, their output, their Python, and their tables.

`python tests/guide/test_guide.py` writes outputs and tables again, as they are today.
"""

import contextlib
import io
import json
import re
import shlex
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from explorer.commands.main import main
from explorer.commands.models import facts, quality
from explorer.commands.verbs import VERBS
from explorer.guide import markdown_pages
from explorer.loaders.model_text import load
from explorer.registry import ALLOCATORS, CRITERIA, EXPORTERS, SAMPLES
from explorer.words import GLOSSARY

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
FAILS = "conv9"  # what the one command with wrong input names
LARGEST_README = 9000  # bytes


@dataclass(frozen=True)
class Document:
    """A Markdown file, and what of it can be run."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def console(self) -> list[tuple[str, str]]:
        """(command, what it prints)."""
        return re.findall(r"```console\n\$ ([^\n]*)\n(.*?)```", self.text, re.DOTALL)

    @property
    def python(self) -> list[str]:
        return re.findall(r"```python\n(.*?)```", self.text, re.DOTALL)

    @property
    def shell(self) -> list[str]:
        return re.findall(r"```sh\n(.*?)\n```", self.text, re.DOTALL)

    @property
    def toml(self) -> list[str]:
        return re.findall(r"```toml\n(.*?)```", self.text, re.DOTALL)


def document(path: Path) -> Document:
    return Document(path, path.read_text(encoding="utf-8"))


DOCUMENTS = {
    found.name: found
    for found in map(document, [README, *(markdown_pages.FOLDER / f"{n}.md" for n in markdown_pages.pages())])
}
COMMANDS = [(name, line) for name, found in DOCUMENTS.items() for line, _ in found.console]
EXAMPLES = [(name, place) for name, found in DOCUMENTS.items() for place in range(len(found.python))]


# --------------------------------------------------------------------------- tables


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def sample_rows() -> list[list[str]]:
    rows = [facts(name) for name in SAMPLES]
    return [
        [
            f"`{f['name']}`",
            f["description"],
            f"{f['params']:,}",
            f"{f['macs']:,}",
            quality(f),
        ]
        for f in rows
    ]


def tables() -> dict[str, str]:
    """Mark -> the table that belongs between it and the end mark."""
    criteria = CRITERIA.values()
    return {
        "samples": table(
            ["model", "what it is", "parameters", "MACs", "quality on held-out data"], sample_rows()
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
        "words": table(["word", "what it means"], [[word, said] for word, said in GLOSSARY.items()]),
    }


def marked(name: str, content: str) -> str:
    return f"<!-- {name} -->\n{content}\n<!-- end -->"


@pytest.mark.parametrize("name", ["samples", "criteria", "allocators", "exporters", "words"])
def test_tables_are_those_of_the_program(name):
    held = [found.name for found in DOCUMENTS.values() if marked(name, tables()[name]) in found.text]
    assert len(held) == 1, "write them again: python tests/guide/test_guide.py"


# --------------------------------------------------------------------------- commands


def skeleton(text: str) -> list[str]:
    """The words of an output; numbers and alignment left out."""
    return NUMBER.sub("#", text).split()


def numbers(text: str) -> list[float]:
    return [float(found.replace(",", "")) for found in NUMBER.findall(text)]


def without_clock(text: str) -> str:
    """A table without its columns of seconds and memory: how busy the machine was is no concern of a text."""
    lines = text.splitlines()
    heads = [(row, line.find("analysis s")) for row, line in enumerate(lines) if "analysis s" in line]
    for head, column in heads:
        for row in range(head, len(lines)):
            if not lines[row].strip():
                break
            lines[row] = lines[row][: column - 1]
    return "\n".join(lines)


def close(found: float, shown: float) -> bool:
    """Another processor may round a sample to the other side; seconds and tiny differences are those of the
    machine.
    """
    return abs(found - shown) <= 0.05 * abs(shown) + 2 or found < 1e-8


def run_all(document: Document, folder: Path) -> dict[str, tuple[int, str]]:
    """Each command of a document, run in the order of the text in one folder: line -> exit code and all that
    it printed.
    """
    printed = {}
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.cuda.is_available", lambda: False)
        for line, _ in document.console:
            caught = io.StringIO()
            with contextlib.redirect_stdout(caught), contextlib.redirect_stderr(caught):
                printed[line] = main(shlex.split(line)[1:]), caught.getvalue()
    return printed


@pytest.fixture(scope="module")
def transcripts(tmp_path_factory):
    """Document -> the folder in which its commands run, and what they printed."""
    folders = {name: tmp_path_factory.mktemp(name) for name in DOCUMENTS}
    return {name: (folder, run_all(DOCUMENTS[name], folder)) for name, folder in folders.items()}


@pytest.mark.parametrize("name, line", COMMANDS, ids=[f"{name}: {line}" for name, line in COMMANDS])
def test_a_command_prints_what_the_text_shows(name, line, transcripts):
    shown = dict(DOCUMENTS[name].console)[line]
    code, printed = transcripts[name][1][line]
    assert line.startswith("pruning-explorer ")
    assert code == (2 if FAILS in line else 0), printed
    assert skeleton(printed) == skeleton(shown)
    printed, shown = without_clock(printed), without_clock(shown)
    assert all(close(f, s) for f, s in zip(numbers(printed), numbers(shown), strict=True)), printed


def test_a_wrong_output_would_be_noticed():
    assert skeleton("accuracy  98.4 %") == skeleton("accuracy 97.1 %") != skeleton("loss 98.4 %")
    assert not close(80.0, 98.4) and close(98.2, 98.4)
    quick, slow = (
        f"model  after  analysis s  audit s\nvit    {n:5}  {s:10}  {s:7}" for n, s in ((7, 1), (8, 9))
    )
    assert numbers(without_clock(quick)) == [7] and numbers(without_clock(slow)) == [8]


def test_no_command_is_shown_twice_in_one_document():
    assert len(COMMANDS) == len(set(COMMANDS)) >= 8


# --------------------------------------------------------------------------- Python


@contextlib.contextmanager
def criteria_as_they_were() -> Iterator[None]:
    """What an example registers is forgotten afterwards."""
    before = dict(CRITERIA.items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CRITERIA, "_plugins", dict(before))
        yield
    assert dict(CRITERIA.items()) == before


def test_the_python_that_loads_an_export_counts_what_prune_counts(transcripts, tmp_path, monkeypatch, capsys):
    zipfile.ZipFile(transcripts["exports"][0] / "quarter.zip").extractall(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    split = load("digits-cnn").task.split("tuning")
    known = {"images": split.inputs}
    (code,) = DOCUMENTS["exports"].python
    with torch.inference_mode():
        exec(code, known)
    correct = int((known["logits"].argmax(1) == split.targets).sum())
    assert main(["prune", "digits-cnn", "--recipe", "recipe.json", "--no-latency", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pruned"]["correct"] == correct


def test_the_python_api_of_the_readme_runs(capsys):
    code = DOCUMENTS["README"].python[0]
    exec(code, {})
    accuracy, verdict = capsys.readouterr().out.split()
    assert 0.8 < float(accuracy) <= 1 and verdict in ("different", "equivalent", "undecided")
    assert len(code.split("\n\n", 1)[1].splitlines()) + 1 <= 6


def test_the_criterion_of_the_readme_is_a_criterion(capsys):
    with criteria_as_they_were():
        exec(DOCUMENTS["README"].python[1], {})
        assert 0.1 < float(capsys.readouterr().out) <= 1
        assert CRITERIA["spread"].tooltip.startswith("Standard deviation of a channel's weights")


def test_the_criterion_of_the_guide_prunes_a_model(capsys):
    (code,) = DOCUMENTS["criteria"].python
    words = ["prune", "digits-cnn", "--channels", "0.25", "--criterion", "busy", "--no-latency", "--json"]
    with criteria_as_they_were():
        exec(code, {})
        assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["pruned"]["params"] < 14458
    assert main(words) == 2
    assert "busy" in capsys.readouterr().err


OWN = {
    "detector": ("--channels 0.25", "cosine_similarity"),
    "rooms": ("--task rooms.py:make --channels 0.25", "relative_price_error"),
    "spots": ("--task spots.py:make --channels 0.25 --criterion taylor", "mean_iou"),
    "pairs": ("--task pairs.py:make --weights 0.5", "score"),
}


@pytest.mark.parametrize("place, name", enumerate(OWN))
def test_the_files_of_own_tasks_are_measured_with_the_command_that_stands_above_them(
    place, name, tmp_path, monkeypatch, capsys
):
    found, (words, metric) = DOCUMENTS["own-task"], OWN[name]
    assert f"`{name}.py`" in found.text and f"prune {name}.py:build {words}`" in found.text.replace("\n", " ")
    monkeypatch.chdir(tmp_path)
    Path(f"{name}.py").write_text(found.python[place], encoding="utf-8")
    assert main(["prune", f"{name}.py:build", *words.split(), "--no-latency", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pruned"]["metric"] == metric and report["pruned"]["low"] <= report["pruned"]["value"]
    assert report["drop"]["worse"] in (True, False, None) and report["total_samples"] >= 128


def test_the_model_file_of_the_guide_is_pruned_on_its_data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = DOCUMENTS["models"].python
    Path("net.py").write_text(code, encoding="utf-8")
    words = ["prune", "net.py:make", "--data", "digits", "--channels", "0.5", "--no-latency", "--json"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pruned"]["params"] < report["baseline"]["params"] and report["pruned"]["samples"] == 450


def test_the_entry_point_group_of_the_guide_is_that_of_the_program():
    (code,) = DOCUMENTS["criteria"].toml
    assert list(tomllib.loads(code)["project"]["entry-points"]) == [CRITERIA.group]


def test_every_python_example_has_its_test():
    own = [("own-task", place) for place in range(4)]
    rest = [("criteria", 0), ("exports", 0)]
    assert [("README", 0), ("README", 1), ("models", 0), *own, *rest] == EXAMPLES


@pytest.mark.parametrize("name", DOCUMENTS)
def test_there_are_no_other_code_blocks(name):
    found = DOCUMENTS[name]
    blocks = re.findall(r"^```\w", found.text, re.MULTILINE)
    assert len(blocks) == len(found.console) + len(found.python) + len(found.shell) + len(found.toml)
    assert bool(found.shell) == (name == "README")


# --------------------------------------------------------------------------- small promises


def test_the_start_commands_are_one_line_each_and_the_check_runs_the_second():
    start, check = DOCUMENTS["README"].shell
    assert start == "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/pruning-explorer"
    assert (
        check == 'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/python -m pytest'
    )
    ci = ROOT / ".ci" / "run"
    assert check in ci.read_text(encoding="utf-8") and ci.stat().st_mode & 0o111


def test_the_readme_is_short_and_maps_every_room():
    text = DOCUMENTS["README"].text
    assert len(text.encode()) < LARGEST_README
    rooms = {path.parent.name for path in (ROOT / "explorer").glob("*/__init__.py")}
    assert rooms == set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


def anchors(text: str) -> set[str]:
    """The places of a page that a link can name, as GitHub and the app spell them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {markdown_pages.anchor(heading) for heading in headings}


def broken_links(document: Document) -> list[str]:
    """Links to files and headings that are not there."""
    broken = []
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document.text):
        name, _, anchor = target.partition("#")
        path = document.path.parent / name
        missing = bool(name) and not path.is_file()
        if not missing and anchor:
            missing = anchor not in anchors(path.read_text(encoding="utf-8") if name else document.text)
        broken += [target] if missing else []
    return broken


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_and_headings_that_a_document_links_to_are_there(name):
    assert broken_links(DOCUMENTS[name]) == []


def test_a_broken_link_is_seen():
    page = Document(README, "# A b\n[a](nowhere.md) [b](LICENSE) [c](#nothing) [d](#a-b)")
    assert broken_links(page) == ["nowhere.md", "#nothing"]


def test_the_readme_links_to_every_page_of_the_guide():
    linked = re.findall(r"\]\(explorer/guide/([\w-]+)\.md\)", DOCUMENTS["README"].text)
    assert set(linked) == set(markdown_pages.pages())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_verb_that_is_named_exists(name):
    assert set(re.findall(r"pruning-explorer ([a-z][a-z-]{3,})", DOCUMENTS[name].text)) <= set(VERBS) | set(
        SAMPLES
    )


def test_the_guide_and_the_changelog_name_every_verb():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in changelog and all(verb in changelog for verb in VERBS)
    assert [verb for verb in VERBS if f"`{verb}`" not in DOCUMENTS["command-line"].text] == []


def rewritten(document: Document) -> str:
    """A document with the tables and outputs of today."""
    text = document.text
    for name, content in tables().items():
        before, mark, rest = text.partition(f"<!-- {name} -->")
        if mark:
            text = before + marked(name, content) + rest.partition("<!-- end -->")[2]
    with tempfile.TemporaryDirectory() as folder:
        printed = run_all(document, Path(folder))
    for line, shown in document.console:
        text = text.replace(f"$ {line}\n{shown}```", f"$ {line}\n{printed[line][1]}```")
    return text


if __name__ == "__main__":
    for each in DOCUMENTS.values():
        each.path.write_text(rewritten(each), encoding="utf-8")
