"""Models that broke something once: name -> (model, input shape, {free group: units}); an empty dict means that all is frozen."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class UnequalHeads(nn.Module):
    """Queries and keys are half as wide as values."""

    def __init__(self):
        super().__init__()
        self.enter, self.qkv, self.leave, self.fc = nn.Linear(8, 12), nn.Linear(12, 24), nn.Linear(12, 12), nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        b, n, _ = x.shape
        q, k, v = (part.view(b, n, 3, -1).transpose(1, 2) for part in self.qkv(x).split([6, 6, 12], -1))
        attended = (q @ k.transpose(-1, -2)).softmax(-1) @ v
        return self.fc((x + self.leave(attended.transpose(1, 2).reshape(b, n, 12))).mean(1))


class MultiHead(nn.Module):
    """torch folds its heads into the batch."""

    def __init__(self):
        super().__init__()
        self.enter, self.attention, self.fc = nn.Linear(8, 12), nn.MultiheadAttention(12, 3, batch_first=True), nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        return self.fc((x + self.attention(x, x, x)[0]).mean(1))


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 16, 3), nn.Conv2d(8, 12, 1), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.b(F.glu(self.a(x), 1)).chunk(2, 1)
        return self.fc((left * right.sigmoid()).mean((2, 3)))


class TiedEmbedding(nn.Module):
    """The last layer reads with the weight of the first."""

    def __init__(self):
        super().__init__()
        self.embedding, self.a, self.b, self.out = nn.Embedding(20, 12), nn.Linear(12, 24), nn.Linear(24, 12), nn.Linear(12, 20)
        self.out.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.embedding(x)
        return self.out(x + self.b(torch.relu(self.a(x)))).mean(1)


class TwoResolutions(nn.Module):
    """One convolution and its norm read two sizes of picture."""

    def __init__(self):
        super().__init__()
        self.stem, self.shared = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.norm, self.fc = nn.BatchNorm2d(8), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        seen = [torch.relu(self.norm(self.shared(y))).mean((2, 3)) for y in (x, F.avg_pool2d(x, 2))]
        return self.fc(torch.cat(seen, 1))


class DictOutput(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.one, self.two = nn.Conv2d(3, 8, 3), nn.Linear(8, 4), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> dict:
        x = torch.relu(self.conv(x)).mean((2, 3))
        return {"logits": self.one(x), "others": [self.two(x), x.sum()]}


class ShuffledGroups(nn.Module):
    """The shuffle is one operator, and groups before it are read across after it."""

    def __init__(self):
        super().__init__()
        self.a, self.shuffle, self.b = nn.Conv2d(3, 12, 1), nn.ChannelShuffle(3), nn.Conv2d(12, 12, 3, groups=3)
        self.fc = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.b(self.shuffle(self.a(x)))).mean((2, 3)))


class OuterProduct(nn.Module):
    """Flattened, each position belongs to a channel of both sides."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Linear(8, 6), nn.Linear(8, 5), nn.Linear(30, 4)

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.a(x).mean(1), self.b(x).mean(1)
        return self.fc((left[:, :, None] * right[:, None, :]).flatten(1))


class Experts(nn.Module):
    """Raw weights in an einsum, a kind that no criterion rates."""

    def __init__(self):
        super().__init__()
        self.gate, self.weights, self.fc = nn.Linear(8, 3), nn.Parameter(torch.randn(3, 8, 10)), nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean(1)
        hidden = torch.einsum("bi,eio->beo", x, self.weights)
        return self.fc(torch.relu((self.gate(x).softmax(-1)[:, :, None] * hidden).sum(1)))


class TransposedGroups(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.up = nn.Conv2d(3, 8, 3, padding=1), nn.ConvTranspose2d(8, 8, 2, 2, groups=2)
        self.deep, self.fc = nn.ConvTranspose2d(8, 8, 2, 2, groups=8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.sigmoid(self.deep(torch.tanh(self.up(self.a(x))))).mean((2, 3)))


class WritesInPlace(nn.Module):
    """Its graph holds a constant that is no part of its state."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        y = self.b(F.relu(x, inplace=True))
        y += x
        y[:, :, 0] = 0
        return self.fc(y.mean((2, 3)))


class Gru(nn.Module):
    """Recurrent layers stay whole; what follows them does not."""

    def __init__(self):
        super().__init__()
        self.gru, self.a, self.fc = nn.GRU(8, 12, batch_first=True, bidirectional=True), nn.Linear(24, 9), nn.Linear(9, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.a(self.gru(x)[0].mean(1))))


class GroupedQueries(nn.Module):
    """Two query heads share a key and a value head."""

    def __init__(self):
        super().__init__()
        self.enter, self.q, self.k, self.v = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 8), nn.Linear(16, 8)
        self.norm, self.leave, self.fc = nn.RMSNorm(16), nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        b, n, _ = x.shape
        q, k, v = (layer(self.norm(x)).view(b, n, -1, 4).transpose(1, 2) for layer in (self.q, self.k, self.v))
        k, v = (part.repeat_interleave(2, 1) for part in (k, v))
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, 16)
        return self.fc((x + self.leave(attended)).mean(1))


class Volumes(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.up = nn.Conv3d(2, 8, 3), nn.BatchNorm3d(8), nn.ConvTranspose3d(8, 6, 2, 2)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool3d(torch.relu(self.norm(self.a(x))), 2)
        return self.fc(torch.relu(self.up(x)).mean((2, 3, 4)))


class WeightNormed(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 10, 3))
        self.b, self.fc = nn.Conv2d(10, 6, 3), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.b(torch.relu(self.a(x)))).mean((2, 3)))


class BakedBatch(nn.Module):
    """Its graph is written for the example's batch; attention makes its multiply-adds depend on more than weights."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Linear(8, 6), nn.Linear(8, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        scores = (self.a(x) @ self.b(x).transpose(1, 2)).softmax(-1)
        parts = (scores @ self.b(x)).reshape(-1, 6, 6).split(2)
        return torch.cat([self.fc(part.reshape(2, 6, 6).mean(1)) for part in parts])


IMAGE, TOKENS = (3, 12, 12), (6, 8)
NASTY: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], dict[str, int]]] = {
    "unequal_heads": (UnequalHeads, TOKENS, {"enter": 12, "qkv": 3}),
    "multi_head": (MultiHead, TOKENS, {"enter": 12, "attention.in_proj_weight": 3}),
    "gated": (Gated, IMAGE, {"a": 8, "b": 6}),
    "tied_embedding": (TiedEmbedding, (7,), {"out": 12, "a": 24}),
    "two_resolutions": (TwoResolutions, IMAGE, {"stem": 8, "shared": 8}),
    "dict_output": (DictOutput, IMAGE, {"conv": 8}),
    "shuffled_groups": (ShuffledGroups, IMAGE, {"b": 4}),
    "outer_product": (OuterProduct, TOKENS, {"a": 6}),
    "experts": (Experts, TOKENS, {}),
    "transposed_groups": (TransposedGroups, IMAGE, {"a": 4, "up": 4}),
    "writes_in_place": (WritesInPlace, IMAGE, {"a": 8}),
    "gru": (Gru, TOKENS, {"a": 9}),
    "grouped_queries": (GroupedQueries, TOKENS, {"enter": 16, "q": 2}),
    "volumes": (Volumes, (2, 6, 8, 8), {"a": 8, "up": 6}),
    "weight_normed": (WeightNormed, IMAGE, {"b": 6}),
}
