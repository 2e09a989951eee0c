"""Torch's compiler stays out of a process that compiles nothing, and is there for one that does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import explorer

BEFORE = """
import sys
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GELU()).to("meta").eval()
{before}
with torch.no_grad(), FlopCounterMode(display=False) as counter:
    net(torch.empty(1, 3, 8, 8, device="meta"))
print(counter.get_total_flops(), "torch._dynamo" in sys.modules)
"""
OPEN = "import explorer.graph.export"
FLOPS = 2 * 8 * 3 * 9 * 36


@pytest.mark.parametrize("before, is_imported", [("", True), (OPEN, False)])
def test_counting_a_model_does_not_import_the_compiler(before, is_imported):
    done = subprocess.run(
        [sys.executable, "-c", BEFORE.format(before=before)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(FLOPS), str(is_imported)]


AFTER = """
import torch
from explorer.graph.compiler_guards import PLACE, open_guard
compiled = []
def inside(x):
    compiled.append(torch.compiler.is_compiling())
    return x + 1
apart = torch._disable_dynamo(inside)
open_guard(apart)
apart(torch.ones(()))
print(vars(inside)[PLACE] is inside, compiled)
import torch._dynamo
open_guard(apart)
print(PLACE in vars(inside))
run = torch.compile(lambda x: apart(2 * x), backend="eager")
print(float(run(torch.ones(()))), compiled)
"""


def test_a_guard_guards_again_once_the_compiler_is_there():
    done = subprocess.run([sys.executable, "-c", AFTER], capture_output=True, text=True, check=True)
    assert done.stdout == "True [False]\nFalse\n3.0 [False, False]\n"


COND = """
import torch, explorer.graph.export
from torch.utils.flop_counter import FlopCounterMode
with FlopCounterMode(display=False):
    torch.ones(2) + 1
x = torch.ones(2, 3)
with torch.no_grad(), FlopCounterMode(display=False):
    print(float(torch.cond(x.sum() > 0, lambda y: y * 2, lambda y: y + 1, (x,)).sum()))
"""


def test_what_compiles_after_a_count_finds_the_guards_of_torch():
    done = subprocess.run([sys.executable, "-c", COND], capture_output=True, text=True, check=True)
    assert done.stdout == "12.0\n"


LAST = """
import sys
import torch
from torch import nn
from explorer.loaders.output_kind import kind_of
net = nn.Sequential(nn.Linear(3, 4), nn.Softmax(1))
print(kind_of(lambda: net(torch.ones(2, 3))), "torch._dynamo" in sys.modules)
"""


def test_looking_at_the_last_operator_does_not_import_the_compiler():
    done = subprocess.run([sys.executable, "-c", LAST], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["softmax", "False"]


def guarded(source: str) -> list[str]:
    """Modes of a file that import the compiler at their first operator."""
    return [
        name
        for name in re.findall(r"^class (\w+)\(TorchDispatchMode\)", source, re.MULTILINE)
        if f"\nopen_guard({name}.__torch_dispatch__)\n" not in source
    ]


def test_every_mode_of_this_program_does_without_the_compiler():
    sources = [path.read_text(encoding="utf-8") for path in Path(explorer.__file__).parent.rglob("*.py")]
    assert [name for source in sources for name in guarded(source)] == []
    assert sum("(TorchDispatchMode)" in source for source in sources) >= 3
    assert guarded("class Watch(TorchDispatchMode):\n    pass\n") == ["Watch"]
