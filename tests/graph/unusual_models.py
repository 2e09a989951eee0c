"""Small models of unusual wiring: shared gates, computed weights, channels that become pixels, and others."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

MODELS: dict[str, tuple[type[nn.Module], tuple[int, ...]]] = {}  # name -> class, shape of one input


def model(*shape: int) -> Callable[[type[nn.Module]], type[nn.Module]]:
    def listed(kind: type[nn.Module]) -> type[nn.Module]:
        MODELS[kind.__name__] = kind, shape
        return kind

    return listed


@model(7, 12)
class AttnBias(nn.Module):
    """Attention with learned biases and a relative table."""

    def __init__(self):
        super().__init__()
        self.q = nn.Linear(12, 16)
        self.k = nn.Linear(12, 16)
        self.v = nn.Linear(12, 16)
        self.o = nn.Linear(16, 12)
        self.bias = nn.Parameter(torch.randn(4, 7, 7))
        self.rel = nn.Parameter(torch.randn(13, 4))
        self.register_buffer("i", torch.arange(7)[:, None] - torch.arange(7)[None] + 6)
        self.f = nn.Linear(12, 20)
        self.g = nn.Linear(20, 12)
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        B, N, _ = x.shape
        q, k, v = (layer(x).view(B, N, 4, -1).transpose(1, 2) for layer in (self.q, self.k, self.v))
        a = q @ k.transpose(-1, -2) * 0.5 + self.bias + self.rel[self.i].permute(2, 0, 1)
        x = x + self.o((a.softmax(-1) @ v).transpose(1, 2).flatten(2))
        x = x + self.g(F.gelu(self.f(x)))
        return self.head(x.mean(1))


@model(3, 8, 8)
class GroupedAfterCat(nn.Module):
    """Groups of a convolution read a concatenation."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 6, 3, padding=1)
        self.b = nn.Conv2d(3, 6, 1)
        self.g = nn.Conv2d(12, 24, 3, padding=1, groups=4)
        self.n = nn.BatchNorm2d(24)
        self.c = nn.Conv2d(24, 5, 1)

    def forward(self, x):
        return self.c(F.relu(self.n(self.g(torch.cat([self.a(x), self.b(x)], 1))))).mean((2, 3))


@model(3, 8, 8)
class PixelShuffle(nn.Module):
    """Channels become pixels."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 16, 3, padding=1)
        self.ps = nn.PixelShuffle(2)
        self.b = nn.Conv2d(4, 8, 3)
        self.c = nn.Conv2d(8, 3, 1)

    def forward(self, x):
        return self.c(F.relu(self.b(self.ps(self.a(x))))).flatten(1)


@model(3, 8, 8)
class SharedSE(nn.Module):
    """Two gates of channels share their layers."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 12, 3, padding=1)
        self.b = nn.Conv2d(12, 12, 3, padding=1)
        self.f1 = nn.Linear(12, 4)
        self.f2 = nn.Linear(4, 12)
        self.c = nn.Conv2d(12, 5, 1)

    def se(self, x):
        return x * torch.sigmoid(self.f2(F.relu(self.f1(x.mean((2, 3))))))[:, :, None, None]

    def forward(self, x):
        x = self.se(F.relu(self.a(x)))
        x = self.se(F.relu(self.b(x)))
        return self.c(x).mean((2, 3))


@model(3, 8, 8)
class ChannelAttention(nn.Module):
    """Channel x channel attention (XCA)."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 12, 1)
        self.qkv = nn.Conv2d(12, 36, 1)
        self.o = nn.Conv2d(12, 12, 1)
        self.t = nn.Parameter(torch.ones(3, 1, 1))
        self.c = nn.Conv2d(12, 5, 1)

    def forward(self, x):
        x = F.relu(self.a(x))
        B = len(x)
        q, k, v = self.qkv(x).chunk(3, 1)
        q, k, v = (t.reshape(B, 3, -1, 64) for t in (q, k, v))
        q, k = (F.normalize(q, dim=-1), F.normalize(k, dim=-1))
        y = ((q @ k.transpose(-1, -2) * self.t).softmax(-1) @ v).reshape(B, -1, 8, 8)
        return self.c(x + self.o(y)).mean((2, 3))


@model(10)
class Gated(nn.Module):
    """SwiGLU with fused weights, and a highway gate."""

    def __init__(self):
        super().__init__()
        self.w = nn.Linear(10, 32)
        self.o = nn.Linear(16, 10)
        self.t = nn.Linear(10, 10)
        self.h = nn.Linear(10, 10)
        self.z = nn.Linear(10, 3)

    def forward(self, x):
        a, b = self.w(x).chunk(2, -1)
        y = self.o(F.silu(a) * b)
        t = torch.sigmoid(self.t(y))
        return self.z(t * F.relu(self.h(y)) + (1 - t) * y)


@model(3, 8, 8)
class FiLM(nn.Module):
    """Scale and shift of each channel come from the input."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 10, 3, padding=1)
        self.cond = nn.Linear(3, 8)
        self.film = nn.Linear(8, 20)
        self.n = nn.GroupNorm(5, 10, affine=False)
        self.b = nn.Conv2d(10, 4, 3)

    def forward(self, x):
        g, b = self.film(F.relu(self.cond(x.mean((2, 3))))).chunk(2, 1)
        return self.b(F.relu(self.n(self.a(x)) * (1 + g[..., None, None]) + b[..., None, None])).mean((2, 3))


class WSConv(nn.Conv2d):
    """Each filter is normalised."""

    def forward(self, x):
        w = self.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / (w.std((1, 2, 3), keepdim=True) + 1e-05)
        return F.conv2d(x, w, self.bias, self.stride, self.padding)


@model(3, 8, 8)
class WeightStd(nn.Module):
    """Normalised filters between group norms."""

    def __init__(self):
        super().__init__()
        self.a = WSConv(3, 8, 3)
        self.n = nn.GroupNorm(4, 8)
        self.b = WSConv(8, 12, 3)
        self.c = nn.Linear(12, 4)

    def forward(self, x):
        return self.c(F.relu(self.b(F.relu(self.n(self.a(x))))).mean((2, 3)))


@model(3, 8, 8)
class DepthToSpace(nn.Module):
    """Channels become pixels by a permutation, and pixels channels."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 24, 3, padding=1)
        self.b = nn.Conv2d(6, 7, 3)
        self.s2d = nn.Conv2d(28, 5, 1)

    def forward(self, x):
        x = F.relu(self.a(x))
        B, c, H, W = x.shape
        x = x.view(B, 2, 2, c // 4, H, W).permute(0, 3, 4, 1, 5, 2).reshape(B, c // 4, H * 2, W * 2)
        x = F.relu(self.b(x))
        x = F.pixel_unshuffle(x, 2)
        return self.s2d(x).mean((2, 3))


@model(3, 8, 8)
class Hyper(nn.Module):
    """A network produces the conv weights."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 6, 3, padding=1)
        self.z = nn.Parameter(torch.randn(1, 5))
        self.h1 = nn.Linear(5, 9)
        self.h2 = nn.Linear(9, 8 * 6 * 9)
        self.c = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        w = self.h2(F.relu(self.h1(self.z))).view(8, 6, 3, 3)
        return self.c(F.relu(F.conv2d(F.relu(self.a(x)), w, padding=1))).mean((2, 3))


@model(3, 8, 8)
class RollFlip(nn.Module):
    """Rolled and flipped channels are added."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 9, 3)
        self.b = nn.Conv2d(3, 9, 3)
        self.c = nn.Conv2d(9, 6, 1)
        self.d = nn.Linear(6, 3)

    def forward(self, x):
        return self.d(F.relu(self.c(self.a(x).roll(3, 1) + self.b(x).flip(1))).roll(-1, 1).mean((2, 3)))


@model(3, 8, 8)
class EinsumC(nn.Module):
    """Products of all pairs of channels."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 1)
        self.b = nn.Conv2d(3, 8, 1)
        self.w = nn.Parameter(torch.randn(8, 10))
        self.d = nn.Linear(10, 3)
        self.e = nn.Linear(64, 3)

    def forward(self, x):
        a, b = (self.a(x).relu(), self.b(x))
        g = torch.einsum("bchw,bcij->bhwij", a, b).flatten(1)[:, :64]
        y = torch.einsum("bchw,cd->bd", a, self.w)
        return self.d(y) + 0.01 * self.e(g)


@model(3, 8, 8)
class Cumsum(nn.Module):
    """Sums over the channels before."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 1)
        self.m = nn.Conv2d(8, 8, 1)
        self.b = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        return self.b(self.m(F.relu(self.a(x))).cumsum(1)).mean((2, 3))


@model(3, 8, 8)
class SortC(nn.Module):
    """Channels in the order of their values."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 1)
        self.m = nn.Conv2d(8, 8, 1)
        self.b = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        return self.b(self.m(F.relu(self.a(x))).sort(1)[0]).mean((2, 3))


@model(3, 8, 8)
class TopkC(nn.Module):
    """The largest channels at each place."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 1)
        self.m = nn.Conv2d(8, 12, 1)
        self.b = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return self.b(self.m(F.relu(self.a(x))).topk(4, 1)[0]).mean((2, 3))


@model(3, 8, 8)
class SoftmaxSum(nn.Module):
    """Softmax over channels then weighted sum."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 1)
        self.p = nn.Conv2d(8, 6, 1)
        self.v = nn.Conv2d(8, 6, 1)
        self.c = nn.Linear(64, 4)

    def forward(self, x):
        x = F.relu(self.a(x))
        return self.c((self.p(x).softmax(1) * self.v(x)).sum(1).flatten(1))


@model(6, 10)
class LNVariants(nn.Module):
    """Layer norms with and without weights, over one and two dimensions."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(10, 12)
        self.n1 = nn.LayerNorm(12, elementwise_affine=False)
        self.b = nn.Linear(12, 14)
        self.n2 = nn.LayerNorm(14, bias=False)
        self.c = nn.Linear(14, 10)
        self.n3 = nn.RMSNorm(10)
        self.n4 = nn.LayerNorm((6, 10))
        self.d = nn.Linear(10, 3)

    def forward(self, x):
        return self.d(self.n4(self.n3(self.c(F.gelu(self.n2(self.b(F.relu(self.n1(self.a(x))))))))).mean(1))


@model(3, 8, 8)
class BNVariants(nn.Module):
    """Batch norms without weights, with a mean of all batches, without statistics."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3)
        self.n1 = nn.BatchNorm2d(8, affine=False)
        self.b = nn.Conv2d(8, 10, 3)
        self.n2 = nn.BatchNorm2d(10, momentum=None)
        self.c = nn.Conv2d(10, 6, 1)
        self.n3 = nn.BatchNorm2d(6, track_running_stats=False)
        self.d = nn.Linear(6, 3)
        for n in (self.n1, self.n2):
            n.running_mean.normal_()
            n.running_var.uniform_(0.5, 2)

    def forward(self, x):
        return self.d(
            F.relu(self.n3(self.c(F.relu(self.n2(self.b(F.relu(self.n1(self.a(x))))))))).mean((2, 3))
        )


@model(3, 8, 8)
class INStats(nn.Module):
    """Instance norms with and without statistics."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3)
        self.n1 = nn.InstanceNorm2d(8, affine=True, track_running_stats=True)
        self.b = nn.Conv2d(8, 6, 1)
        self.n2 = nn.InstanceNorm2d(6)
        self.d = nn.Linear(6, 3)
        self.n1.running_mean.normal_()
        self.n1.running_var.uniform_(0.5, 2)

    def forward(self, x):
        return self.d(F.relu(self.n2(self.b(F.relu(self.n1(self.a(x)))))).amax((2, 3)))


@model(3, 8, 8)
class MixedReaders(nn.Module):
    """One tensor read by conv, depthwise, linear and a transposed conv; negative slices."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.dw = nn.Conv2d(8, 16, 3, padding=1, groups=8)
        self.t = nn.ConvTranspose2d(8, 8, 2, stride=2, groups=2)
        self.l = nn.Linear(8, 8)
        self.c = nn.Conv2d(16, 6, 1)
        self.e = nn.Conv2d(8, 6, 2, stride=2)
        self.z = nn.Linear(14, 3)

    def forward(self, x):
        x = F.relu(self.a(x))
        y = self.c(self.dw(x))
        z = self.e(self.t(x))
        w = self.l(x.mean((2, 3)))
        return self.z(torch.cat([(y + z).mean((2, 3)), w], 1))


@model(3, 8, 8)
class MaxOut(nn.Module):
    """The larger of two channels."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 12, 3)
        self.b = nn.Conv2d(6, 8, 3)
        self.c = nn.Linear(8, 3)

    def forward(self, x):
        x = self.a(x)
        x = x.view(len(x), 2, -1, *x.shape[2:]).amax(1)
        x = self.b(x)
        x = torch.max(*x.unflatten(1, (4, 2)).unbind(2))
        return self.c(torch.cat([x, -x], 1).mean((2, 3)))


@model(3, 8, 8)
class Involution(nn.Module):
    """Kernel from features applied by unfold."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 1)
        self.k = nn.Conv2d(8, 2 * 9, 1)
        self.c = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        x = F.relu(self.a(x))
        B = len(x)
        k = self.k(x).view(B, 2, 1, 9, 8, 8)
        u = F.unfold(x, 3, padding=1).view(B, 2, 4, 9, 8, 8)
        return self.c((k * u).sum(3).reshape(B, 8, 8, 8)).mean((2, 3))


@model(12, 9)
class GRUish(nn.Module):
    """Own minimal recurrence in a loop."""

    def __init__(self):
        super().__init__()
        self.x = nn.Linear(9, 16)
        self.h = nn.Linear(16, 16, bias=False)
        self.g = nn.Linear(25, 16)
        self.o = nn.Linear(16, 3)

    def forward(self, x):
        h = torch.zeros(len(x), 16)
        for t in range(4):
            g = torch.sigmoid(self.g(torch.cat([x[:, t], h], 1)))
            h = g * h + (1 - g) * torch.tanh(self.x(x[:, t]) + self.h(h))
        return self.o(h)


@model(6, 10)
class MQA(nn.Module):
    """Rotary, grouped queries through repeat_interleave."""

    def __init__(self):
        super().__init__()
        self.q = nn.Linear(10, 24)
        self.k = nn.Linear(10, 12)
        self.v = nn.Linear(10, 12)
        self.o = nn.Linear(24, 10)
        self.z = nn.Linear(10, 3)

    def forward(self, x):
        B, N, _ = x.shape
        q = self.q(x).view(B, N, 4, 6).transpose(1, 2)
        k = self.k(x).view(B, N, 2, 6).transpose(1, 2)
        v = self.v(x).view(B, N, 2, 6).transpose(1, 2)
        c = torch.arange(N)[:, None] * torch.tensor([1.0, 0.1, 0.01])
        cos, sin = (c.cos().repeat(1, 2), c.sin().repeat(1, 2))

        def rot(t):
            return t * cos + torch.cat([-t[..., 3:], t[..., :3]], -1) * sin

        q, k = (rot(q), rot(k))
        k, v = (k.repeat_interleave(2, 1), v.repeat_interleave(2, 1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        return self.z((x + self.o(y)).mean(1))
