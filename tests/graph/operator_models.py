"""An operator of torch's own list between two layers, in the shapes of its sample inputs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

Layout = Literal["channels", "features"]
Squash = Literal["none", "unit", "above_one"]
BATCH, INPUT = 4, 3  # samples that are tried; channels of the model's input
LARGEST = 4_000  # numbers in one sample of a value
PIVOTS = torch.int32  # torch.lu_unpack writes out of bounds unless there are as many as matrices
CONVS = {3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}


@dataclass(frozen=True)
class Case:
    """One way to put an operator between layers.

    Args:
        name: of the operator, with its variant.
        function: called with tensors and the sample's own arguments.
        arguments: a tree in which `Made(i)` is the i-th value that a layer makes, `Held(i)` a buffer.
        sources: the shape of one sample of each made value.
        held: the buffers; one whose first extent was the batch is repeated for each sample.
        batched: which buffers those are.
        layout: channels along dimension 1 (convolutions), or along the last one (linear layers).
        squash: where the source values are brought to, for operators that do not take all numbers.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, dict[str, Any]]
    sources: tuple[tuple[int, ...], ...]
    held: tuple[Tensor, ...]
    batched: tuple[bool, ...]
    layout: Layout
    squash: Squash = "none"

    @property
    def channel(self) -> int:
        """The dimension of a made value (with its batch) along which its units are."""
        return 1 if self.layout == "channels" else len(self.sources[0])

    def call(self, made: list[Tensor], held: list[Tensor]) -> Any:
        """The operator on made values of any batch."""
        samples = len(made[0])
        whole = [_repeated(t, samples) if b else t for t, b in zip(held, self.batched, strict=True)]
        squashed = [_squashed(value, self.squash) for value in made]
        args, kwargs = tree_map(
            lambda item: item.pick(squashed, whole) if isinstance(item, Made | Held) else item, self.arguments
        )
        return first_float(self.function(*args, **kwargs))

    def text(self) -> str:
        """What tells this case from others of its operator."""
        shapes = ", ".join("x".join(map(str, shape)) for shape in self.sources)
        return f"{self.layout} {shapes}" + (f" + {len(self.held)} held" if self.held else "")


@dataclass(frozen=True)
class Made:
    index: int

    def pick(self, made: list[Tensor], held: list[Tensor]) -> Tensor:
        return made[self.index]


@dataclass(frozen=True)
class Held:
    index: int

    def pick(self, made: list[Tensor], held: list[Tensor]) -> Tensor:
        return held[self.index]


class Between(nn.Module):
    """A layer for each made value, the operator, and a layer that reads what it gives."""

    def __init__(self, case: Case):
        super().__init__()
        self.case = case
        self.before = nn.ModuleList(_layer(case, shape[case.channel - 1]) for shape in case.sources)
        for index, tensor in enumerate(case.held):
            self.register_buffer(f"held{index}", tensor.clone())
        self.after: nn.Module = nn.Identity()

    def given(self, x: Tensor) -> Tensor:
        """What the operator gives: (batch, ...)."""
        held = [getattr(self, f"held{index}") for index in range(len(self.case.held))]
        return self.case.call([layer(x) for layer in self.before], held)

    def forward(self, x: Tensor) -> Tensor:
        value = self.given(x)
        value = value.unsqueeze(1) if value.dim() == 1 else value
        if self.case.layout == "channels" and value.dim() > 5:
            value = value.flatten(2)
        return self.after(value)


def example(case: Case, batch: int = 2, seed: int = 0) -> Tensor:
    """(batch, *shape): what the model reads."""
    generator = torch.Generator().manual_seed(seed)
    shape = list(case.sources[0])
    shape[case.channel - 1] = INPUT
    return torch.randn(batch, *shape, generator=generator)


def model_of(case: Case) -> Between:
    """The model with random weights from one seed.

    Raises:
        anything: the operator does not run in this case.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Between(case).eval()
        with torch.no_grad():
            value = model.given(example(case))
        rank = max(value.dim(), 2)
        if case.layout == "features" or rank == 2:
            model.after = nn.Linear(value.shape[-1] if value.dim() > 1 else 1, 3)
        else:
            model.after = CONVS[rank if rank < 6 else 3](value.shape[1], 3, 1)
        return model.eval()


def _layer(case: Case, units: int) -> nn.Module:
    rank = len(case.sources[0]) + 1
    if case.layout == "features" or rank == 2:
        return nn.Linear(INPUT, units)
    return CONVS[rank](INPUT, units, 1)


def _repeated(tensor: Tensor, samples: int) -> Tensor:
    return tensor[:1].expand(samples, *tensor.shape[1:])


def _squashed(value: Tensor, squash: Squash) -> Tensor:
    if squash == "none":
        return value
    return torch.sigmoid(value) * 0.8 + (0.1 if squash == "unit" else 1.1)


def first_float(output: Any) -> Tensor:
    """The first tensor in what an operator gives, as fractions: a complex one as its magnitude, a comparison
    as 0 and 1; a tensor of fractions goes before others.

    Raises:
        TypeError: there is none.
    """
    items = output if isinstance(output, list | tuple) else [output]
    tensors = [item for item in items if isinstance(item, Tensor)]
    for item in sorted(tensors, key=lambda item: not (item.is_floating_point() or item.is_complex())):
        return item.abs().float() if item.is_complex() else item.float()
    raise TypeError("The operator gives no tensor.")


# --------------------------------------------------------------------------- from samples


def cases_of(op: Any, most: int) -> Iterator[Case]:
    """Cases of one operator that make sense: each sample is answered alone, by finite numbers that vary.

    Args:
        op: an entry of torch's list.
        most: of them.
    """
    seen: set[str] = set()
    count = 0
    for sample in islice(op.sample_inputs("cpu", torch.float32), 60):
        for case in _ways(op, sample):
            key = f"{case.layout} {[len(s) for s in case.sources]} {_literals(case)}"
            if key in seen or count >= most:
                continue
            fitted = _fitting(case)
            if fitted is not None:
                seen.add(key)
                count += 1
                yield fitted


def _literals(case: Case) -> str:
    def kind(item: Any) -> Any:
        return type(item).__name__ if isinstance(item, float) else item

    return str(tree_map(kind, case.arguments))[:300]


def _ways(op: Any, sample: Any) -> Iterator[Case]:
    """With the first dimension as the batch, and with a batch in front; with other tensors of the same shape
    held, and made by layers of their own.
    """
    inputs = sample.input if isinstance(sample.input, list | tuple) else [sample.input]
    if not inputs or not all(isinstance(t, Tensor) and t.layout is torch.strided for t in inputs):
        return
    if not all(t.is_floating_point() and 0 < t.numel() <= LARGEST for t in inputs):
        return
    shape = tuple(inputs[0].shape)
    for front in (False, True):
        own = shape if front else shape[1:]
        if not own:
            own = (5,) if not shape else ()
        if not own or len(own) > 4:
            continue
        for several in (True, False):
            case = _case(op, sample, own, front, several)
            if case is None:
                continue
            for layout in ("channels", "features") if len(own) > 1 else ("features",):
                place = 0 if layout == "channels" else -1
                if all(len(s) == len(own) and s[place] > 1 for s in case.sources):
                    yield replace(case, layout=layout)


def _case(op: Any, sample: Any, own: tuple[int, ...], front: bool, several: bool) -> Case | None:
    shape = tuple(sample.input.shape) if isinstance(sample.input, Tensor) else None
    shapes: list[tuple[int, ...]] = []
    held: list[Tensor] = []
    batched: list[bool] = []

    def make(tensor: Tensor) -> Made:
        shapes.append(own if tensor.dim() == 0 else tuple(tensor.shape if front else tensor.shape[1:]))
        return Made(len(shapes) - 1)

    def hold(item: Any) -> Any:
        if not isinstance(item, Tensor):
            return item
        alike = shape is not None and item.is_floating_point() and tuple(item.shape) == shape and shape
        if alike and several:
            return make(item)
        ranked = item.dim() == len(shape or ()) or item.dtype is PIVOTS
        leads = bool(shape) and ranked and item.dim() > 0 and not front
        held.append(item.detach().clone())
        batched.append(leads and item.shape[0] == (shape or (0,))[0] and item.shape[0] > 1)
        return Held(len(held) - 1)

    if isinstance(sample.input, Tensor):
        entering: Any = make(sample.input)
    else:
        entering = [make(tensor) for tensor in sample.input]
        if any(not shape_ for shape_ in shapes):
            return None
    rest = tree_map(hold, (tuple(sample.args), dict(sample.kwargs)))
    if several and len(shapes) == 1:
        return None  # the same as with all others held
    if any(t.dtype is PIVOTS and not b for t, b in zip(held, batched, strict=True)):
        return None
    arguments = ((entering, *rest[0]), rest[1])
    return Case(op.full_name, op.op, arguments, tuple(shapes), tuple(held), tuple(batched), "features")


def _fitting(case: Case) -> Case | None:
    """The case with made values where the operator gives finite ones; None where it does not run, or samples
    meet.
    """
    for squash in ("none", "unit", "above_one"):
        tried = replace(case, squash=squash)
        try:
            if _answers_each_alone(tried):
                return tried
        except Exception:  # an operator refuses what it cannot read in many ways
            continue
    return None


def _answers_each_alone(case: Case) -> bool:
    model, x = Between(case).eval(), example(case, BATCH)
    model.given(x)  # some refuse what has gradients
    with torch.no_grad():
        torch.manual_seed(1)
        whole = model.given(x)
        alone = torch.cat([model.given(part) for part in x.split(1)])
        torch.manual_seed(2)
        again = model.given(x)
    if whole.dim() == 0 or len(whole) != BATCH or whole.numel() < 2 or whole.numel() > BATCH * LARGEST:
        return False
    if not bool(whole.isfinite().all()):
        return False
    if not torch.equal(whole, again):  # random: samples cannot be told apart
        return whole.shape == alone.shape
    varies = float((whole - whole[:1]).abs().max()) > 1e-6
    return varies and whole.shape == alone.shape and torch.allclose(whole, alone, atol=1e-4)
