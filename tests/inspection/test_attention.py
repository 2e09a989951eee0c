"""Attention probabilities of the graph, against plain computations and against transformers' own."""

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.graph.analysed import analyse
from explorer.inspection.attention import attention, attention_sites, units_of_heads
from explorer.loaders.model_text import load
from explorer.machine.optional_packages import uses_torchvision
from explorer.values.subject import Subject

sys.path.insert(0, str(Path(__file__).parents[1] / "graph"))
from language_families import FAMILIES, LENGTHS, inputs_of, opened

HEADS, WIDTH, TOKENS = 2, 8, 5


@pytest.fixture(scope="module")
def code_lm():
    return analyse(load("code-lm"))


def head_groups(model) -> list:
    return [group for group in model.profile.free_groups.values() if group.is_of_heads]


def by_hand(network: nn.Module, layer: int, tokens: Tensor) -> Tensor:
    """Rotary positions, grouped queries and the causal mask of `code-lm`, written out; one sample."""
    x = network.embedding(tokens)
    for block in network.layers[:layer]:
        x = block(x, network.cosines[: tokens.shape[1]], network.sines[: tokens.shape[1]])
    block = network.layers[layer]
    x = block.norm1(x)
    width = block.attention.k_proj.out_features // 4
    query = block.attention.q_proj(x)[0].unflatten(-1, (8, width))
    key = block.attention.k_proj(x)[0].unflatten(-1, (4, width))
    maps = torch.zeros(8, len(query), len(query))
    angles = [10_000.0 ** (-2 * k / width) for k in range(width // 2)]

    def turned(vector: Tensor, place: int) -> Tensor:
        cos, sin = (
            torch.tensor([f(torch.tensor(place * a)) for a in angles]) for f in (torch.cos, torch.sin)
        )
        first, second = vector[: width // 2], vector[width // 2 :]
        return torch.cat([first * cos - second * sin, second * cos + first * sin])

    for head in range(8):
        for at in range(len(query)):
            scores = torch.stack(
                [turned(query[at, head], at) @ turned(key[to, head // 2], to) for to in range(at + 1)]
            )
            maps[head, at, : at + 1] = (scores / width**0.5).softmax(0)
    return maps


def test_heads_of_code_lm_look_where_a_plain_loop_says(code_lm):
    tokens = code_lm.subject.example[:1]
    for layer in (0, 2):
        group = code_lm.profile.free_groups[f"layers.{layer}.attention.q_proj"]
        (site,) = attention_sites(code_lm, group)
        seen = attention(code_lm, site, tokens)[0]
        with torch.no_grad():
            wanted = by_hand(code_lm.subject.model, layer, tokens[:, :12])
        assert seen.shape == (8, 128, 128)
        assert torch.allclose(seen[:, :12, :12], wanted, atol=1e-4)


def test_a_causal_head_never_looks_ahead_and_what_is_behind_a_text_changes_nothing(code_lm):
    (site,) = attention_sites(code_lm, head_groups(code_lm)[0])
    tokens = code_lm.subject.example[:1].clone()
    first = attention(code_lm, site, tokens)[0]
    assert float(first.triu(1).abs().max()) == 0 and torch.allclose(first.sum(-1), torch.ones(8, 128))
    tokens[:, 20:] = 0
    assert torch.equal(attention(code_lm, site, tokens)[0][:, :20, :20], first[:, :20, :20])


def test_each_head_belongs_to_a_unit_of_each_group(code_lm):
    shared, queries = head_groups(code_lm)[:2]
    assert units_of_heads(shared, 8) == (0, 0, 1, 1, 2, 2, 3, 3)
    assert units_of_heads(queries, 8) == (0, 1) * 4
    assert units_of_heads(shared, 7) is None


@pytest.mark.parametrize("name", ["gpt2", "bert", "llama", "gemma2", "t5-encoder", "deberta"])
def test_probabilities_are_those_of_transformers(name, tmp_path):
    model = opened(name, tmp_path)
    transformers = uses_torchvision("transformers")
    network = getattr(transformers, FAMILIES[name].network)
    own = network.from_pretrained(tmp_path / name, attn_implementation="eager").eval()
    tokens = inputs_of(model, LENGTHS[1])
    with torch.no_grad():
        wanted = own(tokens, output_attentions=True).attentions
    sites = {site.module: site for group in head_groups(model) for site in attention_sites(model, group)}
    assert len(sites) == len(wanted) == 2
    for site, layer in zip(sites.values(), wanted, strict=True):
        assert torch.allclose(attention(model, site, tokens), layer, atol=1e-5)


class Masked(nn.Module):
    """Attention with a mask of its own, in one of the forms that torch's operator takes."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind
        self.layer = nn.ModuleDict(
            {part: nn.Linear(WIDTH, WIDTH) for part in ("query", "key", "value", "out")}
        )
        self.first, self.last = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2)
        keep = torch.ones(TOKENS, TOKENS, dtype=torch.bool)
        keep[:, 1] = keep[3] = False  # nobody looks at token 1, and token 3 looks nowhere
        self.register_buffer("keep", keep if kind == "bool" else torch.linspace(-2, 2, 25).view(5, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.attended(self.first(x)).mean(1))

    def attended(self, x: Tensor) -> Tensor:
        query, key, value = (
            self.layer[part](x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        options = {"is_causal": True} if self.kind == "causal" else {"attn_mask": self.keep, "scale": 0.7}
        mixed = functional.scaled_dot_product_attention(query, key, value, **options)
        return self.layer["out"](mixed.transpose(1, 2).flatten(2))


class Wrapped(nn.Module):
    def __init__(self, kind: str):
        super().__init__()
        self.attention = Masked(kind)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x)


@pytest.mark.parametrize("kind", ["bool", "float", "causal"])
def test_the_probabilities_give_what_the_fused_operator_gives(kind):
    torch.manual_seed(0)
    network, x = Wrapped(kind).eval(), torch.randn(2, TOKENS, WIDTH)
    model = analyse(Subject(f"masked {kind}", kind, network, None, x))
    (group,) = head_groups(model)
    (site,) = attention_sites(model, group)
    seen, inner = attention(model, site, x), network.attention
    value = inner.layer["value"](inner.first(x)).unflatten(-1, (HEADS, -1)).transpose(1, 2)
    mixed = inner.layer["out"]((seen @ value).transpose(1, 2).flatten(2))
    assert torch.allclose(mixed, inner.attended(inner.first(x)), atol=1e-5)
    if kind == "bool":
        assert float(seen[..., 1].max()) == 0 and float(seen[:, :, 3].max()) == 0


def test_what_is_no_attention_of_heads_has_no_site(code_lm):
    neurons = code_lm.profile.free_groups["layers.0.mlp.gate_proj"]
    assert attention_sites(code_lm, neurons) == ()
