"""A state and inputs under which a wrong wiring is visible: with random weights it can hide behind zeros and
constants.
"""

from typing import Any

import torch
from torch import Tensor, fx
from torch.nn import functional

from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..graph.nodes import op_name
from ..graph.running import fixed_batch
from ..values.inputs import InputPart, from_one_row, in_one_row
from ..values.progress import Returning
from ..values.subject import Subject
from .float64_run import tensor_of, walk
from .random_draws import drawing, seeded

BATCH, LARGE_BATCH = 4, 2  # of ordinary inputs, and of those with more than 50,000 values
TINY = 1e-3  # of a parameter's largest magnitude
WEAK = 0.3  # of the input's size: after a few such weights in a row, a norm's epsilon drowns what is left
SILENT = 1e-3  # of the mean variance


def conditioned_state(model: Analysed, seed: int = 0) -> Returning[dict[str, Tensor]]:
    """Return a state without zero or constant parameters, in which norms have the statistics of one real
    pass; the rest is the model's own.

    What does not change is not copied, so this needs little memory.

    Returns: the names of its state_dict -> tensors.
    """
    program = model.graph.program
    assert program is not None
    state = _redrawn(model.subject, seed)
    names = program.tensors
    seen: dict[str, list[Tensor]] = {}

    numbers = drawing(program.graph.nodes)

    def call(node: fx.Node, args: Any, kwargs: Any) -> Any:
        target: Any = node.target
        if node in numbers:
            with seeded(numbers[node]):
                return target(*args, **kwargs)
        statistics = node.args[3:5] if op_name(target) == "batch_norm" else ()
        buffers = [names.get(n.name) for n in statistics if isinstance(n, fx.Node)]
        if len(buffers) < 2 or None in buffers:
            return target(*args, **kwargs)
        for name, found in zip(buffers, _moments(args[0]), strict=True):
            seen.setdefault(str(name), []).append(found)
        mean, variance = (seen[str(name)][-1] for name in buffers)
        return functional.batch_norm(args[0], mean, variance, args[1], args[2], False, 0.0, args[7])

    def read(name):
        return tensor_of(program, state, name)

    yield from walk(
        program,
        read,
        call,
        portions(random_inputs(model, seed + 1), model.graph)[0],
        "Collecting statistics",
    )
    return {
        **state,
        **{name: torch.stack(found).mean(0).to(state[name].dtype) for name, found in seen.items()},
    }


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance of each channel of (batch, channels, ...); 1 for a silent channel, which would
    otherwise be scaled up.
    """
    variance, mean = torch.var_mean(x, [d for d in range(x.dim()) if d != 1], correction=0)
    return mean, torch.where(variance > SILENT * variance.mean(), variance, 1.0)


def _redrawn(subject: Subject, seed: int) -> dict[str, Tensor]:
    """Return the model's state with constant, zero or tiny parameters redrawn; tied names still share one
    tensor.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = {
        id(p): redraw(p.detach(), generator, name.endswith("weight"))
        for name, p in subject.model.named_parameters()
    }
    state = subject.model.state_dict(keep_vars=True)
    return {name: drawn.get(id(tensor), tensor.detach()) for name, tensor in state.items()}


def redraw(parameter: Tensor, generator: torch.Generator, scales: bool = False) -> Tensor:
    """Return the parameter itself, or, if it could hide a mistake, random numbers of its shape or its own
    enlarged.

    Args:
        scales: the input is multiplied by it, so a small value makes all that follows small.
    """
    if not parameter.numel() or not parameter.is_floating_point():
        return parameter
    low, high = (float(value) for value in parameter.aminmax())
    largest, constant = max(-low, high), parameter.numel() > 1 and low == high
    read = parameter[0].numel() if parameter.dim() else 1  # what one output reads
    if largest >= TINY and not constant:
        gain = float(parameter.square().mean()) ** 0.5 * read**0.5
        return parameter / gain if (scales or parameter.dim() > 1) and 0 < gain < WEAK else parameter
    noise = torch.rand(parameter.shape, generator=generator)
    if parameter.dim() <= 1 or (constant and largest >= TINY):
        return noise.add_(0.5 if largest >= TINY else -0.5)
    return noise.sub_(0.5).mul_(2 * read**-0.5)


def portions(inputs: Tensor, graph: ModelGraph) -> tuple[Tensor, ...]:
    """Return the inputs as the graph reads them: all at once, or in the only batch size that it was written
    for.
    """
    assert graph.program is not None
    return inputs.split(fixed_batch(graph.program) or len(inputs))


def random_inputs(model: Analysed, seed: int = 7) -> Tensor:
    """Return (batch, *shape): float64 noise, fine and coarse, so that pooled values vary too; whole numbers
    of the example.
    """
    example = model.subject.example
    assert model.graph.program is not None
    batch, fixed = (
        (LARGE_BATCH if example[0].numel() > 50_000 else BATCH),
        fixed_batch(model.graph.program) or 1,
    )
    batch = -(-batch // fixed) * fixed
    shape = (batch, *example.shape[1:])
    generator = torch.Generator().manual_seed(seed)
    if len(model.subject.reads) > 1:
        own = from_one_row(example, model.subject.reads)
        parts = zip(model.subject.reads, own, strict=True)
        return in_one_row([_like(value, part, batch, generator) for part, value in parts]).double()
    if not example.is_floating_point():
        return example.flatten()[torch.randint(example.numel(), shape, generator=generator)]
    return _noise(shape, generator)


def _like(value: Tensor, part: InputPart, batch: int, generator: torch.Generator) -> Tensor:
    """Return random numbers for one of several inputs; if its allowed whole numbers are unknown, those of its
    example.
    """
    if not part.is_whole:
        return _noise((batch, *part.shape), generator)
    if part.numbers is not None:
        return part.drawn(batch, generator)
    return value.flatten()[torch.randint(value.numel(), (batch, *part.shape), generator=generator)]


def _noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return fine and coarse noise in float64."""
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    for factor in (8, 32) if len(shape) > 2 else ():
        coarse = [*shape[:2], *(-(-extent // factor) for extent in shape[2:])]
        blocks = torch.randn(coarse, generator=generator, dtype=torch.float64)
        for dim in range(2, len(shape)):
            blocks = blocks.repeat_interleave(factor, dim).narrow(dim, 0, shape[dim])
        noise = noise + blocks
    return noise
