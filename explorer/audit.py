"""Proof of a compaction: compact against masked in float64 on a conditioned copy, with a negative control that must fail."""

import copy
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from .compaction import alive_labels, compact
from .engine import allocate, decide
from .errors import ExplorerError
from .graph.coupling import op_name
from .graph.export import ModelGraph, count_macs
from .graph.labels import Labelled
from .graph.rewriting import Survivors
from .masking import expand, positions
from .values import Masks, Recipe, Slot, Subject

TOLERANCE = 1e-8  # largest relative difference of a right wiring, in float64
REJECTED = 1e-4  # a wrong wiring must move the outputs by at least this much
BATCH, LARGE_BATCH = 4, 2  # of ordinary inputs, and of those with more than 50,000 values


@dataclass(frozen=True)
class AuditReport:
    """What an audit found.

    Args:
        frozen: name and reason of each group that cannot be pruned.
        max_rel_diff: largest difference of the outputs, relative to how much they vary over inputs; None = not computed.
        negative_control: the same after two kept indices of one slot were swapped: the median over a few slots.
        verified: every check was made and passed.
        reason: why it is not verified, or None.
        peak_memory_bytes: of the whole process until now.
    """

    model: str
    groups: int
    frozen: tuple[Mapping[str, str], ...]
    params_before: int
    params_after: int | None
    macs_before: int
    macs_after: int | None
    max_rel_diff: float | None
    negative_control: float | None
    verified: bool
    reason: str | None
    seconds: float
    peak_memory_bytes: int

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "frozen": [dict(item) for item in self.frozen]}


def audit(subject: Subject, graph: ModelGraph, recipe: Recipe | None = None, *, ratio: float = 0.5) -> AuditReport:
    """Prune, compact and compare; without a recipe every free group loses `ratio` of its units."""
    started = time.perf_counter()
    profile = graph.profile
    frozen = tuple({"name": g.name, "reason": g.frozen} for g in profile.groups if g.frozen)
    result = AuditReport(subject.name, len(profile.groups), frozen, profile.params, None, profile.macs, None, None, None, False,
                         profile.error, 0.0, 0)  # fmt: skip
    if graph.program is not None:
        chosen = recipe or allocate(subject, graph, Recipe(), "uniform", ratio, "channel")
        result = _compare(subject, graph, decide(subject, graph, chosen).masks, result)
    return replace(result, seconds=time.perf_counter() - started, peak_memory_bytes=_peak_memory())


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _compare(subject: Subject, graph: ModelGraph, masks: Masks, result: AuditReport) -> AuditReport:
    try:
        small = compact(subject, graph, masks)
        result = replace(result, params_after=_params(small), macs_after=count_macs(small, subject.example[:1]))
        state = conditioned_state(subject)
        inputs = _random_inputs(subject)
        twin = as_double(compact(subject, graph, masks, state=state))
        with torch.no_grad():
            expected = _flat(masked_forward(subject, graph, masks, state, inputs))
            found = _flat(twin(inputs))
            difference = relative_difference(found, expected)
            control = _negative_control(graph, masks, twin, inputs, expected)
    except (ExplorerError, RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        return replace(result, reason=f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300]}")
    reason = _why_not(masks, expected, difference, control)
    return replace(result, max_rel_diff=difference, negative_control=control, verified=reason is None, reason=reason)


def _params(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def _flat(outputs: Any) -> Tensor:
    """All tensors of an output structure as (batch, values)."""
    leaves = [leaf for leaf in torch.utils._pytree.tree_leaves(outputs) if isinstance(leaf, Tensor)]
    return torch.cat([leaf.double().flatten(1) for leaf in leaves], 1)


def relative_difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to how much the outputs vary over inputs: a constant part would hide it."""
    spread = (expected.amax(0) - expected.amin(0)).max().clamp(min=1e-300)
    return float((found - expected).abs().max() / spread)


def _why_not(masks: Masks, expected: Tensor, difference: float, control: float | None) -> str | None:
    varies = float(expected.std(0).max() / expected.abs().max().clamp(min=1e-300))
    if not masks.channels:
        return "no channels were removed, so there is nothing to prove"
    if not varies > 1e-6:
        return "the outputs do not vary over inputs, so a comparison proves nothing"
    if not difference <= TOLERANCE:
        return f"compact and masked model differ by {difference:.2e}, allowed is {TOLERANCE:.0e}"
    if control is None:
        return "no slot with two kept units was found for the negative control"
    weak = f"the negative control moved the outputs by {control:.2e} only, needed is {REJECTED:.0e}"
    return None if control > REJECTED else weak


# --------------------------------------------------------------------------- the conditioned copy


def conditioned_state(subject: Subject, seed: int = 0) -> dict[str, Tensor]:
    """float64 tensors under which a wrong wiring shows: no zero or constant parameters, norm statistics of one real pass."""
    model = copy.deepcopy(subject.model).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            _redraw(parameter, generator)
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    for norm in norms:
        norm.train()
        norm.momentum = None
        norm.reset_running_stats()
    with torch.no_grad():
        as_double(model)(_random_inputs(subject, seed + 1))
    return {name: tensor.detach() for name, tensor in model.state_dict().items()}


def _redraw(parameter: Tensor, generator: torch.Generator) -> None:
    largest = float(parameter.abs().max()) if parameter.numel() else 0.0
    constant = parameter.numel() > 1 and bool((parameter == parameter.flatten()[0]).all())
    if largest >= 1e-3 and not constant:
        return
    drawn = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
    if parameter.dim() <= 1 or (constant and largest >= 1e-3):
        parameter.copy_(drawn + 0.5 if largest >= 1e-3 else drawn - 0.5)
    else:
        parameter.copy_((drawn - 0.5) * 2 * parameter[0].numel() ** -0.5)


def _random_inputs(subject: Subject, seed: int = 7) -> Tensor:
    """(batch, *shape) float64 noise, fine and coarse, so that values that are pooled vary too."""
    example = subject.example
    batch = LARGE_BATCH if example[0].numel() > 50_000 else BATCH
    if not example.is_floating_point():
        return example[:1].repeat(batch, *(1,) * (example.dim() - 1))
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, *example.shape[1:])
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    for factor in (8, 32) if len(shape) > 2 else ():
        coarse = [*shape[:2], *(-(-extent // factor) for extent in shape[2:])]
        blocks = torch.randn(coarse, generator=generator, dtype=torch.float64)
        for dim in range(2, len(shape)):
            blocks = blocks.repeat_interleave(factor, dim).narrow(dim, 0, shape[dim])
        noise = noise + blocks
    return noise


def as_double(model: nn.Module) -> nn.Module:
    """In place: a graph's literal float32 becomes float64 too."""
    if isinstance(model, fx.GraphModule):
        for node in model.graph.nodes:
            node.args, node.kwargs = (fx.node.map_aggregate(v, _double_dtype) for v in (node.args, node.kwargs))
        model.recompile()
    return model.double()


def _double_dtype(item: Any) -> Any:
    return torch.float64 if item is torch.float32 else item


# --------------------------------------------------------------------------- the masked reference


def masked_forward(subject: Subject, graph: ModelGraph, masks: Masks, state: Mapping[str, Tensor], inputs: Tensor) -> Any:
    """The dense graph with masked parameters; norms, means and softmaxes take their statistics over kept positions only."""
    program, coupling = graph.program, graph.coupling
    assert program is not None and coupling is not None
    left = Survivors(coupling, alive_labels(graph, masks))
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    shapes |= {name: tuple(t.shape) for name, t in program.constants.items() if isinstance(t, Tensor)}
    hidden = expand(masks, graph.profile, shapes)
    env: dict[str, Any] = {}
    readers = {node.name: len(node.users) for node in program.graph.nodes}
    for node in program.graph.nodes:
        look_up = lambda item: fx.node.map_arg(item, lambda n: env[n.name])  # noqa: E731
        if node.op == "placeholder":
            env[node.name] = _tensor(program, names[node.name], state, hidden) if node.name in names else inputs
        elif node.op == "output":
            return look_up(node.args[0])
        else:
            env[node.name] = _masked_call(node, look_up(node.args), look_up(node.kwargs), left)
        for read in node.all_input_nodes:  # memory: nothing is kept after its last reader
            readers[read.name] -= 1
            if not readers[read.name]:
                del env[read.name]
    raise AssertionError("The exported graph has no output.")


def _tensor(program: Any, name: str, state: Mapping[str, Tensor], hidden: Mapping[str, Tensor]) -> Tensor:
    tensor = state[name] if name in state else program.constants[name]
    tensor = tensor.double() if tensor.is_floating_point() else tensor
    return tensor * hidden[name] if name in hidden else tensor


def _masked_call(node: fx.Node, args: Any, kwargs: Any, left: Survivors) -> Any:
    args, kwargs = (fx.node.map_aggregate(v, _double_dtype) for v in (args, kwargs))
    target: Any = node.target
    source: Any = node.args[0] if node.args else None
    name = op_name(target).rstrip("_")
    if name in ("matmul", "mm", "bmm", "scaled_dot_product_attention"):
        args = tuple(_zeroed(a, n, left) for a, n in zip(args, node.args, strict=False)) + tuple(args[len(node.args) :])
    if name in STATISTICS and isinstance(source, fx.Node):
        kept = _kept_mask(left.coupling.values[source.name], left)
        if kept is not None:
            return STATISTICS[name](args, kwargs, kept)
    if name == "batch_norm" and left.kept(left.coupling.values[source.name]) and len(args) > 4 and args[4] is not None:
        args = (*args[:4], torch.where(args[4] == 0, torch.ones_like(args[4]), args[4]), *args[5:])
    return target(*args, **kwargs)


def _kept_mask(value: Any, left: Survivors) -> Tensor | None:
    """A broadcastable bool of the kept positions of a value, or None when all are."""
    if not isinstance(value, Labelled) or not left.kept(value):
        return None
    mask = torch.ones((1,) * len(value.shape), dtype=torch.bool)
    for dim, line in left.kept(value).items():
        mask = mask & line.view([-1 if d == dim else 1 for d in range(len(value.shape))])
    return mask


def _zeroed(argument: Any, node: Any, left: Survivors) -> Any:
    mask = _kept_mask(left.coupling.values.get(node.name), left) if isinstance(node, fx.Node) else None
    return argument if mask is None else argument * mask


Statistic = Callable[[Any, Any, Tensor], Tensor]


def _moments(x: Tensor, kept: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
    weight = kept.expand(x.shape).double()
    count = weight.sum(dims, keepdim=True)
    mean = (x * weight).sum(dims, keepdim=True) / count
    return mean, ((x - mean).square() * weight).sum(dims, keepdim=True) / count


def _layer_norm(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    x, shape, weight, bias, eps = [*args, *[None] * 5][:5]
    mean, variance = _moments(x, kept, list(range(-len(shape), 0)))
    result = (x - mean) / (variance + (1e-5 if eps is None else eps)).sqrt()
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


def _rms_norm(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    x, shape, weight, eps = [*args, *[None] * 4][:4]
    square, _ = _moments(x.square(), kept, list(range(-len(shape), 0)))
    result = x / (square + (torch.finfo(torch.float32).eps if eps is None else eps)).sqrt()
    return result if weight is None else result * weight


def _group_norm(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    x, groups, weight, bias, eps = [*args, *[None] * 5][:5]
    split = (x.shape[0], groups, -1)
    mean, variance = _moments(x.reshape(split), kept.expand(x.shape).reshape(split), [2])
    result = ((x.reshape(split) - mean) / (variance + (1e-5 if eps is None else eps)).sqrt()).reshape(x.shape)
    lifted = (1, -1) + (1,) * (x.dim() - 2)
    result = result if weight is None else result * weight.view(lifted)
    return result if bias is None else result + bias.view(lifted)


def _mean(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    x, dims = args[0], args[1] if len(args) > 1 else kwargs.get("dim")
    keep = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
    dims = [dims] if isinstance(dims, int) else list(dims or range(x.dim()))
    weight = kept.expand(x.shape).to(x.dtype)
    return (x * weight).sum(dims, keepdim=keep) / weight.sum(dims, keepdim=keep).clamp(min=1)


def _summed(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    x, dims = args[0], args[1] if len(args) > 1 else kwargs.get("dim")
    keep = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
    return (x * kept).sum(dims if dims is not None else list(range(x.dim())), keepdim=keep)


def _largest(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    hidden = args[0].masked_fill(~kept, -torch.inf)
    found = torch.ops.aten.amax.default(hidden, *args[1:], **kwargs)
    return found.masked_fill(found == -torch.inf, 0)


def _vector_norm(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    return torch.ops.aten.linalg_vector_norm.default(args[0] * kept, *args[1:], **kwargs)


def _softmax(args: Any, kwargs: Any, kept: Tensor) -> Tensor:
    return args[0].masked_fill(~kept, -torch.inf).softmax(args[1]).nan_to_num(0.0)


STATISTICS: dict[str, Statistic] = {
    "layer_norm": _layer_norm, "rms_norm": _rms_norm, "group_norm": _group_norm, "mean": _mean, "sum": _summed,
    "amax": _largest, "linalg_vector_norm": _vector_norm, "softmax": _softmax,
}  # fmt: skip


# --------------------------------------------------------------------------- the negative control


def _negative_control(graph: ModelGraph, masks: Masks, twin: nn.Module, inputs: Tensor, expected: Tensor) -> float | None:
    """Swap two kept positions on one slot only; the median difference over the first, middle and last such slot."""
    candidates = _swappable(graph, masks, twin)
    chosen = {0, len(candidates) // 2, len(candidates) - 1} if candidates else set()
    differences = sorted(_swapped(twin, *candidates[i], inputs, expected) for i in chosen)
    return differences[len(differences) // 2] if differences else None


def _swappable(graph: ModelGraph, masks: Masks, twin: nn.Module) -> list[tuple[Tensor, int, int, int]]:
    """(tensor, dim, a, b): weights that read a group of which at least two units are kept."""
    tensors = dict(twin.named_parameters(remove_duplicate=False))
    surviving = positions(graph.profile, masks.channels)
    found: list[tuple[Tensor, int, int, int]] = []
    for group in graph.profile.free_groups.values():
        for slot in group.slots:
            if slot.producer or slot.tensor not in tensors or tensors[slot.tensor].dim() < 2:
                continue
            pair = _two_kept(slot, surviving.get(slot.tensor, {}).get(slot.dim))
            if pair is not None:
                found.append((tensors[slot.tensor], slot.dim, *pair))
                break
    return found


def _two_kept(slot: Slot, line: Tensor | None) -> tuple[int, int] | None:
    """Two positions of different kept units, as numbered after the cut.

    Args:
        line: (size,) bool, the positions of the slot that survive; None = all.
    """
    kept = slot.units >= 0 if line is None else (slot.units >= 0) & line
    renumbered = (torch.ones_like(kept) if line is None else line).cumsum(0) - 1
    old = kept.nonzero().flatten()
    other = old[slot.units[old] != slot.units[old[0]]] if len(old) else old
    return (int(renumbered[old[0]]), int(renumbered[other[0]])) if len(other) else None


def _swapped(twin: nn.Module, tensor: Tensor, dim: int, a: int, b: int, inputs: Tensor, expected: Tensor) -> float:
    order = torch.arange(tensor.shape[dim])
    order[[a, b]] = order[[b, a]]
    original = tensor.detach().clone()
    try:
        tensor.data = original.index_select(dim, order)
        return relative_difference(_flat(twin(inputs)), expected)
    finally:
        tensor.data = original
