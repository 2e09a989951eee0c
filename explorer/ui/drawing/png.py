"""Turns tensors into small PNG pictures, as text that is embedded in a page."""

import base64
import struct
import zlib

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 96  # pixels of the longer side; larger pictures are averaged down
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(pixels: Tensor) -> bytes:
    """Convert (height, width) grey or (height, width, 3) colour, uint8, to a PNG file."""
    height, width = pixels.shape[:2]
    rows = pixels.contiguous().reshape(height, -1)
    filtered = torch.cat([torch.zeros(height, 1, dtype=torch.uint8), rows], 1)  # filter 0: bytes as they are
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if pixels.dim() == 3 else 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.cpu().numpy().tobytes(), 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def data_uri(pixels: Tensor) -> str:
    """Return a picture as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def is_picture(shape: tuple[int, ...]) -> bool:
    """Whether samples of this shape, (channels, height, width), can be shown: grey or colour."""
    return len(shape) == 3 and shape[0] in (1, 3)


def pixels_of(sample: Tensor, scale: float, side: int = SIDE) -> Tensor:
    """Return a stored sample as uint8 pixels, (height, width) or (height, width, 3).

    Args:
        sample: (1 or 3, height, width). scale: from stored values to 0..1; if values are outside then, as in
            samples that are stored normalised, their smallest to largest value is spread over the range.
        side: maximum of the picture; larger ones are averaged down.
    """
    pixels_now = sample.float() * scale
    low, high = float(pixels_now.min()), float(pixels_now.max())
    if low < 0 or high > 1:
        pixels_now = (pixels_now - low) / max(high - low, 1e-12)
    largest = max(pixels_now.shape[1:])
    if largest > side:
        size = [max(1, round(extent * side / largest)) for extent in pixels_now.shape[1:]]
        pixels_now = functional.interpolate(pixels_now[None], size, mode="area")[0]
    pixels = (pixels_now * 255).round().to(torch.uint8)
    return pixels[0] if len(pixels) == 1 else pixels.permute(1, 2, 0)
