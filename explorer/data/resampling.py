"""Changes the samples a second of a sound, with a windowed sinc as a low-pass filter."""

import math

import numpy as np
from numpy import ndarray

REACH = 10  # zero crossings of the sinc on each side
SHAPE = 5.0  # of the Kaiser window


def resampled(values: ndarray, rate: int, wanted: int) -> ndarray:
    """Return (ceil(n wanted / rate),) float64 of (n,) numbers; before and after a sound there is silence.

    The filter is that of `scipy.signal.resample_poly`. Only the taps that meet a sample are computed, so that
    44,100 to 16,000 samples a second, a ratio of 160 to 441, costs 56 multiplications a sample.
    """
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    if up == down:
        return values.astype(np.float64)
    bank = _bank(up, down)
    margin = bank.shape[1] // 2
    places = np.arange(-(-len(values) * up // down)) * down
    padded = np.pad(values.astype(np.float64), margin)
    windows = np.lib.stride_tricks.sliding_window_view(padded, bank.shape[1])[places // up]
    return np.einsum("ij,ij->i", windows, bank[places % up])


def needed(samples: int, rate: int, wanted: int) -> int:
    """Return how many samples at one rate decide the first samples at another."""
    return math.ceil(samples * rate / wanted) + REACH * max(1, math.ceil(rate / wanted)) + 1


def _bank(up: int, down: int) -> ndarray:
    """Return (up, taps) float64: for each place between two samples, the weights of the samples around it."""
    longest = max(up, down)
    half = REACH * longest
    steps = np.arange(-half, half + 1)
    taps = np.sinc(steps / longest) * np.kaiser(len(steps), SHAPE)
    taps *= up / taps.sum()
    margin = half // up + 1
    at = np.arange(up)[:, None] - np.arange(-margin, margin + 1) * up + half
    return np.where((at >= 0) & (at < len(taps)), taps[at.clip(0, len(taps) - 1)], 0.0)
