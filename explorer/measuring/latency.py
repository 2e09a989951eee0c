"""Models -> milliseconds, measured in turns; and whether one is faster than the other beyond noise.

The models take turns, in reverse order every other round, so that a drifting clock or another program slows
all of them alike. Ratios within a round are compared, not two medians from different minutes.
"""

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..background.side_thread import until_quiet
from ..values.progress import PAUSE, Step, Work
from .memory_layout import laid_out

WARM_UP_ROUNDS = 3
FEWEST_ROUNDS = 6  # the extremes of fewer ratios enclose the true median less often than 95 % of the time
RESAMPLES = 2000
Times = Mapping[str, Sequence[float]]  # model -> milliseconds, one per round
SpeedVerdict = Literal["faster", "slower", "not distinguishable"]


@dataclass(frozen=True)
class Timing:
    """Milliseconds that a forward of `batch` samples took, per model and round, and where.

    Args:
        times_ms: model -> one time per round; equal positions of two models were measured next to each other.
        batch: samples in one forward.
        environment: device, threads, versions.
    """

    times_ms: Mapping[str, tuple[float, ...]]
    batch: int
    environment: Mapping[str, Any]

    @property
    def latency_ms(self) -> dict[str, dict[str, float]]:
        """Return model -> median, p10, p90 (milliseconds per batch) and batch, as in a Measurement."""
        return {name: summary(times) | {"batch": self.batch} for name, times in self.times_ms.items()}


@dataclass(frozen=True)
class SpeedUp:
    """Time before / time after (above 1 is faster), its interval, and the verdict."""

    ratio: float
    low: float
    high: float
    verdict: SpeedVerdict

    def to_json(self) -> dict[str, Any]:
        return {"ratio": self.ratio, "low": self.low, "high": self.high, "verdict": self.verdict}


@dataclass(frozen=True)
class TimingPlan:
    """How often forwards are timed.

    Args:
        batch: samples in one forward.
        pairs: maximum number of rounds; in each, every model runs once.
        budget_s: seconds, including the warm-up, after which no round begins.
    """

    batch: int = 1
    pairs: int = 30
    budget_s: float = 3.0


USUAL = TimingPlan()


def summary(times_ms: Sequence[float]) -> dict[str, float]:
    """Return median, 10th and 90th percentile of some times.

    >>> summary([1.0, 2.0, 3.0, 4.0, 100.0])["median"]
    3.0
    """
    levels = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    p10, median, p90 = torch.tensor(times_ms, dtype=torch.float64).quantile(levels).tolist()
    return {"median": median, "p10": p10, "p90": p90}


def rounds(
    models: Mapping[str, nn.Module],
    example: Tensor,
    plan: TimingPlan = USUAL,
    *,
    device: str | torch.device = "cpu",
    pauses: bool = False,
) -> Work[dict[str, float]]:
    """Time every model once per round, in turns. Yields, after each round, model -> milliseconds of that
    round.

    Steps without a value come after each warm-up round, and until nothing runs next to the worker. Works on
    copies, on the device, in channels_last for images; the given models are not changed. Ends when the plan
    says so, but not before six rounds: fewer allow no verdict.

    Args:
        models: name -> model in eval mode.
        example: (n, *shape) input; its rows are repeated to the batch.
        pauses: also yield after each forward, for rounds that take long.
    """
    device = torch.device(device)
    ready, inputs = _prepare(models, example, plan.batch, device)
    yield from until_quiet()
    started = time.perf_counter()
    for turn in range(WARM_UP_ROUNDS):
        if turn and time.perf_counter() - started > plan.budget_s / 3:
            break
        for model in ready.values():
            forward_ms(model, inputs, device)
            if pauses:
                yield PAUSE
        yield PAUSE
    for turn in range(max(plan.pairs, FEWEST_ROUNDS)):
        if turn >= FEWEST_ROUNDS and time.perf_counter() - started > plan.budget_s:
            return
        order = list(ready) if turn % 2 == 0 else list(reversed(ready))
        times = {}
        for name in order:
            times[name] = forward_ms(ready[name], inputs, device)
            if pauses:
                yield PAUSE
        yield Step({name: times[name] for name in ready})


def median_ratio(
    above: Sequence[float], below: Sequence[float], *, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the median of the ratios of pairs, and its interval: percentile bootstrap over pairs.

    Efron 1979, doi:10.1214/aos/1176344552.
    Raises: ValueError: the numbers are not paired, or there are none.

    >>> median_ratio([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    (2.0, 2.0, 2.0)
    """
    if not above or len(above) != len(below):
        raise ValueError(f"Times must come in pairs, got {len(above)} and {len(below)}.")
    ratios = torch.tensor(above, dtype=torch.float64) / torch.tensor(below, dtype=torch.float64)
    drawn = torch.randint(
        len(ratios), (RESAMPLES, len(ratios)), generator=torch.Generator().manual_seed(seed)
    )
    medians = ratios[drawn].quantile(0.5, dim=1)
    low, high = medians.quantile(
        torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    ).tolist()
    return ratios.quantile(0.5).item(), low, high


def faster(
    dense_ms: Sequence[float], pruned_ms: Sequence[float], *, seed: int = 0, level: float = 0.95
) -> SpeedUp:
    """Is the second model faster? The median of the ratios within rounds, with a bootstrap interval.

    Fewer than six rounds are never distinguishable.

    Raises: ValueError: the times are not paired, or there are none.

    >>> faster([2.0] * 10, [1.0] * 10)
    SpeedUp(ratio=2.0, low=2.0, high=2.0, verdict='faster')
    """
    ratio, low, high = median_ratio(dense_ms, pruned_ms, seed=seed, level=level)
    verdict: SpeedVerdict = "not distinguishable"
    if len(dense_ms) >= FEWEST_ROUNDS and (low > 1 or high < 1):
        verdict = "faster" if low > 1 else "slower"
    return SpeedUp(ratio, low, high, verdict)


def _prepare(
    models: Mapping[str, nn.Module], example: Tensor, batch: int, device: torch.device
) -> tuple[dict[str, nn.Module], Tensor]:
    """Return copies of the models in eval mode, and a (batch, *shape) input, on the device."""
    layout = torch.channels_last if example.dim() == 4 else torch.contiguous_format
    rows = torch.arange(batch) % len(example)
    inputs = example.detach().cpu()[rows].to(device).contiguous(memory_format=layout)
    # the models are shared between users: moving one, or changing its memory layout, would change it for all
    return {name: laid_out(copy.deepcopy(model), device).eval() for name, model in models.items()}, inputs


def forward_ms(model: nn.Module, inputs: Tensor, device: torch.device) -> float:
    """Return milliseconds of one forward, until the device has really finished it."""
    with torch.inference_mode():
        _synchronise(device)
        started = time.perf_counter()
        model(inputs)
        _synchronise(device)
        return (time.perf_counter() - started) * 1000


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
