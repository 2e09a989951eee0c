"""The sample models: their cards say what their weights do."""

import json
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from rows import some

from explorer.errors import ExplorerError, LoadError, UnknownNameError
from explorer.loaders.model_text import DEFAULT_MODEL, load, split_spec
from explorer.loaders.sample import card
from explorer.loaders.sample_files import untrained, weights_path
from explorer.machine import paths
from explorer.measuring.statistics import wilson
from explorer.registry import DATA, SAMPLES
from explorer.training.samples import count_macs, quality, train_sample
from explorer.training.steps import TrainingSettings, train
from explorer.values.identity import weights_id
from explorer.values.report import Measurement

NAMES = list(SAMPLES)
DIGITS = [name for name in NAMES if SAMPLES[name].traits["data"] == "digits"]
MNIST = [name for name in NAMES if SAMPLES[name].traits["data"] == "mnist"]
CODE = "code-lm"
SEGMENTERS = [name for name in NAMES if SAMPLES[name].traits["data"] == "shapes-masks"]
DETECTORS = [name for name in NAMES if SAMPLES[name].traits["data"] == "shapes-scenes"]
SHAPES = [name for name in NAMES if SAMPLES[name].traits["data"] == "shapes"]


def test_the_samples_are_those_documented_and_small_ones_come_first():
    assert NAMES == [
        "digits-mlp",
        "digits-cnn",
        "shapes-resnet",
        "shapes-mobilenet",
        "shapes-vit",
        "shapes-densenet",
        "mnist-mlp",
        "mnist-lenet",
        "code-lm",
        "shapes-unet",
        "shapes-detector",
    ]
    assert DEFAULT_MODEL in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_loads_in_eval_mode_and_answers(name):
    subject = load(name)
    assert not any(module.training for module in subject.model.modules())
    assert all(parameter.requires_grad for parameter in subject.model.parameters())
    assert subject.example.shape == (2, *subject.task.shape)
    with torch.inference_mode():
        answer = subject.model(subject.example)
    if name in DETECTORS:
        assert [tuple(part.shape) for part in answer] == [(2, 320, 10), (2, 320, 4)]
    elif name == CODE:
        assert answer.shape == (2, *subject.task.shape, subject.task.vocabulary)
    elif name in SEGMENTERS:
        assert answer.shape == (2, len(subject.task.class_names), 32, 32)
    else:
        assert answer.shape == (2, len(subject.task.class_names))
    assert subject.id == weights_id(load(name).model) != weights_id(untrained(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_card_counts_the_model_and_names_its_data(name):
    facts, model, task = card(name), untrained(name), DATA[SAMPLES[name].traits["data"]]()
    assert facts["params"] == sum(p.numel() for p in model.parameters())
    assert facts["macs"] == count_macs(model, task)
    assert facts["data_fingerprint"] == task.fingerprint
    assert facts["training"]["epochs"] == TrainingSettings.of(SAMPLES[name]).epochs
    held_out = facts["held_out"]
    measured = Measurement.from_json(held_out)
    assert measured.low < measured.value < measured.high
    own = {CODE: "perplexity"} | dict.fromkeys(DETECTORS, "detection_f1")
    own |= dict.fromkeys(SEGMENTERS, "mean_iou")
    assert measured.metric == own.get(name, "accuracy")


def test_macs_of_the_perceptron_are_its_weights():
    assert card("digits-mlp")["macs"] == 64 * 64 + 64 * 32 + 32 * 10


@pytest.mark.parametrize("name", DIGITS)
def test_digits_accuracy_is_exactly_the_cards(name):
    subject = load(name)
    for split in ("held_out", "tuning"):
        measured = quality(subject.model, subject.task, subject.task.split(split))
        assert (measured.correct, measured.samples) == (subject.card[split]["correct"], 450)


@pytest.mark.parametrize("name", MNIST)
def test_mnist_accuracy_agrees_with_the_card(name):
    subject = load(name)
    measured = quality(subject.model, subject.task, subject.task.split("held_out").first(1000))
    low, high = wilson(measured.correct, measured.samples, level=0.999)
    assert low < subject.card["held_out"]["accuracy"] < high
    assert 0.975 < subject.card["held_out"]["accuracy"] < 0.995


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_accuracy_agrees_with_the_card(name):
    subject = load(name)
    measured = quality(subject.model, subject.task, subject.task.split("tuning").first(1000))
    # at level 0.999: at 0.95 one of four models would leave its interval by chance in one of five trainings
    low, high = wilson(measured.correct, measured.samples, level=0.999)
    assert low < subject.card["tuning"]["accuracy"] < high
    assert 0.9 < subject.card["held_out"]["accuracy"] < 0.98


def test_the_code_models_perplexity_agrees_with_the_card():
    subject = load(CODE)
    measured = quality(subject.model, subject.task, subject.task.split("tuning").first(48))
    low, high = measured.low * 0.9, measured.high * 1.1  # an eighth of the windows
    assert measured.metric == "perplexity" and low < subject.card["tuning"]["value"] < high
    assert subject.card["held_out"]["value"] < 25


@pytest.mark.parametrize("name", DETECTORS)
def test_detection_agrees_with_the_card(name):
    subject = load(name)
    task = replace(subject.task, metric=("detection_f1", "mean_average_precision"))
    measured = quality(subject.model, task, task.split("tuning").first(400))
    assert measured.low - 0.01 < subject.card["tuning"]["value"] < measured.high + 0.01
    assert subject.card["held_out"]["value"] > 0.9
    mean = measured.others["mean_average_precision"]
    assert mean["low"] < subject.card["tuning"]["others"]["mean_average_precision"]["value"] < mean["high"]
    fresh = quality(untrained(name).eval(), task, task.split("tuning").first(100))
    assert fresh.value < 0.05


@pytest.mark.parametrize("name", SEGMENTERS)
def test_segmentation_agrees_with_the_card(name):
    subject = load(name)
    measured = quality(subject.model, subject.task, subject.task.split("tuning").first(400))
    assert measured.low - 0.01 < subject.card["tuning"]["value"] < measured.high + 0.01
    assert subject.card["held_out"]["value"] > 0.8
    fresh = quality(untrained(name).eval(), subject.task, subject.task.split("tuning").first(100))
    assert fresh.value < 0.15


def test_untrained_weights_fail_the_accuracy_test():
    task = DATA["digits"]()
    assert quality(untrained("digits-cnn").eval(), task, task.split("held_out")).accuracy < 0.3


def test_all_weights_together_stay_small():
    sizes = [weights_path(name).stat().st_size for name in NAMES]
    assert sum(sizes) <= 20e6


@pytest.mark.parametrize("name", some(NAMES, 4))
def test_a_sample_exports_with_a_dynamic_batch(name):
    model, example = untrained(name).eval(), DATA[SAMPLES[name].traits["data"]]().example(2)
    exported = torch.export.export(
        model, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},), strict=False
    )
    answer = exported.module()(torch.cat([example, example]))
    if name in DETECTORS:
        assert [tuple(part.shape) for part in answer] == [(4, 320, 10), (4, 320, 4)]
    elif name in SEGMENTERS:
        assert answer.shape == (4, 11, 32, 32)
    else:
        assert answer.shape == (
            (4, *example.shape[1:], model.embedding.num_embeddings) if name == CODE else (4, 10)
        )


def damaged(weights, how):
    """The weights of digits-mlp with one thing wrong."""
    changed = dict(weights)
    if how == "missing":
        del changed["output.bias"]
    if how == "unexpected":
        changed["extra.weight"] = torch.zeros(1)
    if how == "misshapen":
        changed["output.bias"] = torch.zeros(11)
    return safetensors.torch.save(changed)[: 40 if how == "cut off" else None]


@pytest.mark.parametrize(
    "how, sentence",
    [
        ("missing", r"lacks 'output.bias'; only weights of the same architecture"),
        ("unexpected", r"has 'extra.weight', which the model has not"),
        ("misshapen", r"'output.bias' in 'w.safetensors' has shape \(11,\) instead of \(10,\)"),
        ("cut off", r"'w.safetensors' is damaged or not a safetensors file"),
    ],
)
def test_weights_that_do_not_fit_are_one_sentence(how, sentence, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(damaged(untrained("digits-mlp").state_dict(), how))
    with pytest.raises(LoadError, match=sentence):
        load("digits-mlp", checkpoint=str(path))


def test_whole_weights_of_another_seed_are_taken_without_the_card(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(damaged(untrained("digits-mlp", seed=5).state_dict(), "not at all"))
    subject = load("digits-mlp", checkpoint=str(path))
    assert torch.equal(subject.model.output.weight, untrained("digits-mlp", seed=5).output.weight)
    assert subject.card == {} and subject.id != load("digits-mlp").id


def test_names_that_do_not_exist_list_what_does():
    with pytest.raises(
        UnknownNameError, match=r"No sample model named 'nothing'\. Available: digits-mlp, digits-cnn, "
    ):
        load("nothing")
    with pytest.raises(UnknownNameError, match="No loader named 'nowhere'"):
        load("nowhere:resnet50")
    with pytest.raises(LoadError, match="no weights file '/does/not/exist'"):
        load("digits-mlp", checkpoint="/does/not/exist")


def test_a_python_file_goes_to_its_own_loader():
    assert split_spec("c:/nets/mine.py:build") == ("python_file", "c:/nets/mine.py:build")


def test_initial_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first, again, other = untrained("digits-cnn", 0), untrained("digits-cnn", 0), untrained("digits-cnn", 1)
    assert torch.equal(first.conv1.weight, again.conv1.weight)
    assert not torch.equal(first.conv1.weight, other.conv1.weight)
    assert torch.equal(state, torch.random.get_rng_state()), "the global random state is left as found"


def test_two_epochs_on_digits_reduce_the_loss():
    model, settings = (
        untrained("digits-cnn"),
        TrainingSettings(epochs=2, batch_size=64, optimiser="adamw", learning_rate=0.01),
    )
    steps = list(train(model, DATA["digits"](), settings))
    assert [(s.epoch, s.step) for s in (steps[0], steps[-1])] == [(1, 1), (2, 28)]
    assert steps[-1].loss < 0.7 * steps[0].loss and steps[-1].accuracy > 0.5
    assert not model.training


def test_training_without_enough_samples_is_refused():
    with pytest.raises(ExplorerError, match="no training split of at least one batch"):
        next(train(untrained("digits-mlp"), DATA["digits"](), TrainingSettings(batch_size=1000)))


def test_train_sample_writes_weights_and_card_that_load(tmp_path, monkeypatch):
    mlp = SAMPLES["digits-mlp"]
    monkeypatch.setitem(mlp.traits, "epochs", 3)
    steps = list(train_sample("digits-mlp", seed=2, out=tmp_path))
    subject = load("digits-mlp", checkpoint=str(tmp_path / "weights" / "digits-mlp.safetensors"))
    written = json.loads((tmp_path / "cards" / "digits-mlp.json").read_text())
    assert steps[-1].epochs == written["training"]["epochs"] == 3 and written["training"]["seed"] == 2
    assert (
        quality(subject.model, subject.task, subject.task.split("held_out")).correct
        == written["held_out"]["correct"]
    )
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == [
        "digits-mlp.json",
        "digits-mlp.safetensors",
    ]
    card = tmp_path / "cards" / "digits-mlp.json"
    for seed, kept in ((2, {"gentle_share": 0.25}), (3, {})):
        card.write_text(json.dumps(written | {"gentle_share": 0.25}))
        list(train_sample("digits-mlp", seed=seed, out=tmp_path))
        facts = json.loads(card.read_text())
        assert {key: facts[key] for key in ("gentle_share",) if key in facts} == kept


def test_a_read_only_program_folder_sends_training_to_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr("explorer.loaders.sample_files.os.access", lambda *_: False)
    monkeypatch.setitem(SAMPLES["digits-mlp"].traits, "epochs", 1)
    before = weights_path("digits-mlp").read_bytes()
    list(train_sample("digits-mlp"))
    assert (tmp_path / "sample_models" / "weights" / "digits-mlp.safetensors").is_file()
    assert weights_path("digits-mlp").read_bytes() == before, "the shipped weights stay"
