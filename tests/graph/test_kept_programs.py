"""A program that was kept is the one that torch would trace again, and a wrong one is never used."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rows import some
from torch import fx, nn
from zoo import ZOO, odd

import explorer
from explorer.graph import export, kept_programs, program_file
from explorer.graph.nodes import where
from explorer.graph.program import output_of
from explorer.graph.quiet import ORIGINS, without_origins
from explorer.graph.running import GraphRun, tensors_of
from explorer.machine.cache import Cache
from explorer.values.identity import subject_id
from explorer.values.subject import Subject

MODELS = list(explorer.SAMPLES)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kept programs, empty."""
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path))
    return tmp_path / kept_programs.FOLDER


def analysed(subject: Subject, monkeypatch: pytest.MonkeyPatch, *, traced: bool = True) -> export.ModelGraph:
    """The graph as a program that has just started finds it; it fails if it traces what it must not trace."""
    monkeypatch.setattr(export, "_graphs", Cache(1))
    if traced:
        return export.graph_of(subject)
    with monkeypatch.context() as patch:
        patch.setattr(export, "export_program", _never)
        return export.graph_of(subject)


def _never(*given: object, **named: object) -> None:
    raise AssertionError("traced again")


def description(graph: export.ModelGraph) -> list[tuple]:
    assert graph.program is not None
    return [
        (n.op, n.name, n.target, str(n.args), str(n.kwargs), output_of(n), where(n))
        for n in graph.program.graph.nodes
    ]


def answers(subject: Subject, graph: export.ModelGraph) -> torch.Tensor:
    assert graph.program is not None
    torch.manual_seed(0)
    return GraphRun(graph.program, "cpu").logits(tensors_of(subject, graph.program, "cpu"), subject.example)


def assert_the_same(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    first = analysed(subject, monkeypatch)
    read = analysed(subject, monkeypatch, traced=False)
    assert read is not first and read.profile == first.profile and description(read) == description(first)
    assert [one.block for one in read.branches] == [one.block for one in first.branches]
    torch.testing.assert_close(
        answers(subject, read), answers(subject, first), rtol=0, atol=0, equal_nan=True
    )


@pytest.mark.parametrize("name", some(MODELS, 3, always=("code-lm",)))
def test_a_sample_is_read_as_it_was_traced(name, monkeypatch):
    assert_the_same(explorer.load(name), monkeypatch)


@pytest.mark.parametrize("name", ZOO)
def test_an_odd_model_is_read_as_it_was_traced(name, monkeypatch):
    assert_the_same(odd(name), monkeypatch)


class Halved(nn.Module):
    def __init__(self, share: float):
        super().__init__()
        self.inner, self.last = nn.Linear(4, 8), nn.Linear(8, 3)
        self.share = share

    def forward(self, x):
        return self.last(self.inner(x).relu() * self.share)


def subject_of(model: nn.Module, name: str = "") -> Subject:
    example = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    return Subject(name or subject_id(model), "own", model.eval(), None, example)


def halved(share: float, name: str = "") -> Subject:
    torch.manual_seed(0)
    return subject_of(Halved(share), name)


def test_a_program_of_another_model_is_not_used(monkeypatch, folder):
    """Even where two models had one id: the answers decide. The control is the model itself."""
    analysed(halved(1.0, "one id"), monkeypatch)
    assert len(list(folder.iterdir())) == 1
    analysed(halved(1.0, "one id"), monkeypatch, traced=False)
    with pytest.raises(AssertionError, match="traced again"):
        analysed(halved(0.5, "one id"), monkeypatch, traced=False)
    other = halved(0.5, "one id")
    with torch.no_grad():
        assert torch.equal(answers(other, analysed(other, monkeypatch)), other.model(other.example))


@pytest.mark.parametrize("content", [b"", b"no file of tensors", b"\x10\0\0\0\0\0\0\0{}              "])
def test_a_damaged_file_is_traced_again_and_mended(content, monkeypatch, folder):
    analysed(halved(1.0), monkeypatch)
    (path,) = folder.iterdir()
    path.write_bytes(content)
    analysed(halved(1.0), monkeypatch)
    analysed(halved(1.0), monkeypatch, traced=False)


def test_any_byte_may_be_wrong(monkeypatch, folder):
    """A file with a changed byte is read as it was, or traced again; never is there an error or another
    answer.
    """
    subject = halved(0.5)
    expected = answers(subject, analysed(subject, monkeypatch))
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    for place in range(0, len(whole), 131):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert torch.allclose(answers(subject, analysed(subject, monkeypatch)), expected, atol=1e-4)


def test_the_model_is_as_before(monkeypatch):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 3)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls.add_(1)
            return self.inner(x) + self.calls

    subject = subject_of(Counting())
    analysed(subject, monkeypatch)
    analysed(subject, monkeypatch, traced=False)
    assert float(subject.model.calls) == 0


def test_a_folder_that_cannot_be_written_costs_time_only(monkeypatch, tmp_path):
    (tmp_path / kept_programs.FOLDER).write_text("a file in its place")
    assert analysed(halved(1.0), monkeypatch).program is not None


def test_the_oldest_files_go(monkeypatch, folder):
    monkeypatch.setattr(kept_programs, "MOST_FILES", 3)
    for place in range(5):
        analysed(halved(place + 1.0), monkeypatch)
    assert len(list(folder.iterdir())) == 3
    analysed(halved(5.0), monkeypatch, traced=False)


def test_large_models_are_traced_each_time(monkeypatch, folder):
    monkeypatch.setattr(kept_programs, "MOST_PARAMETERS", 10)
    analysed(halved(1.0), monkeypatch)
    assert not folder.exists()


def test_a_second_start_imports_no_compiler(monkeypatch, folder):
    """It is over a second. The control is a first start, which traces."""
    code = (
        "import sys, explorer; from explorer.graph.export import graph_of; "
        "graph_of(explorer.load('digits-cnn')); print('torch._dynamo' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    said = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert [line.strip() for line in said] == ["True", "False"]


def test_what_has_no_plain_description_is_refused():
    with pytest.raises(program_file.NotPlainError, match="object"):
        program_file._plain(object())
    with pytest.raises(program_file.NotPlainError, match="no plain description"):
        program_file._named(len)


def test_a_graph_is_traced_without_the_lines_of_code_that_its_steps_come_from():
    subject = explorer.load("digits-mlp")
    program = export.export_program(subject.model, subject.example)
    assert not any(node.stack_trace for node in program.graph.nodes)
    control = torch.export.export(subject.model, (subject.example,), strict=False)
    assert any(node.stack_trace for node in control.graph.nodes)


def test_a_torch_that_knows_no_tracing_without_lines_of_code_traces_with_them(monkeypatch):
    monkeypatch.delattr(fx.config, ORIGINS)
    with without_origins():
        assert not hasattr(fx.config, ORIGINS)
    assert not hasattr(fx.config, ORIGINS)


def test_the_lines_of_code_are_back_after_a_trace():
    before = vars(fx.config)[ORIGINS]
    with without_origins():
        assert vars(fx.config)[ORIGINS] is True
    assert vars(fx.config)[ORIGINS] is before
