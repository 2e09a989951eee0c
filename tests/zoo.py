"""Tiny odd models, one trait each, with what their coupling must be: name -> (model, input shape, {group:
units}).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.values.identity import subject_id
from explorer.values.subject import Subject


class Chain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.norm, self.conv2 = (
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 6, 3, stride=2),
        )
        self.fc = nn.Linear(6 * 9, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.conv2(torch.relu(self.norm(self.conv1(x))))).flatten(1))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(8, 5, 1),
            nn.Conv2d(5, 8, 1, bias=False),
        )
        self.norm, self.fc = nn.BatchNorm2d(8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = x + self.norm(self.b(torch.relu(self.a(x))))
        return self.fc(x.mean((2, 3)))


class Depthwise(nn.Module):
    def __init__(self):
        super().__init__()
        self.expand, self.depthwise = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 12, 3, padding=1, groups=6)
        self.project, self.fc = nn.Conv2d(12, 5, 1), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.project(F.hardswish(self.depthwise(self.expand(x)))).mean((2, 3)))


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.grouped = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 12, 3, groups=2)
        self.norm, self.fc = nn.GroupNorm(3, 12), nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.norm(self.grouped(self.enter(x)))).mean((2, 3)))


class Tied(nn.Module):
    """Two layers share one weight."""

    def __init__(self):
        super().__init__()
        self.enter, self.first, self.second = nn.Linear(7, 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.second(torch.tanh(self.first(torch.tanh(self.enter(x)))))))


class Reused(nn.Module):
    """One module is called twice."""

    def __init__(self):
        super().__init__()
        self.enter, self.again, self.fc = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.again(torch.relu(self.enter(x))))
        return self.fc(torch.relu(self.again(x)).amax((2, 3)))


class Concat(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 6, 1, bias=False), nn.Conv2d(3, 5, 1, bias=False)
        self.norm, self.after, self.fc = nn.BatchNorm2d(11), nn.Conv2d(11, 7, 1), nn.Linear(7, 4)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.left(x), self.right(x)], 1)
        return self.fc(torch.relu(self.after(torch.relu(self.norm(both)))).mean((2, 3)))


class NoBias(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(7, 9, bias=False), nn.Linear(9, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.gelu(self.a(x)))


class Shuffle(nn.Module):
    """Split in two, work on one half, concatenate, shuffle the channels."""

    def __init__(self):
        super().__init__()
        self.stem, self.branch, self.after, self.fc = (
            nn.Conv2d(3, 8, 1),
            nn.Conv2d(4, 4, 1),
            nn.Conv2d(8, 6, 1),
            nn.Linear(6, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        left, right = torch.relu(self.stem(x)).chunk(2, 1)
        x = torch.cat([left, torch.relu(self.branch(right))], 1)
        b, c, h, w = x.shape
        x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        return self.fc(torch.relu(self.after(x)).mean((2, 3)))


class SpatialGate(nn.Module):
    """A (B, 1, H, W) gate must not tie all channels."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate, self.fc = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 1, 3, padding=1), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x))
        return self.fc((x * torch.sigmoid(self.gate(x))).mean((2, 3)))


class PaddedShortcut(nn.Module):
    """The shortcut is strided and padded with zero channels."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv, self.fc = (
            nn.Conv2d(3, 6, 1),
            nn.Conv2d(6, 10, 3, stride=2, padding=1),
            nn.Linear(10, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        shortcut = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
        return self.fc(torch.relu(self.conv(x) + shortcut).mean((2, 3)))


class FusedQKV(nn.Module):
    """Attention with one projection for query, key and value: whole heads go."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Linear(5, 12), nn.LayerNorm(12)
        self.qkv, self.proj, self.fc = nn.Linear(12, 36), nn.Linear(12, 12), nn.Linear(12, 4)
        self.position = nn.Parameter(torch.randn(1, 6, 12))

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x) + self.position
        b, n, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, n, 3, 3, 4).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, 12))
        return self.fc(x.mean(1))


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.reduce, self.expand, self.fc = (
            nn.Conv2d(3, 8, 1),
            nn.Conv2d(8, 4, 1),
            nn.Conv2d(4, 8, 1),
            nn.Linear(8, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x))
        gate = torch.sigmoid(self.expand(torch.relu(self.reduce(F.adaptive_avg_pool2d(x, 1)))))
        return self.fc((x * gate).mean((2, 3)))


class InputSkip(nn.Module):
    """What is added to the model's input cannot shrink."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 3, 1), nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc((x + self.b(torch.relu(self.a(x)))).mean((2, 3)))


class Mixer(nn.Module):
    """Mixes places of each channel, then channels of each place; the products of attention have no weight."""

    def __init__(self):
        super().__init__()
        self.embed, self.tokens_in, self.tokens_out = nn.Linear(5, 8), nn.Linear(6, 10), nn.Linear(10, 6)
        self.keys, self.values, self.fc = nn.Linear(8, 12), nn.Linear(8, 7), nn.Linear(7, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        x = x + self.tokens_out(self.tokens_in(x.transpose(1, 2)).relu()).transpose(1, 2)
        k = self.keys(x)
        return self.fc(((k @ k.transpose(1, 2)).softmax(-1) @ self.values(x)).mean(1))


IMAGE, VECTOR, TOKENS = (3, 8, 8), (7,), (6, 5)
ZOO: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], dict[str, int]]] = {
    "chain": (Chain, IMAGE, {"conv1": 8, "conv2": 6}),
    "residual": (Residual, IMAGE, {"stem": 8, "a": 5}),
    "depthwise": (Depthwise, IMAGE, {"expand": 6, "project": 5}),
    "grouped": (Grouped, IMAGE, {"enter": 4, "grouped": 2}),
    "tied": (Tied, VECTOR, {"enter": 6}),
    "reused": (Reused, IMAGE, {"enter": 6}),
    "concat": (Concat, IMAGE, {"left": 6, "right": 5, "after": 7}),
    "no_bias": (NoBias, VECTOR, {"a": 9}),
    "shuffle": (Shuffle, IMAGE, {"stem": 4, "stem#2": 4, "after": 6}),
    "spatial_gate": (SpatialGate, IMAGE, {"conv": 8}),
    "padded_shortcut": (PaddedShortcut, IMAGE, {"stem": 6, "conv": 4}),
    "fused_qkv": (FusedQKV, TOKENS, {"embed": 12, "qkv": 3}),
    "squeeze_excite": (SqueezeExcite, IMAGE, {"conv": 8, "reduce": 4}),
    "input_skip": (InputSkip, IMAGE, {"a": 6}),
    "mixer": (Mixer, TOKENS, {"embed": 8, "tokens_in": 10, "keys": 12, "values": 7}),
}


def odd(name: str, seed: int = 0) -> Subject:
    """A zoo model as a subject without data."""
    make, shape, _ = ZOO[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make().eval()
        example = torch.randn(2, *shape)
    return Subject(subject_id(model), name, model, None, example)
