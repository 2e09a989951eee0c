"""Language models of transformers from a folder, with text of the user."""

import io
import json
import math
import shutil
import socket
import zipfile
from dataclasses import replace
from importlib.util import find_spec

import pytest
import safetensors.torch
import torch

from explorer.audit.audit import audit
from explorer.compaction.compact import compact
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, LoadError
from explorer.exporters.export import export
from explorer.graph.analysed import analyse
from explorer.inspection.attention import attention_sites
from explorer.inspection.text_attention import text_attention, tokens_of_text
from explorer.inspection.top_contexts import contexts_of, top_contexts
from explorer.loaders.model_text import load
from explorer.machine import optional_packages
from explorer.measuring.bootstrap import value_of
from explorer.metrics.checks import IGNORED
from explorer.pruning.decision import decide
from explorer.registry import METRICS
from explorer.values.progress import outcome
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


@pytest.fixture(autouse=True)
def offline(transformers, monkeypatch):
    """Nobody asks the network, once transformers is imported."""
    monkeypatch.setattr(socket.socket, "connect", no_network)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for k in range(16):
        (folder / f"{k}.txt").write_text(f"{k} {TEXT}" * 3)
    return folder


def written(folder, transformers, network="LlamaForCausalLM", config="LlamaConfig", **changes):
    """A folder with a model of a class and a configuration, in several files, and its tokenizer."""
    torch.manual_seed(0)
    dtype = changes.pop("dtype", torch.float32)
    sizes = SIZES | {"intermediate_size": 48, "max_position_embeddings": 24} | changes
    model = getattr(transformers, network)(getattr(transformers, config)(**sizes)).to(dtype)
    model.save_pretrained(folder, max_shard_size="40KB")
    with_tokenizer(folder, transformers)
    return folder


@pytest.fixture(scope="module")
def llama(tmp_path_factory, transformers):
    """A causal model whose queries share keys; nobody changes this folder."""
    return written(tmp_path_factory.mktemp("hf") / "model", transformers, num_key_value_heads=2)


@pytest.fixture(scope="module")
def causal(llama, texts):
    return analyse(load(f"hf:{llama}", data=f"text:{texts}"))


@pytest.fixture
def own_folder(llama, tmp_path):
    """A copy of the same folder, to be damaged."""
    return shutil.copytree(llama, tmp_path / "model")


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
    causal, llama, transformers
):
    subject = causal.subject
    own = transformers.AutoModelForCausalLM.from_pretrained(llama, local_files_only=True).eval()
    report = prune(causal, Recipe(), QUICK)
    assert report.pruned.metric == "perplexity"
    assert report.pruned.value == pytest.approx(
        plain_perplexity(lambda tokens: own(tokens).logits, subject.task), rel=1e-5
    )
    assert len(list(llama.glob("*.safetensors"))) > 1, "the weights are in several files"
    assert subject.text.decode(subject.text.encode(TEXT)[0]) == TEXT
    assert sum(subject.text.encode(TEXT + "ünï")[1]) == len((TEXT + "ünï").encode())


def test_heads_neurons_and_widths_are_cut_and_perplexity_is_that_of_the_smaller_model(causal):
    model = causal
    kinds = {name.rpartition(".")[2]: group.unit for name, group in model.profile.free_groups.items()}
    assert kinds == {
        "embed_tokens": "channel",
        "q_proj": "key-value head",
        "q_proj#queries": "query head",
        "gate_proj": "channel",
    }
    recipe = Recipe(channels=dict.fromkeys(model.profile.free_groups, 0.5))
    small = compact(model, decide(model, recipe).masks)
    report = prune(model, recipe, QUICK)
    assert report.pruned.params == sum(p.numel() for p in small.parameters()) < 0.5 * report.baseline.params
    assert report.pruned.value == pytest.approx(plain_perplexity(small, model.subject.task), rel=1e-5)


@pytest.mark.parametrize("whole, heads", [("#queries", (2, 1)), ("q_proj", (4, 2)), ("gate", (1, 1))])
def test_a_folder_of_transformers_says_how_many_heads_and_neurons_are_left(
    causal, transformers, tmp_path, whole, heads
):
    free = causal.profile.free_groups
    names = [name for name in free if "embed" not in name and whole not in name]
    recipe = Recipe(channels=dict.fromkeys(names, 0.5))
    zipfile.ZipFile(io.BytesIO(export(causal, recipe, "transformers"))).extractall(tmp_path)
    own = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, local_files_only=True).eval()
    config, tokens = own.config, causal.subject.example
    assert (config.num_attention_heads, config.num_key_value_heads) == heads
    assert config.intermediate_size == (48 if whole == "gate" else 24)
    small = compact(causal, decide(causal, recipe).masks)
    with torch.no_grad():
        assert torch.allclose(own(tokens).logits, small(tokens), atol=1e-5)
        assert not torch.allclose(causal.subject.model(tokens), small(tokens), atol=1e-3)
        own.generation_config.pad_token_id = 0
        cached, whole = (own.generate(tokens[:1, :5], max_new_tokens=4, use_cache=c) for c in (True, False))
    assert torch.equal(cached, whole) and cached.shape == (1, 9)
    assert (tmp_path / "tokenizer.json").is_file()


def test_a_folder_says_how_many_heads_are_left_of_one_matrix_for_queries_keys_and_values(
    transformers, tmp_path
):
    sizes = {"num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    model = analyse(
        load(f"hf:{written(tmp_path / 'm', transformers, 'Phi3ForCausalLM', 'Phi3Config', **sizes)}")
    )
    names = [name for name, group in model.profile.free_groups.items() if group.is_of_heads]
    recipe = Recipe(channels=dict.fromkeys(names[1:], 0.5))
    zipfile.ZipFile(io.BytesIO(export(model, recipe, "transformers"))).extractall(tmp_path / "small")
    own = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "small", local_files_only=True).eval()
    assert [group.rpartition("#")[2] for group in names[1:]] == ["queries"]
    assert (own.config.num_attention_heads, own.config.num_key_value_heads) == (2, 2)
    tokens = model.subject.example[:1, :5]
    cached, whole = (own.generate(tokens, max_new_tokens=4, use_cache=c) for c in (True, False))
    assert torch.equal(cached, whole)


def test_a_folder_says_that_the_width_is_cut_where_that_of_a_head_is_said_apart(
    causal, transformers, tmp_path
):
    recipe = Recipe(channels=dict.fromkeys(causal.profile.free_groups, 0.5))
    zipfile.ZipFile(io.BytesIO(export(causal, recipe, "transformers"))).extractall(tmp_path)
    own = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, local_files_only=True).eval()
    assert (own.config.hidden_size, own.config.head_dim, own.config.num_attention_heads) == (16, 8, 1)
    small, tokens = compact(causal, decide(causal, recipe).masks), causal.subject.example
    with torch.no_grad():
        assert torch.allclose(own(tokens).logits, small(tokens), atol=1e-5)


@pytest.mark.parametrize(
    "network, config, told",
    [
        ("GemmaForCausalLM", "GemmaConfig", "computes with the width"),
        ("BertForMaskedLM", "BertConfig", "cannot say"),
    ],
)
def test_a_width_that_a_folder_cannot_say_is_refused(network, config, told, transformers, tmp_path):
    sizes = {"head_dim": 8, "num_key_value_heads": 4} if network.startswith("Gemma") else {}
    model = analyse(load(f"hf:{written(tmp_path, transformers, network, config, **sizes)}@8"))
    wide = next(name for name, group in model.profile.free_groups.items() if group.units == 32)
    with pytest.raises(ExplorerError, match=told):
        export(model, Recipe(channels={wide: 0.5}), "transformers")


def test_perplexity_of_a_masked_model_is_that_of_a_plain_loop(tmp_path, transformers, texts):
    folder = written(tmp_path / "model", transformers, "BertForMaskedLM", "BertConfig")
    subject = load(f"hf:{folder}@12", data=f"text:{texts}")
    assert subject.task.metrics == ("perplexity", "bits_per_byte") and subject.example.shape == (2, 12)
    report = prune(analyse(subject), Recipe(), QUICK)
    assert report.pruned.value == pytest.approx(plain_perplexity(subject.model, subject.task), rel=1e-5)


@pytest.mark.parametrize(
    "network, config", [("GPT2LMHeadModel", "GPT2Config"), ("BertForMaskedLM", "BertConfig")]
)
def test_what_heads_and_neurons_respond_to_is_read_from_a_folder(
    tmp_path, transformers, texts, network, config
):
    model = analyse(
        load(f"hf:{written(tmp_path / 'model', transformers, network, config)}@12", data=f"text:{texts}")
    )
    heads = next(group for group in model.profile.free_groups.values() if group.is_of_heads)
    tokens = tokens_of_text(model.subject, TEXT)
    (site,) = attention_sites(model, heads)
    looks = outcome(text_attention(model, heads, site.module, tokens))
    own = getattr(transformers, network).from_pretrained(tmp_path / "model", attn_implementation="eager")
    with torch.no_grad():
        wanted = own.eval()(torch.tensor([tokens]), output_attentions=True).attentions[0][0]
    assert torch.allclose(looks.heads, wanted, atol=1e-5) and looks.units == (0, 1, 2, 3)
    neurons = next(
        group for group in model.profile.free_groups.values() if group.unit == "channel" and group.units > 32
    )
    top = outcome(top_contexts(model, neurons))
    split = model.subject.task.split("tuning")
    assert top.windows == len(split) and top.reader.endswith(("mlp.c_proj", "output.dense"))
    context = contexts_of(top, 0, split, model.subject.text)[0]
    token = int(split.inputs[context.window, context.position])
    assert context.token == model.subject.text.decode([token])


@pytest.mark.parametrize(
    "network, metrics",
    [
        ("BertForSequenceClassification", ("same_answer", "kl_divergence")),
        ("BertForTokenClassification", ("cosine_similarity", "relative_error")),
        ("BertModel", ("cosine_similarity", "relative_error")),
    ],
)
def test_other_models_of_text_are_compared_with_their_own_answers(
    tmp_path, transformers, texts, network, metrics
):
    folder = written(tmp_path / "model", transformers, network, "BertConfig")
    subject = load(f"hf:{folder}@12", data=f"text:{texts}")
    assert subject.task.metrics == metrics and subject.example.shape == (2, 12)
    windows, metric = subject.task.split("tuning").inputs, METRICS[metrics[0]]()
    with torch.no_grad():
        answers = subject.model(windows)
    assert len(answers) == len(windows) > 0 and metric.needs == "dense"
    same, other = (metric.statistics(given, answers) for given in (answers, -answers))
    assert value_of(metric, same) == pytest.approx(1) and value_of(metric, other) < 0.5


def test_a_model_with_a_decoder_that_writes_no_text_is_refused(tmp_path, transformers):
    transformers.SpeechT5Config(architectures=["SpeechT5ForTextToSpeech"]).save_pretrained(tmp_path)
    with pytest.raises(LoadError, match="'SpeechT5ForTextToSpeech' has an encoder and a decoder but"):
        load(f"hf:{tmp_path}")


def test_a_model_with_a_decoder_of_its_own_reads_two_inputs_in_one_row(tmp_path, transformers, texts):
    sizes = {"vocab_size": 96, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2}
    torch.manual_seed(0)
    own = transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes)).eval()
    own.save_pretrained(tmp_path)
    subject = load(f"hf:{tmp_path}@6")
    assert [part.name for part in subject.reads] == ["input_ids", "decoder_input_ids"]
    assert subject.example.shape == (2, 12) and "without a text" in subject.card["description"]
    reads, writes = subject.example.long().split(6, 1)
    with torch.no_grad():
        wanted = own(input_ids=reads, decoder_input_ids=writes).logits
        assert torch.allclose(subject.model(subject.example), wanted, atol=1e-5)
        assert not torch.allclose(subject.model(subject.example.flip(1)), wanted, atol=1e-2)
    with_tokenizer(tmp_path, transformers)
    with pytest.raises(LoadError, match=r"reads 2 inputs .*'decoder_input_ids'.*a text is only one"):
        load(f"hf:{tmp_path}@6", data=f"text:{texts}")


def test_weights_of_16_bits_are_read_without_loss(tmp_path, transformers):
    folder = written(tmp_path / "model", transformers, dtype=torch.bfloat16)
    subject = load(f"hf:{folder}")
    weight, about = subject.model.lm_head.weight, subject.card["description"]
    assert "came in bfloat16; they are read without loss and computed in float32" in about
    assert weight.dtype == torch.float32 and torch.equal(weight, weight.bfloat16().float())


@pytest.mark.parametrize(
    "after, dtype", [("none", torch.bfloat16), ("least_squares", torch.float32)], ids=["kept", "repaired"]
)
def test_weights_of_16_bits_are_written_in_16_bits_if_nothing_changed_them(
    after, dtype, tmp_path, transformers, texts
):
    folder = written(tmp_path / "model", transformers, dtype=torch.bfloat16, num_key_value_heads=2)
    model = analyse(load(f"hf:{folder}@12", data=f"text:{texts}"))
    names = [name for name in model.profile.free_groups if "embed" not in name]
    recipe = Recipe(channels=dict.fromkeys(names, 0.5), after=after)
    proof, said = audit(model, replace(recipe, after="none")), []
    assert proof.verified and proof.params_after < model.profile.params
    packed = export(model, recipe, "transformers", say=said.append)
    zipfile.ZipFile(io.BytesIO(packed)).extractall(tmp_path / "small")
    tensors = safetensors.torch.load_file(tmp_path / "small" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {dtype}
    assert bool(said) == (after == "least_squares") and all("torch.bfloat16" in one for one in said)
    own = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "small", local_files_only=True)
    kept = own.model.layers[0].mlp.down_proj.weight
    assert own.dtype == dtype and kept.shape == (32, 24)
    dense = model.subject.model.model.layers[0].mlp.down_proj.weight
    mask = decide(model, recipe).masks.channels["model.layers.0.mlp.gate_proj"]
    assert torch.equal(kept.float(), dense[:, mask]) == (after == "none")


def test_the_tokens_of_a_window_are_as_many_as_asked_for(llama):
    assert load(f"hf:{llama}").example.shape == (2, 24), "all positions, if there are fewer than 128"
    assert load(f"hf:{llama}@8").example.shape == (2, 8)
    with pytest.raises(
        LoadError, match=r"Windows of 25 tokens are longer than the 24 positions of '.*model'"
    ):
        load(f"hf:{llama}@25")


def test_tensors_that_the_model_does_not_read_are_said_when_it_is_loaded(own_folder, llama):
    assert "does not read" not in load(f"hf:{llama}").card["description"]
    index = json.loads((own_folder / "model.safetensors.index.json").read_text())
    safetensors.torch.save_file(
        {"spare.bias": torch.zeros(3), "spare.weight": torch.zeros(3)}, own_folder / "spare.safetensors"
    )
    index["weight_map"] |= {"spare.bias": "spare.safetensors", "spare.weight": "spare.safetensors"}
    (own_folder / "model.safetensors.index.json").write_text(json.dumps(index))
    told = load(f"hf:{own_folder}").card["description"]
    assert "Its files also hold 2 tensors that this model does not read, such as 'spare.bias'." in told


def test_a_folder_without_a_tokenizer_reads_tokens_but_no_text(own_folder, texts):
    for path in own_folder.glob("*token*"):
        path.unlink()
    assert "no tokenizer" in load(f"hf:{own_folder}").card["description"]
    with pytest.raises(LoadError, match="no tokenizer that can be read, so text cannot become what it reads"):
        load(f"hf:{own_folder}", data=f"text:{texts}")


def test_a_damaged_tokenizer_is_said(own_folder, texts):
    (own_folder / "tokenizer.json").write_text("{")
    subject = load(f"hf:{own_folder}")
    assert subject.text is None and "Its tokenizer cannot be read" in subject.card["description"]
    with pytest.raises(LoadError, match="no tokenizer that can be read"):
        load(f"hf:{own_folder}", data=f"text:{texts}")


def test_a_tokenizer_of_another_model_is_refused(tmp_path, transformers, texts):
    folder = written(tmp_path / "model", transformers, vocab_size=280)
    with pytest.raises(
        LoadError, match=r"The tokenizer has 296 tokens, but the model's table has rows for 280"
    ):
        load(f"hf:{folder}", data=f"text:{texts}")


@pytest.mark.parametrize("key, value", [("hidden_size", 48), ("num_key_value_heads", 4)])
def test_files_that_do_not_fit_their_configuration_are_refused_in_one_sentence(key, value, own_folder, capfd):
    config = json.loads((own_folder / "config.json").read_text())
    (own_folder / "config.json").write_text(json.dumps(config | {key: value}))
    with pytest.raises(LoadError, match=r"does not fit its config\.json: '.*' has the shape \(") as refused:
        load(f"hf:{own_folder}")
    assert "\n" not in str(refused.value) and "MISMATCH" not in "".join(capfd.readouterr())


def test_a_model_without_its_trained_head_is_refused(own_folder):
    index = json.loads((own_folder / "model.safetensors.index.json").read_text())
    file = own_folder / index["weight_map"]["lm_head.weight"]
    weights = safetensors.torch.load_file(file)
    del weights["lm_head.weight"], index["weight_map"]["lm_head.weight"]
    safetensors.torch.save_file(weights, file, metadata={"format": "pt"})
    (own_folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(
        LoadError, match=r"lacks 'lm_head\.weight', so it is not a trained causal language model"
    ):
        load(f"hf:{own_folder}")
