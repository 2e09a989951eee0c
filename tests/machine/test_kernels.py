"""A process that computes with ever new widths stops growing, as a server has to."""

import subprocess
import sys

import pytest
import serving

from explorer.machine import kernels
from explorer.machine.allocator import resident_bytes

MIB = 2**20
WIDTHS = """
import random, sys
import torch
from explorer.machine import allocator, kernels
kernels.keep_few()
torch.set_num_threads(1)
shapes = [(read, made) for read in range(8, 40) for made in range(8, 40)]
random.Random(0).shuffle(shapes)
held = []
for read, made in shapes[:2 * kernels.KEPT + 200]:
    torch.nn.functional.conv2d(torch.zeros(16, read, 8, 8), torch.zeros(made, read, 3, 3), padding=1)
    held.append(allocator.resident_bytes())
print(held[kernels.KEPT + 244], held[-1])
"""


@pytest.mark.skipif(resident_bytes() is None, reason="this system does not tell what is resident")
def test_new_widths_stop_taking_memory(monkeypatch):
    for name in kernels.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    told = subprocess.run(
        [sys.executable, "-c", WIDTHS], capture_output=True, text=True, check=True, env=serving.environment()
    )
    full, later = map(int, told.stdout.split())
    assert later - full < 5 * MIB


@pytest.mark.parametrize("name", kernels.VARIABLES)
def test_who_has_said_how_many_are_kept_keeps_so_many(name, monkeypatch):
    for other in kernels.VARIABLES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "7")
    kernels.keep_few()
    assert [kernels.os.environ.get(other) for other in kernels.VARIABLES if other != name] == [None]
    assert kernels.os.environ[name] == "7"
