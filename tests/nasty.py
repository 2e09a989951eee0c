"""Models that broke something once: name -> (model, input shape, {free group: units}); an empty dict means
that all is frozen.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class UnequalHeads(nn.Module):
    """Queries and keys are half as wide as values."""

    def __init__(self):
        super().__init__()
        self.enter, self.qkv, self.leave, self.fc = (
            nn.Linear(8, 12),
            nn.Linear(12, 24),
            nn.Linear(12, 12),
            nn.Linear(12, 4),
        )

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
        self.enter, self.attention, self.fc = (
            nn.Linear(8, 12),
            nn.MultiheadAttention(12, 3, batch_first=True),
            nn.Linear(12, 4),
        )

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
        self.embedding, self.a, self.b, self.out = (
            nn.Embedding(20, 12),
            nn.Linear(12, 24),
            nn.Linear(24, 12),
            nn.Linear(12, 20),
        )
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
        self.a, self.shuffle, self.b = (
            nn.Conv2d(3, 12, 1),
            nn.ChannelShuffle(3),
            nn.Conv2d(12, 12, 3, groups=3),
        )
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
    """Raw weights in an einsum: five experts of ten hidden units, mixed by a gate."""

    def __init__(self):
        super().__init__()
        self.gate, self.weights, self.fc = (
            nn.Linear(8, 5),
            nn.Parameter(torch.randn(5, 8, 10)),
            nn.Linear(10, 4),
        )

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
        self.a, self.b, self.fc = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.Linear(8, 4),
        )

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
        self.gru, self.a, self.fc = (
            nn.GRU(8, 12, batch_first=True, bidirectional=True),
            nn.Linear(24, 9),
            nn.Linear(9, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.a(self.gru(x)[0].mean(1))))


class GroupedQueries(nn.Module):
    """Two query heads share a key and a value head."""

    def __init__(self):
        super().__init__()
        self.enter, self.q, self.k, self.v = (
            nn.Linear(8, 16),
            nn.Linear(16, 16),
            nn.Linear(16, 8),
            nn.Linear(16, 8),
        )
        self.norm, self.leave, self.fc = nn.RMSNorm(16), nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        b, n, _ = x.shape
        q, k, v = (
            layer(self.norm(x)).view(b, n, -1, 4).transpose(1, 2) for layer in (self.q, self.k, self.v)
        )
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
    """Its graph is written for the example's batch; attention makes its multiply-adds depend on more than
    weights.
    """

    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Linear(8, 6), nn.Linear(8, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        scores = (self.a(x) @ self.b(x).transpose(1, 2)).softmax(-1)
        parts = (scores @ self.b(x)).reshape(-1, 6, 6).split(2)
        return torch.cat([self.fc(part.reshape(2, 6, 6).mean(1)) for part in parts])


class RotaryHeads(nn.Module):
    """Norms and rotary positions are shared by all heads; two query heads share a key and a value head by
    copies.
    """

    def __init__(self):
        super().__init__()
        self.enter, self.q, self.kv, self.leave = (
            nn.Linear(8, 16),
            nn.Linear(16, 16),
            nn.Linear(16, 16),
            nn.Linear(16, 16),
        )
        self.q_norm, self.k_norm, self.fc = nn.RMSNorm(4), nn.LayerNorm(4), nn.Linear(16, 4)
        self.register_buffer("angles", torch.rand(6, 4))

    def turn(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, -1)
        return x * self.angles.cos() + torch.cat([-right, left], -1) * self.angles.sin()

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        b, n, _ = x.shape
        q = self.turn(self.q_norm(self.q(x).view(b, n, 4, 4).transpose(1, 2)))
        k, v = self.kv(x).view(b, n, 2, 2, 4).permute(2, 0, 3, 1, 4)
        k, v = (
            part[:, :, None].expand(b, 2, 2, n, 4).reshape(b, 4, n, 4)
            for part in (self.turn(self.k_norm(k)), v)
        )
        return self.fc(
            (x + self.leave(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, 16))).mean(
                1
            )
        )


class CrossAttention(nn.Module):
    """Its projections are parts of one parameter, and read two values."""

    def __init__(self):
        super().__init__()
        self.enter, self.asking = nn.Linear(8, 12), nn.Parameter(torch.randn(1, 3, 12))
        self.attention, self.fc = nn.MultiheadAttention(12, 3, batch_first=True), nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x, asking = self.enter(x), self.asking.expand(len(x), -1, -1)
        return self.fc((asking + self.attention(asking, x, x)[0]).mean(1))


class LinearAttention(nn.Module):
    """Divides by sums that are zero where a head is silent."""

    def __init__(self):
        super().__init__()
        self.enter, self.qkv, self.leave, self.fc = (
            nn.Linear(8, 12),
            nn.Linear(12, 36),
            nn.Linear(12, 12),
            nn.Linear(12, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        b, n, _ = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, 3, 4).permute(2, 0, 3, 1, 4)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        mixed = (q @ (k.transpose(-1, -2) @ v)) / (q @ k.sum(-2)[..., None])
        return self.fc((x + self.leave(mixed.transpose(1, 2).reshape(b, n, 12))).mean(1))


class Standardised(nn.Module):
    """Weights are normalised before each use: by statistics, by a norm in the way of training, by their
    length.
    """

    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 6, 3), nn.Linear(5, 4)
        self.gain, self.c = (
            nn.Parameter(torch.rand(6, 1, 1, 1)),
            nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)),
        )

    def forward(self, x: Tensor) -> Tensor:
        w = self.a.weight
        x = torch.relu(
            F.conv2d(x, (w - w.mean((1, 2, 3), True)) / (w.std((1, 2, 3), keepdim=True) + 1e-3), self.a.bias)
        )
        rows = self.b.weight.reshape(1, 6, -1)
        scaled = F.batch_norm(rows, None, None, self.gain.view(-1), training=True).reshape_as(self.b.weight)
        return self.fc(torch.relu(self.c(torch.relu(F.conv2d(x, scaled, self.b.bias)).mean((2, 3)))))


class SharedBuffer(nn.Module):
    """One buffer under three names, one of them below a layer."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Linear(8, 6), nn.Linear(6, 6), nn.Linear(6, 4)
        factors = torch.rand(6) + 0.5
        for place in (self, self.a, self.b):
            place.register_buffer("factors", factors)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.a(x.mean(1))) * self.a.factors
        return self.fc(torch.relu(self.b(x)) * self.b.factors + self.factors)


class Copies(nn.Module):
    """One filter is copied for all channels, and lengths are copied along what they divide."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 6, 1), nn.Linear(6, 4)
        self.register_buffer(
            "blur", torch.tensor([1.0, 2.0, 1.0]).outer(torch.tensor([1.0, 2.0, 1.0]))[None, None] / 16
        )

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(
            F.pad(torch.relu(self.a(x)), (1, 1, 1, 1), "reflect"),
            self.blur.expand(8, 1, 3, 3),
            stride=2,
            groups=8,
        )
        return self.fc(F.normalize(self.b(F.normalize(x, dim=1)).mean((2, 3))))


class SelectedKernels(nn.Module):
    """Two branches are weighed against each other, channel by channel."""

    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = (
            nn.Conv2d(3, 8, 1),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.Conv2d(8, 8, 5, padding=2),
        )
        self.reduce, self.weigh, self.fc = nn.Linear(8, 4), nn.Linear(4, 16), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        both = torch.stack([self.a(x), self.b(x)], 1)
        weights = (
            self.weigh(torch.relu(self.reduce(both.sum(1).mean((2, 3))))).view(-1, 2, 8, 1, 1).softmax(1)
        )
        return self.fc((both * weights).sum(1).mean((2, 3)))


class SampleFilters(nn.Module):
    """Each sample is convolved with filters of its own: as many groups as there are samples."""

    def __init__(self):
        super().__init__()
        self.a, self.mix, self.fc = nn.Conv2d(3, 8, 1), nn.Linear(8, 4), nn.Linear(6, 4)
        self.filters = nn.Parameter(torch.randn(4, 6 * 8 * 9) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.a(x))
        b, c, h, w = x.shape
        own = (self.mix(x.mean((2, 3))) @ self.filters).view(b * 6, 8, 3, 3)
        return self.fc(
            torch.relu(F.conv2d(x.reshape(1, b * c, h, w), own, groups=b).view(b, 6, h - 2, w - 2)).mean(
                (2, 3)
            )
        )


class Gates(nn.Module):
    """The last channels of a layer are taken out one by one: none of them may lose all that it is made of."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 10, 1), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x, gates = self.a(x).split([8, 2], 1)
        return self.fc(torch.relu(x * gates[:, :1] + self.b(x) * gates[:, 1:]).mean((2, 3)))


class SubPixel(nn.Module):
    """Four channels become one of twice the size, and one becomes four of half."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.fc = (
            nn.Conv2d(3, 4, 1),
            nn.Conv2d(16, 24, 1),
            nn.Conv2d(6, 5, 1),
            nn.Linear(5, 4),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.b(F.pixel_unshuffle(torch.relu(self.a(x)), 2)))
        return self.fc(torch.relu(self.c(F.pixel_shuffle(x, 2))).mean((2, 3)))


class Modes(nn.Module):
    """Parts run without gradients and at full precision, one inside of the other, the last at the end."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 6, 1), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            x = torch.relu(self.a(x))
            with torch.no_grad():
                shift = x.mean((2, 3), True)
            x = torch.relu(self.b(x - shift))
        with torch.no_grad():
            return self.fc(x.mean((2, 3)))


class Positions(nn.Module):
    """What works along places leaves channels alone: sums that run on, order, waves, windows, places by
    number.
    """

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 6, 1), nn.Linear(4 * 6, 5)
        self.read, self.fc = nn.Conv2d(2, 1, 3, padding=1), nn.Linear(10, 4)
        self.register_buffer("places", torch.arange(36) % 7)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.fft.irfft2(torch.fft.rfft2(self.a(x)), s=(12, 12)).cumsum(-1).flip(-1)
        x = x * torch.sigmoid(self.read(torch.cat([x.mean(1, True), x.max(1, True)[0]], 1)))
        x = x.unfold(2, 1, 1)[..., 0]
        windows = self.c(F.unfold(torch.relu(self.b(x)), 2, stride=2).transpose(1, 2))
        summed = torch.zeros(len(x), 7, 5).index_add(1, self.places, windows)
        ranked = torch.einsum(
            "...pc,...p->...c", summed.topk(3, 1).values, summed.new_ones(3).expand(len(x), 3)
        )
        return self.fc(torch.cat([ranked, windows.std(1)], 1))


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
    "experts": (Experts, TOKENS, {"gate": 5}),
    "transposed_groups": (TransposedGroups, IMAGE, {"a": 4, "up": 4}),
    "writes_in_place": (WritesInPlace, IMAGE, {"a": 8}),
    "gru": (Gru, TOKENS, {"a": 9}),
    "grouped_queries": (GroupedQueries, TOKENS, {"enter": 16, "q": 2, "q#queries": 2}),
    "volumes": (Volumes, (2, 6, 8, 8), {"a": 8, "up": 6}),
    "weight_normed": (WeightNormed, IMAGE, {"a": 10, "b": 6}),
    "rotary_heads": (RotaryHeads, TOKENS, {"enter": 16, "q": 2, "q#queries": 2}),
    "cross_attention": (CrossAttention, TOKENS, {"enter": 12, "attention.in_proj_weight": 3}),
    "linear_attention": (LinearAttention, TOKENS, {"enter": 12, "qkv": 3}),
    "standardised": (Standardised, IMAGE, {"a": 8, "b": 6, "c": 5}),
    "shared_buffer": (SharedBuffer, TOKENS, {"a": 6}),
    "copies": (Copies, IMAGE, {"a": 8, "b": 6}),
    "selected_kernels": (SelectedKernels, IMAGE, {"stem": 8, "a": 8, "reduce": 4}),
    "sample_filters": (SampleFilters, IMAGE, {"mix": 4}),
    "gates": (Gates, IMAGE, {"a": 8}),
    "sub_pixel": (SubPixel, IMAGE, {"a": 4, "b": 6, "c": 5}),
    "modes": (Modes, IMAGE, {"a": 8, "b": 6}),
    "positions": (Positions, IMAGE, {"a": 8, "b": 6, "c": 5}),
}
