"""Completion in the shell: which words fit, and that real shells take the script."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from explorer.commands.completion import SCRIPTS, fitting
from explorer.commands.verbs import VERBS
from explorer.registry import CRITERIA, SAMPLES

ROOT = Path(__file__).parents[2]


def test_verbs_and_samples_come_first():
    assert set(fitting([""])) == set(VERBS) | set(SAMPLES)
    assert fitting(["pru"]) == ["prune"] and fitting([]) == fitting([""])


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_each_verb_offers_its_options(verb):
    assert "--help" in fitting([verb, "--"])


def test_values_of_an_option():
    assert fitting(["prune", "digits-mlp", "--criterion", ""]) == list(CRITERIA)
    assert fitting(["prune", "digits-mlp", "--dtype", "b"]) == ["bfloat16"]
    assert fitting(["prune", "digits-mlp", "--samples", ""]) == [], "a number is the user's own"
    assert fitting(["completion", "z"]) == ["zsh"]


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_a_shell_reads_its_script(shell):
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"No {shell} on this machine")
    check = [found, "--no-execute"] if shell == "fish" else [found, "-n"]
    done = subprocess.run([*check, "/dev/stdin"], input=SCRIPTS[shell], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_bash_completes_a_command(tmp_path):
    command = tmp_path / "pruning-explorer"
    command.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m explorer \"$@\"\n")
    command.chmod(0o755)
    ask = "COMP_WORDS=(pruning-explorer aud); COMP_CWORD=1; _pruning_explorer; echo ${COMPREPLY[@]}"
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"{SCRIPTS['bash']}\n{ask}"],
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "audit", done.stderr
