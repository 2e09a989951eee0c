"""A small vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929): fused qkv, class token, learned
positions.

Its patches are embedded by four convolutions instead of one, which trains faster (Xiao et al. 2021,
arXiv:2106.14881).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from explorer.registry import SAMPLES

HEADS, HEAD_WIDTH = 4, 24
WIDTH = HEADS * HEAD_WIDTH


class Stem(nn.Module):
    """Pictures (n, 3, 32, 32) -> patches of 8x8 pixels that overlap, (n, 16, width)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(64)
        self.conv3, self.bn3 = nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)
        self.conv4 = nn.Conv2d(64, WIDTH, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        x = self.bn3(self.conv3(x)).relu()
        return self.conv4(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Self-attention over (n, tokens, width); queries, keys and values come from one fused projection."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, _ = x.shape
        qkv = self.qkv(x).view(n, tokens, 3, HEADS, HEAD_WIDTH).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)  # each (n, heads, tokens, head width)
        mixed = scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """Attention and a two-layer perceptron, each behind a norm and added to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(WIDTH), Attention()
        self.norm2 = nn.LayerNorm(WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.fc2(gelu(self.fc1(self.norm2(x))))


class VisionTransformer(nn.Module):
    """(n, 3, 32, 32) -> (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = Stem()
        self.class_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.randn(1, 17, WIDTH) * 0.02)
        self.layers = nn.Sequential(*(EncoderLayer() for _ in range(4)))
        self.norm = nn.LayerNorm(WIDTH)
        self.fc = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        class_token = self.class_token.expand(x.shape[0], -1, -1)
        tokens = torch.cat([class_token, self.patches(x)], dim=1)  # (n, 17, width)
        x = self.layers(tokens + self.positions)
        return self.fc(self.norm(x)[:, 0])


@SAMPLES.register(
    "shapes-vit",
    data="shapes",
    rank=5,
    epochs=24,
    batch_size=64,
    optimiser="adamw",
    learning_rate=0.002,
    weight_decay=0.05,
    augmentation="turn_shift",
)
def shapes_vit() -> nn.Module:
    """A small vision transformer on 32x32 shapes: attention heads, LayerNorm, class token."""
    return VisionTransformer()
