"""Language models of transformers from a folder, with text of the user."""

import json
import math
import socket
from importlib.util import find_spec

import pytest
import safetensors.torch
import torch

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import LoadError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.machine import optional_packages
from explorer.metrics.checks import IGNORED
from explorer.values.recipe import Recipe

pytestmark = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
SIZES = {"vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
TEXT = "A folder of transformers and a text: that is all that is needed. "
QUICK = Conditions(latency=False, device="cpu")


def no_network(*_, **__):
    raise AssertionError("the network was asked")


def with_tokenizer(folder, transformers, most=300):
    """Bytes and a few merges, as GPT-2 has them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    known = Tokenizer(models.BPE())
    known.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    known.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    names = ["<s>", "</s>", "<mask>"]
    known.train_from_iterator(
        [TEXT],
        trainers.BpeTrainer(
            vocab_size=most, special_tokens=names, initial_alphabet=alphabet, show_progress=False
        ),
    )
    whole = transformers.PreTrainedTokenizerFast(
        tokenizer_object=known, bos_token="<s>", eos_token="</s>", mask_token="<mask>"
    )
    whole.save_pretrained(folder)


@pytest.fixture(scope="module")
def transformers():
    return optional_packages.uses_torchvision("transformers")


@pytest.fixture
def saved(tmp_path, transformers, monkeypatch):
    """(class, configuration) -> a folder with model, tokenizer and texts next to it."""

    def save(network="LlamaForCausalLM", config="LlamaConfig", dtype=torch.float32, **changes):
        torch.manual_seed(0)
        sizes = SIZES | {"intermediate_size": 48, "max_position_embeddings": 24} | changes
        model = getattr(transformers, network)(getattr(transformers, config)(**sizes)).to(dtype)
        folder = tmp_path / "model"
        model.save_pretrained(folder, max_shard_size="40KB")
        with_tokenizer(folder, transformers)
        monkeypatch.setattr(socket.socket, "connect", no_network)
        return folder

    (tmp_path / "texts").mkdir()
    for k in range(16):
        (tmp_path / "texts" / f"{k}.txt").write_text(f"{k} {TEXT}" * 3)
    return save


def plain_perplexity(model, task, split="tuning"):
    """exp of the mean loss of all tokens that are asked for, window by window."""
    samples, nats, count = task.split(split), 0.0, 0
    for window, answers in zip(samples.inputs, samples.targets[0], strict=True):
        with torch.no_grad():
            scores = model(window[None])[0].double().log_softmax(1)
        for place, token in enumerate(answers.tolist()):
            if token != IGNORED:
                nats, count = nats - float(scores[place, token]), count + 1
    return math.exp(nats / count)


def test_perplexity_of_a_causal_model_is_that_of_a_plain_loop_over_transformers_own(
    saved, transformers, tmp_path
):
    folder = saved()
    subject = load(f"hf:{folder}", data=f"text:{tmp_path / 'texts'}")
    own = transformers.AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    report = prune(analyse(subject), Recipe(), QUICK)
    assert report.pruned.metric == "perplexity"
    assert report.pruned.value == pytest.approx(
        plain_perplexity(lambda tokens: own(tokens).logits, subject.task), rel=1e-5
    )
    assert len(list(folder.glob("*.safetensors"))) > 1, "the weights are in several files"
    assert subject.text.decode(subject.text.encode(TEXT)[0]) == TEXT
    assert sum(subject.text.encode(TEXT + "ünï")[1]) == len((TEXT + "ünï").encode())


def test_heads_neurons_and_widths_are_cut_and_perplexity_is_that_of_the_smaller_model(saved, tmp_path):
    subject = load(f"hf:{saved(num_key_value_heads=2)}", data=f"text:{tmp_path / 'texts'}")
    model = analyse(subject)
    kinds = {name.rpartition(".")[2]: group.unit for name, group in model.profile.free_groups.items()}
    assert kinds == {"embed_tokens": "channel", "q_proj": "head", "gate_proj": "channel"}
    recipe = Recipe(channels=dict.fromkeys(model.profile.free_groups, 0.5))
    from explorer.compaction.compact import compact
    from explorer.pruning.decision import decide

    small = compact(model, decide(model, recipe).masks)
    report = prune(model, recipe, QUICK)
    assert report.pruned.params == sum(p.numel() for p in small.parameters()) < 0.5 * report.baseline.params
    assert report.pruned.value == pytest.approx(plain_perplexity(small, subject.task), rel=1e-5)


@pytest.mark.parametrize(
    "network, config, metrics",
    [
        ("BertForMaskedLM", "BertConfig", ("perplexity", "bits_per_byte")),
        ("BertForSequenceClassification", "BertConfig", ("same_answer", "kl_divergence")),
        ("BertForTokenClassification", "BertConfig", ("cosine_similarity", "relative_error")),
        ("BertModel", "BertConfig", ("cosine_similarity", "relative_error")),
    ],
)
def test_models_that_read_whole_windows_are_measured_by_what_they_answer(
    saved, tmp_path, network, config, metrics
):
    subject = load(f"hf:{saved(network, config)}@12", data=f"text:{tmp_path / 'texts'}")
    assert subject.task.metrics == metrics and subject.example.shape == (2, 12)
    report = prune(analyse(subject), Recipe(), QUICK)
    assert report.pruned.value is not None and report.pruned.samples > 0
    if metrics[0] == "perplexity":
        assert report.pruned.value == pytest.approx(plain_perplexity(subject.model, subject.task), rel=1e-5)


def test_weights_of_16_bits_are_read_without_loss(saved):
    subject = load(f"hf:{saved(dtype=torch.bfloat16)}")
    weight = subject.model.lm_head.weight
    assert weight.dtype == torch.float32 and torch.equal(weight, weight.bfloat16().float())


def test_the_tokens_of_a_window_are_as_many_as_asked_for(saved):
    folder = saved()
    assert load(f"hf:{folder}").example.shape == (2, 24), "all positions, if there are fewer than 128"
    assert load(f"hf:{folder}@8").example.shape == (2, 8)
    with pytest.raises(
        LoadError, match=r"Windows of 25 tokens are longer than the 24 positions of '.*model'"
    ):
        load(f"hf:{folder}@25")


def test_a_folder_without_a_tokenizer_reads_tokens_but_no_text(saved, tmp_path):
    folder = saved()
    for path in folder.glob("*token*"):
        path.unlink()
    assert "no tokenizer" in load(f"hf:{folder}").card["description"]
    with pytest.raises(LoadError, match="This model has no tokenizer, so text cannot become what it reads"):
        load(f"hf:{folder}", data=f"text:{tmp_path / 'texts'}")


def test_a_damaged_tokenizer_is_said(saved):
    folder = saved()
    (folder / "tokenizer.json").write_text("{")
    subject = load(f"hf:{folder}")
    assert subject.text is None and "Its tokenizer cannot be read" in subject.card["description"]


def test_a_tokenizer_of_another_model_is_refused(saved, transformers, tmp_path):
    folder = saved(vocab_size=280)
    with pytest.raises(
        LoadError, match=r"The tokenizer has 296 tokens, but the model's table has rows for 280"
    ):
        load(f"hf:{folder}", data=f"text:{tmp_path / 'texts'}")


def test_a_model_without_its_trained_head_is_refused(saved):
    folder = saved()
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    file = folder / index["weight_map"]["lm_head.weight"]
    weights = safetensors.torch.load_file(file)
    del weights["lm_head.weight"], index["weight_map"]["lm_head.weight"]
    safetensors.torch.save_file(weights, file, metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(
        LoadError, match=r"lacks 'lm_head\.weight', so it is not a trained causal language model"
    ):
        load(f"hf:{folder}")
