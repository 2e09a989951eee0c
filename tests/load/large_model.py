"""Seconds and memory of each verb on a large language model with random weights, in files of 16-bit numbers.

The model of 1.1 billion weights:  PYTHONPATH=tests python tests/load/large_model.py --folder /tmp/large
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import serving
import torch

from explorer.machine.optional_packages import uses_torchvision
from explorer.machine.paths import CACHE_VARIABLE

SIZES = {  # hidden width, width inside the MLPs, layers, heads, heads of keys and values, words
    "1.1b": (2048, 5632, 22, 32, 4, 32_000),
    "43m": (384, 1024, 24, 6, 6, 4_096),
    "tiny": (64, 128, 2, 4, 2, 256),
}
SHARD = "500MB"
TOKENS = 32  # of a window
LAYER = "model.layers.3.mlp.down_proj"
BLOCK = "model.layers.3.mlp"
POLL_S = 0.05
ONE_LAYER = """
import sys
from explorer.inspection.distributions import weight_histogram, weight_image
from explorer.loaders.model_text import load
subject = load(sys.argv[1])
weight = subject.model.get_parameter(sys.argv[2] + ".weight")
print(weight_histogram({sys.argv[2]: weight}).layers[0].weights, weight_image(weight).values.shape)
"""


@dataclass(frozen=True)
class Stage:
    """What a command took.

    Args:
        seconds: by the clock. cpu_seconds: of all its threads.
        resident: largest resident bytes, with pages of mapped files.
        own: largest bytes of its own, which the system cannot drop.
    """

    name: str
    seconds: float
    cpu_seconds: float
    resident: int
    own: int
    output: str

    def __str__(self) -> str:
        return (
            f"{self.name:8} {self.seconds:6.1f} s, {self.cpu_seconds:6.1f} s of processors, "
            f"peak {self.resident / 2**30:.2f} GiB, its own {self.own / 2**30:.2f} GiB"
        )


def make(folder: Path, size: str = "1.1b", dtype: str = "bfloat16") -> int:
    """Write a model of Llama's architecture with random weights; return how many it has."""
    transformers = uses_torchvision("transformers")
    hidden, inner, layers, heads, keys, words = SIZES[size]
    config = transformers.LlamaConfig(
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=keys,
        vocab_size=words,
        tie_word_embeddings=False,
        dtype=dtype,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        model = transformers.LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(torch.float32)
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=SHARD)
    return sum(parameter.numel() for parameter in model.parameters())


def commands(model: str, out: Path, samples: int) -> dict[str, list[str]]:
    """The command of each stage."""
    program = [sys.executable, "-m", "explorer"]
    # cut inside the MLPs, so that all layers keep the same widths
    cut = [model, "--channels", "0.3"]
    return {
        "profile": [*program, "profile", model],
        "layer": [sys.executable, "-c", ONE_LAYER, model, LAYER],
        "prune": [*program, "prune", *cut, "--samples", str(samples), "--no-latency", "--json"],
        "export": [*program, "export", *cut, "-o", str(out / "small.zip")],
        "audit": [*program, "audit", model, "--blocks", BLOCK, "--json"],
    }


def measured(name: str, command: list[str], home: Path) -> Stage:
    """Run a command with a cache of its own.

    Raises:
        RuntimeError: it failed.
    """
    environment = {**serving.environment(), CACHE_VARIABLE: str(home / "cache")}
    environment.pop("OMP_NUM_THREADS")
    with (home / f"{name}.out").open("w+") as output, (home / f"{name}.err").open("w+") as errors:
        began, before = time.monotonic(), os.times()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment, cwd=home)
        resident = own = 0
        while process.poll() is None:
            now, anonymous = memory_of(process.pid)
            resident, own = max(resident, now), max(own, anonymous)
            time.sleep(POLL_S)
        after = os.times()
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"{name} ended with {process.returncode}: {errors.read()[-2000:]}")
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        return Stage(name, time.monotonic() - began, spent, resident, own, output.read())


def memory_of(pid: int) -> tuple[int, int]:
    """Largest resident bytes of a process so far, and its own bytes now; (0, 0) once it ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    sizes = {
        name: int(rest.split()[0]) * 1024
        for name, _, rest in (line.partition(":") for line in lines)
        if name in ("VmHWM", "RssAnon")
    }
    return sizes.get("VmHWM", 0), sizes.get("RssAnon", 0)


def main(folder: Path, size: str, samples: int, only: list[str]) -> None:
    """Make the model if it is not there, and print a line for each stage."""
    if not (folder / "config.json").is_file():
        print(f"{make(folder, size, 'float32' if size == '43m' else 'bfloat16'):,} weights", flush=True)
    files = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    print(f"{files / 2**30:.2f} GiB in {len(list(folder.glob('*.safetensors')))} files", flush=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as home:
        for name, command in commands(f"hf:{folder}@{TOKENS}", Path(home), samples).items():
            if not only or name in only:
                stage = measured(name, command, Path(home))
                print(stage, flush=True)
                if name == "audit":
                    assert json.loads(stage.output)["verified"], stage.output


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--size", choices=SIZES, default="1.1b")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--only", action="append", default=[])
    given = parser.parse_args()
    main(given.folder, given.size, given.samples, given.only)
