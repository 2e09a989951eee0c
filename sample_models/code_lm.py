"""A small language model in the style of Llama (Touvron et al. 2023, arXiv:2302.13971): norms without means,
rotary positions, gated perceptrons, and queries that share keys and values (Ainslie et al. 2023,
arXiv:2305.13245).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention, silu

from explorer.registry import SAMPLES

VOCABULARY, WIDTH, LAYERS, HIDDEN = 768, 128, 6, 352
HEADS, PAIRS, HEAD_WIDTH = 8, 4, 16  # queries; keys with their values; numbers of each
POSITIONS, BASE = 512, 10_000.0


def turns() -> tuple[Tensor, Tensor]:
    """Return cosines and sines of each position's angles, (positions, head width)."""
    speeds = BASE ** (-torch.arange(0, HEAD_WIDTH, 2) / HEAD_WIDTH)
    angles = torch.arange(POSITIONS)[:, None] * speeds.repeat(2)
    return angles.cos(), angles.sin()


def turned(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn pairs of numbers of (n, heads, tokens, head width) by their position's angles (Su et al. 2021,
    arXiv:2104.09864).
    """
    first, second = x.chunk(2, dim=-1)
    return x * cosines + torch.cat([-second, first], dim=-1) * sines


class Attention(nn.Module):
    """Causal self-attention over (n, tokens, width); two queries share each key and value."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, HEADS * HEAD_WIDTH, bias=False)
        self.k_proj = nn.Linear(WIDTH, PAIRS * HEAD_WIDTH, bias=False)
        self.v_proj = nn.Linear(WIDTH, PAIRS * HEAD_WIDTH, bias=False)
        self.o_proj = nn.Linear(HEADS * HEAD_WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        n, tokens, _ = x.shape
        query = self.q_proj(x).view(n, tokens, HEADS, HEAD_WIDTH).transpose(1, 2)
        key = self.k_proj(x).view(n, tokens, PAIRS, HEAD_WIDTH).transpose(1, 2)
        value = self.v_proj(x).view(n, tokens, PAIRS, HEAD_WIDTH).transpose(1, 2)
        query, key = turned(query, cosines, sines), turned(key, cosines, sines)
        key = key.repeat_interleave(HEADS // PAIRS, dim=1)
        value = value.repeat_interleave(HEADS // PAIRS, dim=1)
        mixed = scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))


class Perceptron(nn.Module):
    """A gated perceptron (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(WIDTH, HIDDEN, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(silu(self.gate_proj(x)) * self.up_proj(x))


class DecoderLayer(nn.Module):
    """Attention and a perceptron, each behind a norm and added to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attention = nn.RMSNorm(WIDTH), Attention()
        self.norm2, self.mlp = nn.RMSNorm(WIDTH), Perceptron()

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), cosines, sines)
        return x + self.mlp(self.norm2(x))


class CodeModel(nn.Module):
    """(n, tokens) int64 -> (n, tokens, vocabulary): scores of the next token at each position.

    Tokens that come in and scores that go out share one table.
    """

    cosines: Tensor
    sines: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(DecoderLayer() for _ in range(LAYERS))
        self.norm = nn.RMSNorm(WIDTH)
        for name, table in zip(("cosines", "sines"), turns(), strict=True):
            self.register_buffer(name, table, persistent=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)
        for layer in self.layers:
            for last in (layer.attention.o_proj, layer.mlp.down_proj):
                nn.init.normal_(last.weight, std=0.02 / (2 * LAYERS) ** 0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        cosines, sines = self.cosines[: tokens.shape[1]], self.sines[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, cosines, sines)
        return linear(self.norm(x), self.embedding.weight)


@SAMPLES.register(
    "code-lm",
    data="stdlib",
    rank=9,
    epochs=2,
    batch_size=16,
    optimiser="adamw",
    learning_rate=0.003,
    weight_decay=0.1,
)
def code_lm() -> nn.Module:
    """A small language model that writes Python: rotary positions, grouped queries, gated perceptrons."""
    return CodeModel()
