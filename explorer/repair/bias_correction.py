"""A cheap repair: moves biases until every layer's mean output is that of the dense model again.

Removed weights shift the mean of a layer's output; its bias can undo that without any training (Nagel et al.
2019, arXiv:1906.04721, section 4.2, there for quantisation).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..pruning.masks import positions
from ..values.profile import Masks, ModelProfile
from ..values.samples import Split
from ..values.subject import Normalisation

SAMPLES = 1024
# in the one batch: all samples pass at once, so that later layers see the corrected earlier ones
NUMBERS = 4_000_000
LEAST_SAMPLES = 32


def correct_biases(
    model: nn.Module,
    dense: nn.Module,
    training: Split,
    normalisation: Normalisation,
    kept: Mapping[str, Tensor],
    *,
    device: str = "cpu",
) -> int:
    """Move the bias of each layer and norm so that each channel's mean over training samples and positions is
    the dense one's.

    Changes `model`, which is the compact copy; the outputs of `dense`, which nothing else may run meanwhile,
    are read. Layers without a bias, and those that run more than once, are not changed. In the order in which
    they run, each is corrected on the corrected output of those before.

    Args:
        kept: layer -> (out,) bool, which outputs are left; layers that lost none are missing.
    Returns: how many layers were corrected.
    """
    samples = samples_for(training)
    if not samples:
        return 0
    inputs = normalisation(training.inputs[:samples])
    names = _with_bias(model, dense)
    wanted = _means(dense, names, inputs)
    corrected: list[str] = []

    def correct(name: str, module: nn.Module, output: Tensor) -> Tensor:
        target = wanted[name][kept[name]] if name in kept else wanted[name]
        shift = target.to(output.device) - _channel_mean(module, output)
        bias = module.get_parameter("bias")
        bias.add_(shift.to(bias.dtype))
        corrected.append(name)
        return output + shift.to(output.dtype).view(_broadcast(module, output))

    with torch.no_grad(), _hooked(model, list(wanted), correct):
        model(inputs.to(device))
    return len(corrected)


def samples_for(training: Split) -> int:
    """Return how many training samples pass at once."""
    each = max(1, training.inputs[:1].numel())
    return min(len(training), SAMPLES, max(LEAST_SAMPLES, NUMBERS // each))


def kept_outputs(profile: ModelProfile, masks: Masks) -> dict[str, Tensor]:
    """Return layer -> (out,) bool for the layers whose bias lost entries."""
    cut = positions(profile, masks.channels)
    return {name.removesuffix(".bias"): dims[0] for name, dims in cut.items() if name.endswith(".bias")}


def _with_bias(model: nn.Module, dense: nn.Module) -> list[str]:
    """Return modules of both models that have their own bias under the same name."""
    theirs = dict(dense.named_modules())
    return [
        name
        for name, module in model.named_modules()
        if name in theirs
        and all(isinstance(getattr(m, "bias", None), nn.Parameter) for m in (module, theirs[name]))
    ]


def _means(model: nn.Module, names: list[str], inputs: Tensor) -> dict[str, Tensor]:
    """Return layer -> (out,) mean output; layers that ran more than once are left out."""
    means: dict[str, Tensor] = {}
    calls: dict[str, int] = {}

    def note(name: str, module: nn.Module, output: Tensor) -> None:
        means[name], calls[name] = _channel_mean(module, output), calls.get(name, 0) + 1

    with torch.no_grad(), _hooked(model, names, note):
        model(inputs.to(next(model.parameters()).device))
    return {name: mean for name, mean in means.items() if calls[name] == 1}


def _channel_dim(module: nn.Module, output: Tensor) -> int:
    return output.dim() - 1 if isinstance(module, nn.Linear | nn.LayerNorm) else 1


def _channel_mean(module: nn.Module, output: Tensor) -> Tensor:
    return output.movedim(_channel_dim(module, output), 0).flatten(1).double().mean(1)


def _broadcast(module: nn.Module, output: Tensor) -> list[int]:
    return [-1 if d == _channel_dim(module, output) else 1 for d in range(output.dim())]


@contextmanager
def _hooked(
    model: nn.Module, names: list[str], see: Callable[[str, nn.Module, Tensor], Any]
) -> Iterator[None]:
    """Call `see` with every output of these modules; what it returns replaces the output."""
    modules = dict(model.named_modules())

    def seen(name):
        return lambda module, args, output: see(name, module, output)

    handles = [modules[name].register_forward_hook(seen(name)) for name in names]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
