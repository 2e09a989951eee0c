"""The command line: the same verbs, the same numbers; bad input is one sentence and exit code 2."""

import argparse
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Literal

import numpy as np
import pytest
import safetensors.torch
import torch

from explorer.commands import app, models, train_sample
from explorer.commands.arguments import model, plugin_parameters, recipe
from explorer.commands.arguments.data import data_of, parsed
from explorer.commands.main import command, main
from explorer.commands.printing import output
from explorer.commands.printing.report_text import report_text
from explorer.commands.verbs import VERBS
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, RecipeError, UnknownNameError
from explorer.graph.analysed import analyse
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.measuring.statistics import openings_level
from explorer.registry import ALLOCATORS, CRITERIA, METRICS, SAMPLES
from explorer.runs.store import Store
from explorer.training.steps import TrainingStep
from explorer.values.recipe import Recipe
from explorer.values.report import Report

MLP = "digits-mlp"
RUN = [sys.executable, "-c", "import sys; from explorer.commands.main import main; sys.exit(main())"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.fixture
def run(capsys):
    """Words -> stdout of a command that must succeed."""

    def run_words(*words):
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run_words


@pytest.fixture
def run_json(run):
    """Words -> the one JSON document on stdout."""
    return lambda *words: json.loads(run(*words, "--json"))


# --------------------------------------------------------------------------- what there is


def test_models_tell_what_their_cards_tell(run_json):
    found = {entry["name"]: entry for entry in run_json("models")}
    assert list(found) == list(SAMPLES)
    mlp = found[MLP]
    assert (mlp["task"], mlp["params"], mlp["macs"], mlp["split"]) == ("digits", 6570, 6464, "held_out")
    assert (
        mlp["correct"] == load(MLP).card["held_out"]["correct"]
        and mlp["accuracy"] == mlp["correct"] / mlp["samples"]
    )


def test_a_model_without_a_card_is_counted_and_has_no_accuracy(monkeypatch, run):
    monkeypatch.setattr(models, "card", lambda name: {})
    monkeypatch.setattr(models, "SAMPLES", {MLP: SAMPLES[MLP]})
    mlp = models.facts(MLP)
    assert (mlp["params"], mlp["macs"], mlp["accuracy"]) == (6570, 6464, None)
    assert "not trained yet" in run("models")


PLUG_INS = {"criteria": CRITERIA, "allocators": ALLOCATORS, "metrics": METRICS}


@pytest.mark.parametrize("verb, registry", PLUG_INS.items())
def test_plug_ins_are_listed_with_their_tooltips(run, run_json, verb, registry):
    found = run_json(verb)
    assert [(f["name"], f["description"]) for f in found] == [(p.name, p.tooltip) for p in registry.values()]
    assert all(p.name in run(verb) and p.tooltip in run(verb) for p in registry.values())


def test_profile_tells_layers_groups_and_why_one_is_frozen(run, run_json):
    found, profile = run_json("profile", MLP), graph_of(load(MLP)).profile
    assert (found["params"], found["macs"], found["error"]) == (6570, 6464, None)
    assert [la["name"] for la in found["layers"]] == ["hidden1", "hidden2", "output"]
    assert {g["name"]: g["frozen"] for g in found["groups"]} == {g.name: g.frozen for g in profile.groups}
    assert "frozen: is an output of the model" in run("profile", MLP)


# --------------------------------------------------------------------------- prune


def test_prune_gives_the_numbers_of_the_engine(run_json, tmp_path):
    words = [
        "--channels",
        "hidden1=0.5",
        "--weights",
        "0.25",
        "--criterion",
        "l2",
        "--seed",
        "3",
        "--no-latency",
    ]
    report = Report.from_json(run_json("prune", MLP, *words, "--save-recipe", tmp_path / "r.json"))
    subject = load(MLP)
    asked = Recipe.from_json(
        {
            "channels": {"hidden1": 0.5},
            "weights": dict.fromkeys(("hidden1", "hidden2", "output"), 0.25),
            "criterion": "l2",
            "seed": 3,
        }
    )
    expected = prune(analyse(subject), asked, Conditions(latency=False))
    assert report == expected
    again = Report.from_json(run_json("prune", MLP, "--recipe", tmp_path / "r.json", "--no-latency"))
    assert again == expected, "a saved recipe gives the same numbers"


def test_flags_replace_what_the_recipe_file_says(run_json, tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"recipe": {"channels": {"hidden1": 0.5}, "seed": 7}}))
    found = run_json("prune", MLP, "--recipe", path, "--channels", "hidden2=0.25", "--no-latency")["recipe"]
    assert (found["channels"], found["seed"]) == ({"hidden2": 0.25}, 7)


def test_an_allocator_reaches_the_overall_target(run_json):
    found = run_json("prune", MLP, "--weights", "0.8", "--allocator", "global_threshold", "--no-latency")
    ratios = found["recipe"]["weights"]
    assert len(set(ratios.values())) > 1
    removed = sum(part["removed"] for part in found["parts"])
    assert abs(removed / sum(part["units"] for part in found["parts"]) - 0.8) < 0.001


def test_a_pattern_alone_is_asked_of_every_layer(run_json):
    found = run_json("prune", MLP, "--pattern", "1:4", "--no-latency")
    assert [(p["name"], p["achieved"]) for p in found["parts"]] == [
        ("hidden1", 0.75),
        ("hidden2", 0.75),
        ("output", 0.75),
    ]


def test_text_shows_ranges_changes_and_reasons(run):
    text = run("prune", MLP, "--channels", "hidden2=0.49", "--samples", "200")
    assert "digits data, tuning split" in text and "200 of 200" in text
    assert "16 of 32  nearest whole number" in text
    assert " to " in text and " points (" in text and " ms (" in text


def test_a_model_without_data_is_described_without_accuracy():
    subject = load(MLP)
    report = prune(analyse(subject), Recipe(), Conditions(samples=10, latency=False))
    nameless = {"id": "1", "name": "mine", "task": None}
    lonely = Report.from_json(report.to_json() | {"subject": nameless, "drop": None})
    assert "no data" in report_text(lonely) and " points" not in report_text(lonely)


def test_each_opening_of_held_out_data_is_counted_and_paid_for(run_json):
    words = ("prune", MLP, "--weights", "0.5", "--held-out", "--no-latency", "--samples", "300")
    first, second = run_json(*words), run_json(*words)
    assert first["split"] == "held_out" and first["pruned"]["samples"] == 300
    assert (first["drop"]["level"], second["drop"]["level"]) == (openings_level(1), openings_level(2))
    assert second["drop"]["high"] - second["drop"]["low"] > first["drop"]["high"] - first["drop"]["low"]
    assert (
        "opened 1 time for" in first["notes"][-1] and "opened 2 times for this model" in second["notes"][-1]
    )
    assert Store(paths.cache()).held_out_openings(load(MLP).id) == 2


def test_after_five_openings_it_is_not_called_held_out(run):
    for _ in range(5):
        Store(paths.cache()).open_held_out(load(MLP).id)
    text = run("prune", MLP, "--held-out", "--no-latency", "--samples", "100")
    assert "opened 6 times" in text and "can no longer be called held out" in text


def test_a_refused_recipe_opens_no_held_out_data():
    assert main(["prune", MLP, "--held-out", "--channels", "nothing=0.5"]) == 2
    assert main(["prune", MLP, "--held-out", "--samples", "0"]) == 2
    assert Store(paths.cache()).held_out_openings(load(MLP).id) == 0


@pytest.fixture
def weighed():
    """A criterion with parameters, one of which has the name of a flag."""

    def function(layer, *, order: Literal[1, 2] = 1, seed: int = 0, signed: bool = False):
        """Nothing that matters here."""

    registered = dict(CRITERIA._plugins)
    CRITERIA.register("weighed", level="weight", reduction="sum_abs", scope="part", needs=())(function)
    yield CRITERIA["weighed"]
    CRITERIA._plugins.clear()
    CRITERIA._plugins.update(registered)


def test_a_plug_ins_parameters_are_flags(weighed):
    parser = argparse.ArgumentParser()
    recipe.add_recipe(parser)
    words = parser.parse_args(["--order", "2", "--criterion-seed", "7", "--signed", "true", "--seed", "3"])
    given = plugin_parameters.given_parameters(words, "criterion")
    assert plugin_parameters.checked_parameters(weighed, given) == {"order": 2, "seed": 7, "signed": True}
    with pytest.raises(RecipeError, match="'order' must be one of 1, 2, got 3"):
        plugin_parameters.checked_parameters(weighed, {"order": "3"})
    with pytest.raises(RecipeError, match="'seed' must be of type int, got 'x'"):
        plugin_parameters.checked_parameters(weighed, {"seed": "x"})
    with pytest.raises(UnknownNameError, match="No parameter of 'l1' named 'order'"):
        plugin_parameters.checked_parameters(CRITERIA["l1"], {"order": "2"})


def test_a_parameter_reaches_the_recipe(run_json):
    words = ("prune", MLP, "--channels", "0.25", "--criterion", "taylor", "--samples", "50", "--no-latency")
    for order in (1, 2):
        assert run_json(*words, "--order", order)["recipe"]["criterion"] == {
            "name": "taylor",
            "params": {"order": order},
        }


# --------------------------------------------------------------------------- the other verbs


def test_curve_runs_from_dense_to_full_strength(run, run_json):
    words = ("curve", MLP, "--weights", "0.9", "--points", "3", "--samples", "100")
    points = run_json(*words)["points"]
    assert [p["strength"] for p in points] == [0, 0.5, 1]
    ratios = [p["report"]["recipe"]["weights"].get("hidden1", 0.0) for p in points]
    assert ratios == [0, 0.45, 0.9]
    assert [p["report"]["pruned"]["samples"] for p in points] == [100] * 3
    assert len(run(*words).splitlines()) == 4


def test_scan_measures_each_part_at_each_ratio(run_json, monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path))
    result = run_json("scan", MLP, "--ratios", "0.5,0.9", "--exact", "--samples", "100")
    assert [(p["part"], p["ratio"]) for p in result["points"]] == [
        ("hidden1", 0.5),
        ("hidden1", 0.9),
        ("hidden2", 0.5),
        ("hidden2", 0.9),
    ]
    assert (
        result["mode"] == "exact" and result["finished"] and {p["samples"] for p in result["points"]} == {100}
    )
    alone = run_json("prune", MLP, "--channels", "hidden1=0.9", "--samples", "100", "--no-latency")
    assert result["points"][1]["correct"] == alone["pruned"]["correct"]


def test_scan_prints_a_line_a_point(run, monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path))
    printed = run("scan", MLP, "--granularity", "weight", "--ratios", "0.2:0.8:0.6", "--samples", "60")
    assert printed.count("hidden1") == 2 and "points" in printed


def test_curve_without_a_recipe_removes_channels_up_to_nine_tenths(run_json):
    found = run_json("curve", MLP, "--points", "2", "--samples", "50")
    assert found["recipe"]["channels"] == {"hidden1": 0.9, "hidden2": 0.9}


def test_audit_verifies_one_model_or_several(run, run_json):
    one = run_json("audit", MLP)
    assert one["verified"] and one["max_rel_diff"] < 1e-8 and one["negative_control"] > 1e-4
    assert one["params_after"] < one["params_before"] and one["frozen"][0]["name"] == "output"
    several = run_json("audit", MLP, "digits-cnn", "--channels", "0.25")
    assert [entry["model"] for entry in several] == [MLP, "digits-cnn"] and all(
        entry["verified"] for entry in several
    )
    assert "verified" in run("audit", MLP)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_audit_that_does_not_verify_says_so_and_exits_with_1(capsys, form):
    """Where nothing is removed there is nothing to prove."""
    assert main(["audit", MLP, "--weights", "0.00001", *form]) == 1
    assert "nothing was removed, so there is nothing to prove" in capsys.readouterr().out
    assert main(["audit", MLP, "--weights", "0.5", *form]) == 0


def test_export_writes_the_file_of_that_format(run, tmp_path):
    run("export", MLP, "--channels", "0.5", "--format", "recipe_json", "-o", tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["channels"] == {"hidden1": 0.5, "hidden2": 0.5}


class Crafted:
    """Pickles to a call."""

    def __reduce__(self):
        return os.mkdir, (self.place,)


def test_convert_takes_tensors_wherever_training_programs_put_them(run, tmp_path):
    weights = load(MLP).model.state_dict()
    for content in (
        weights,
        {"epoch": 3, "state_dict": {f"module.{name}": t for name, t in weights.items()}},
    ):
        torch.save(content, tmp_path / "w.pt")
        run("convert", tmp_path / "w.pt", tmp_path / "w.safetensors")
        written = safetensors.torch.load_file(tmp_path / "w.safetensors")
        assert written.keys() == weights.keys() and all(
            torch.equal(written[name], weights[name]) for name in weights
        )
    assert load(MLP, checkpoint=str(tmp_path / "w.safetensors")).id == load(MLP).id


def test_convert_runs_no_code(tmp_path, capsys):
    crafted = Crafted()
    crafted.place = str(tmp_path / "was run")
    torch.save({"state_dict": crafted}, tmp_path / "w.pt")
    assert main(["convert", str(tmp_path / "w.pt"), str(tmp_path / "o.safetensors")]) == 2
    assert "which could run code, so nothing of it was read" in capsys.readouterr().err
    assert not (tmp_path / "was run").exists() and not (tmp_path / "o.safetensors").exists()


def test_train_sample_shows_how_far_it_is(monkeypatch, capsys):
    steps = [TrainingStep(s, 2, 1, 1, 0.5, 0.75, float(s)) for s in (1, 2)]
    monkeypatch.setattr(train_sample, "train_sample", lambda name, seed, out: iter(steps))
    assert main(["train-sample", MLP]) == 0
    err = capsys.readouterr().err
    assert (
        "step 1 of 2: loss 0.500, 75.0% right on training samples, 1 s left" in err and "step 2 of 2" in err
    )


def test_a_budget_that_nothing_meets_is_refused_once(capsys):
    words = ["budget", MLP, "--largest-drop", "0.01", "--samples", "20", "--looks", "2"]
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert "Of no pruned model it could be shown that accuracy falls by at most 1 point, after 2" in err
    assert err.count("\n") == 1 and "shown" not in out and "parameters left" in out


# --------------------------------------------------------------------------- the page


def test_the_page_is_served_with_what_the_words_say(monkeypatch):
    served = {}
    monkeypatch.setattr(
        "explorer.ui.server.serve", lambda settings, **rest: served.update(rest, settings=settings)
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["digits-mlp", "digits-cnn", "--port", str(port), "--device", "cpu", "--no-browser"]
    assert main([*words, "--trusted-host", "a.example", "--trusted-host", "*.b.example"]) == 0
    settings = served.pop("settings")
    assert served.pop("trusted_hosts") == ["a.example", "*.b.example"]
    assert served == {"host": "127.0.0.1", "port": port, "open_browser": False, "base_path": ""}
    assert (settings.models, settings.device, settings.load(MLP).id) == (
        ("digits-mlp", "digits-cnn"),
        "cpu",
        load(MLP).id,
    )


# --------------------------------------------------------------------------- data of several models

DATA_OF = {  # words -> MODEL to its data
    "a --data x b --data y": {"a": "x", "b": "y"},
    "a b --data y": {"a": None, "b": "y"},
    "--data x a --data=y b c": {"a": "y", "b": "x", "c": "x"},
    "--data x a": {"a": "x"},
    "a --data x": {"a": "x"},
    "a --device cpu b --metric mae --data y": {"a": None, "b": "y"},
    "a b": {"a": None, "b": None},
}


@pytest.mark.parametrize("words, data", DATA_OF.items())
@pytest.mark.parametrize("verb", [None, "class", "study"])
def test_each_model_brings_its_own_data(words, data, verb):
    words = words.replace("--metric mae", "") if verb == "class" else words
    before = ["allocators"] if verb == "study" else []
    arguments = parsed(command(verb)[1], [*before, *words.split()])
    models = arguments.model if verb == "study" else arguments.models
    assert {model: data_of(model, arguments) for model in models} == data


TWO_DATA = {
    "a --data x --data y": "'a' has two --data, 'x' and 'y'; give one of them.",
    "--data x --data y a": "Before the first MODEL there are two --data, 'x' and 'y'; give one of them.",
    "a --data x a --data y": "'a' has two --data, 'x' and 'y'",
    "a a --data x": "'a' is named twice, once with its own --data; name each MODEL once.",
    "a --data": "Argument --data: expected one argument",
    "a --data --device cpu": "Argument --data: expected one argument",
}


@pytest.mark.parametrize("words, sentence", TWO_DATA.items())
def test_two_data_sets_of_a_model_are_refused(words, sentence):
    with pytest.raises(ExplorerError) as refusal:
        parsed(command(None)[1], words.split())
    assert sentence in str(refusal.value)


def test_one_model_takes_one_data_set_wherever_it_stands():
    parser = command("prune")[1]
    places = [["--data", "x", "a"], ["a", "--data", "x"]]
    assert [data_of("a", parsed(parser, words)) for words in places] == ["x", "x"]
    with pytest.raises(ExplorerError, match="Unrecognized arguments: b"):
        parsed(parser, ["a", "--data", "x", "b"])


def test_models_of_the_page_and_of_a_study_are_measured_on_their_own_data(monkeypatch, run_json, tmp_path):
    for name, seed in (("one", 0), ("two", 1)):
        chance = np.random.default_rng(seed)
        pictures, classes = chance.random((60, 1, 8, 8), np.float32), np.arange(60) % 10
        np.savez(tmp_path / f"{name}.npz", inputs=pictures, targets=classes)
    one, two = (f"npz:{tmp_path}/{name}.npz" for name in ("one", "two"))
    served = []
    monkeypatch.setattr("explorer.ui.server.serve", lambda settings, **rest: served.append(settings))
    assert main(["digits-mlp", "--data", one, "digits-cnn", "--data", two, "--no-browser"]) == 0
    tasks = [served[0].opened(model).task for model in served[0].models]
    assert [task.name for task in tasks] == ["npz:one.npz", "npz:two.npz"]
    words = ["study", "allocators", "digits-mlp", "--data", one, "digits-cnn", "--removed", "0.5"]
    models = run_json(*words, "--samples", "30")["models"]
    dense = [load(MLP, data=one), load("digits-cnn")]
    for row, subject in zip(models, dense, strict=True):
        value = prune(analyse(subject), Recipe(), Conditions(30, latency=False)).baseline.value
        first = row["rows"][0]
        assert row["model"] == subject.name
        assert first["measured"]["value"] + first["drop"]["estimate"] == pytest.approx(value)


CONFIGURED = """
import sys
from streamlit import config
from streamlit.web.server.starlette import starlette_server
names = "browser.gatherUsageStats runner.magicEnabled runner.postScriptGC server.fileWatcherType"
names = [*names.split(), "server.address"]
starlette_server.UvicornRunner.run = lambda self: print(*(config.get_option(name) for name in names))
from explorer.commands.main import main
sys.exit(main())
"""


def test_an_installed_command_serves_with_the_pages_own_settings(tmp_path):
    command = tmp_path / "bin" / "pruning-explorer"
    command.parent.mkdir()
    command.write_text(CONFIGURED)
    root = str(paths.PACKAGE.parent)
    done = subprocess.run(
        [sys.executable, command, MLP, "--no-browser"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == ["False", "False", "False", "none", "127.0.0.1"], done.stderr
    assert "restart streamlit" not in done.stderr


def test_a_port_that_is_taken_is_refused_and_not_chosen():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            ExplorerError, match=f"Port {port} is not free on '127.0.0.1'; choose another one with --port"
        ):
            app.free_port("127.0.0.1", port)
        assert app.free_port("127.0.0.1", None) != port
    with pytest.raises(
        ExplorerError, match=r"'192\.0\.2\.1' is not an address of this machine; use 127\.0\.0\.1"
    ):
        app.free_port("192.0.2.1", None)


# --------------------------------------------------------------------------- bad input


BAD = {
    "digits-mlp --trusted-host http://a.example": "A trusted host must be a name such as prune.lab.example",
    "prune nothing": "No sample model named 'nothing'. Available: digits-mlp",
    "prun digits-mlp": "Did you mean 'prune'?",
    "--device cpu prune digits-mlp": "'prune' is a command and must come first",
    "prune": "The following arguments are required: MODEL; see 'pruning-explorer prune --help'.",
    "prune digits-mlp --frobnicate": "Unrecognized arguments: --frobnicate",
    "prune digits-mlp --channels 1": "Pruning ratio of 'channels' must be in [0, 1), got 1.0.",
    "prune digits-mlp --channels hidden1=-0.1": "Pruning ratio of 'hidden1' must be in [0, 1), got -0.1.",
    "prune digits-mlp --channels half": "Pruning ratio of 'channels' must be a number in [0, 1), got 'half'.",
    "prune digits-mlp --channels hidden1=0.1,hidden1=0.2": "--channels takes one ratio or NAME=RATIO,... "
    "with each name once",
    "prune digits-mlp --channels conv1=0.5": "No coupled group (asked for in 'channels') named 'conv1'. "
    "Available: hidden1",
    "prune digits-mlp --weights conv1=0.5": "No layer with prunable weights named 'conv1'. Available: "
    "hidden1, hidden2, output.",
    "prune digits-mlp --criterion l3": "No criterion named 'l3'. Available: l1, l2",
    "prune digits-mlp --channels 0.5 --allocator magic": "No allocator named 'magic'. Available: uniform",
    "prune digits-mlp --allocator uniform": "--allocator needs an overall target",
    "prune digits-mlp --weights 0.5 --saves macs": "Parameter 'saves' needs an --allocator.",
    "prune digits-mlp --weights 0.5 --order 2": "No parameter of 'l1' named 'order'. Available: none.",
    "prune digits-mlp --allocator uniform --channels hidden1=0.5": "With --allocator, --channels is one "
    "overall target in [0, 1)",
    "prune digits-mlp --pattern 4:2": "Pattern must be 'free' or n:m with n < m",
    "prune digits-mlp --samples 0": "The number of samples must be from 1 to 450, got 0.",
    "prune digits-mlp --samples many": "Argument --samples: invalid int value: 'many'",
    f"prune digits-mlp --seed {'9' * 6000}": "Argument --seed: invalid int value: '9999",
    f"prune digits-mlp --checkpoint {'w' * 6000}": "'... is longer than this system allows",
    f"prune digits-mlp --data folder:{'d' * 6000}": "'... is longer than this system allows",
    f"profile net.py:make@3x{'9' * 6000}": "A model of your own is named path/file.py:factory or",
    "prune digits-mlp --device tpu": "No device named 'tpu'. Available: auto, cpu, cuda, mps.",
    "prune digits-mlp --data shapes": "Inputs of data set 'shapes' have the shape (3, 32, 32), but "
    "'digits-mlp' reads (1, 8, 8).",
    "prune digits-mlp --data nothing": "No data set named 'nothing'. Available: digits, shapes",
    "prune digits-mlp --recipe none.json": "Recipe file 'none.json' cannot be read (No such file or "
    "directory)",
    "prune digits-mlp --recipe cut.json": "Recipe file 'cut.json' is damaged, not JSON, or names",
    "prune digits-mlp --recipe twice.json": "Recipe file 'twice.json' is damaged, not JSON, or names "
    "something twice; write a new one with --save-recipe.",
    "prune digits-mlp --recipe list.json": "A recipe must be a JSON object, got list.",
    "prune digits-mlp --recipe other.json": "named 'layer1'. Available: hidden1, hidden2. Choose the model "
    "that this recipe was",
    "prune digits-mlp --checkpoint cut.json": "'cut.json' is damaged or not a safetensors file",
    "prune digits-mlp --checkpoint none": "There is no weights file 'none'",
    "scan digits-mlp --ratios 0.1:0.9": "--ratios must be FROM:TO:STEP or a list such as 0.2,0.5, got "
    "'0.1:0.9'.",
    "scan digits-mlp --ratios 0.1:0.9:0": "--ratios must name 1 to 99 ratios with a step above 0, got "
    "'0.1:0.9:0'.",
    "curve digits-mlp --points 1": "--points must be from 2 to 101, got 1.",
    "export digits-mlp -o x --format jpeg": "No export format named 'jpeg'. Available: safetensors, "
    "recipe_json",
    "export digits-mlp -o none/x": "'none/x' cannot be written (No such file or directory)",
    "export digits-mlp": "The following arguments are required: -o/--output",
    "convert none.pt x": "There is no weights file 'none.pt'",
    "convert cut.json x": "'cut.json' is damaged or not a safetensors file",
    "convert cut.safetensors x": "'cut.safetensors' is damaged or not a safetensors file",
    "convert list.pt x": "'list.pt' holds no tensors by name",
    "train-sample nothing": "No sample model named 'nothing'",
    "audit digits-mlp nothing": "No sample model named 'nothing'",
    "weights.pt": "'weights.pt' is a file, and files of models are not opened",
    "nothing": "No sample model named 'nothing'. Available: digits-mlp",
    "nowhere:model": "No loader named 'nowhere'",
    "digits-mlp digits-cnn --checkpoint x": "--checkpoint gives weights to one MODEL; name exactly one, got "
    "2.",
    "--port 0": "A port must be from 1 to 65535, got 0.",
    "--device tpu": "No device named 'tpu'",
}


@pytest.mark.parametrize("words, sentence", BAD.items())
def test_bad_input_is_one_sentence_and_exit_code_2(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cut.json").write_text('{"channels": ')
    (tmp_path / "twice.json").write_text('{"seed": 1, "seed": 2}')
    (tmp_path / "cut.safetensors").write_text("x")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "other.json").write_text('{"channels": {"layer1": 0.5}}')
    torch.save([1], tmp_path / "list.pt")
    assert main(words.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "Traceback" not in err
    assert sentence.split(" [")[0] in err


def test_good_input_is_exit_code_0(capsys):
    assert main(["--version"]) == 0
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {verb} " in out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert f"usage: pruning-explorer {verb}" in capsys.readouterr().out


def test_interrupting_ends_cleanly(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "load", interrupted)
    assert main(["prune", MLP]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


# --------------------------------------------------------------------------- small things


def test_json_has_no_numbers_that_json_does_not_know(capsys):
    output.print_json({"loss": float("nan"), "all": (1, float("inf"))})
    assert json.loads(capsys.readouterr().out) == {"loss": None, "all": [1, None]}


def test_progress_is_only_for_terminals(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, expected in ((Terminal(), "\r\033[Khalf"), (io.StringIO(), "")):
        monkeypatch.setattr(sys, "stderr", stream)
        output.progress("half")
        assert stream.getvalue() == expected


def test_help_needs_neither_torch_nor_streamlit():
    check = (
        "import sys; from explorer.commands.main import main; main(['--help']); sys.exit(bool({'torch', "
        "'streamlit'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, timeout=60).returncode == 0


def test_a_process_writes_json_alone_to_stdout():
    done = subprocess.run(
        [*RUN, "prune", MLP, "--weights", "0.5", "--samples", "50", "--json"],
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0 and json.loads(done.stdout)["pruned"]["samples"] == 50


def test_ctrl_c_ends_a_process_with_130():
    code = (
        "import signal, sys, explorer.commands.curve; from explorer.commands.main import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "  # a shell's background ignores it
        "print('ready', flush=True); "
        "sys.exit(main())"
    )
    words = [sys.executable, "-c", code, "curve", "shapes-resnet", "--points", "101"]  # minutes of work
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        assert started.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=60)
    assert (started.returncode, b"Traceback" in err) == (130, False), err
