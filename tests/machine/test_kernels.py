"""A process that computes with ever new widths keeps few of their programs, as a server has to."""

import os
import subprocess
import sys

import pytest
import serving
import torch

from explorer.machine import kernels

# whether the first width, then the same again, has a program after so many other widths
WIDTHS = """
import sys
import torch
from torch.backends import mkldnn
from explorer.machine import kernels

def convolve(read, made):
    torch.nn.functional.conv2d(torch.zeros(2, read, 8, 8), torch.zeros(made, read, 3, 3), padding=1)

if sys.argv[1] == "few":
    kernels.keep_few()
convolve(8, 8)
for number in range(kernels.KEPT):
    convolve(8 + number // 32, 9 + number % 32)
for _ in range(2):
    with mkldnn.verbose(mkldnn.VERBOSE_ON_CREATION):
        convolve(8, 8)
"""


def programs(kept: str, environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", WIDTHS, kept], capture_output=True, text=True, check=True, env=environment
    )
    lines = [line.split(",") for line in done.stdout.splitlines() if ",convolution," in line]
    return [words[3] for words in lines if words[3].startswith("create:")]


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch has no oneDNN here")
def test_few_programs_are_kept(monkeypatch):
    for name in kernels.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    environment = serving.environment()
    assert programs("few", environment) == ["create:cache_miss", "create:cache_hit"]
    # negative control: by itself the library keeps more
    assert programs("as many as it likes", environment) == ["create:cache_hit", "create:cache_hit"]


@pytest.mark.parametrize("name", kernels.VARIABLES)
def test_who_has_said_how_many_are_kept_keeps_so_many(name, monkeypatch):
    for other in kernels.VARIABLES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "7")
    kernels.keep_few()
    assert [os.environ.get(other) for other in kernels.VARIABLES if other != name] == [None]
    assert os.environ[name] == "7"
