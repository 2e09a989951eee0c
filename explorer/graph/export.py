"""module -> ModelGraph: exported once per model; coupling, MACs, compaction and the drawing use it."""

import threading
import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..errors import GraphError
from ..machine.cache import Cache
from ..machine.collector import without_collector
from ..values.profile import ModelProfile
from ..values.subject import Subject
from .blocks import ResidualBranch, branches
from .compiler_guards import open_guards
from .costs import layers_of_graph, layers_of_modules
from .coupling import Coupling, Walk, has_rule
from .decomposition import write_out_unknown
from .explicit_squeezes import name_squeezed
from .groups import solve
from .inner_heads import with_query_heads
from .kept_programs import keep, kept
from .keyword_names import spell_keywords
from .nested_graphs import write_out
from .program import Program, program_of
from .quiet import counted_apart, without_fast_path, without_log, without_origins
from .refusals import unreadable
from .size_limits import check_analysable, shadow

UNREADABLE = (GraphError, RuntimeError, TypeError, ValueError, LookupError, AttributeError)
EXPORT_LOCK = threading.RLock()  # torch.export is not thread-safe: one export at a time in this process
spell_keywords()
open_guards()
_graphs = Cache(8, "analysed graphs", 2 * 2**30, slow=True)


@dataclass(frozen=True, eq=False)
class ModelGraph:
    """A model's exported program with its coupling; both None if the export failed (see profile.error).

    Args:
        any_size: the program computes with the sizes of its input, not with those of the example.
        branches: the nodes of each residual branch.
    """

    profile: ModelProfile
    program: Program | None = None
    coupling: Coupling | None = None
    any_size: bool = False
    branches: tuple[ResidualBranch, ...] = ()


def export_program(
    model: nn.Module, example: torch.Tensor | tuple[torch.Tensor, ...], *, any_size: bool = False
) -> torch.export.ExportedProgram:
    """Export with a dynamic batch; a model that runs only with its example's batch size is exported static.

    Args:
        example: one input, or a tuple with one for each.
        any_size: leave the other sizes of the input open too, as far as the model's code allows it.
    Raises:
        GraphError: torch.export refuses the model.
    """
    examples = example if isinstance(example, tuple) else (example,)
    with without_fast_path():
        try:
            batch: dict[int, Any] = {0: torch.export.Dim("batch", min=1)}
            rest = torch.export.Dim.AUTO
            shapes = [
                batch | (dict.fromkeys(range(1, one.dim()), rest) if any_size else {}) for one in examples
            ]
            program = _traced(model, examples, dynamic_shapes=tuple(shapes))
        except GraphError:
            if any_size:
                raise
            program = _traced(model, examples)
        write_out(program.graph_module)
        name_squeezed(program.graph_module)
        return program


def _traced(
    model: nn.Module, examples: tuple[torch.Tensor, ...], **options: Any
) -> torch.export.ExportedProgram:
    """Trace the model and return its program.

    Raises:
        GraphError: the model cannot be traced in this way.
    """
    try:
        with without_log(), without_origins():
            return torch.export.export(model, examples, strict=False, **options)
    # tracing runs the model's own code on tensors without values: that code is foreign and may raise
    # anything, as may torch's guards, whose errors have no common class; each of them means that there is no
    # graph, and none may end the program
    except Exception as error:
        raise GraphError(unreadable(error)) from error


def graph_of(subject: Subject) -> ModelGraph:
    """Return the graph of a subject, analysed once and cached for the last few subjects.

    A model that cannot be exported gets a profile of its modules, no groups, and the reason.
    """
    with EXPORT_LOCK:
        known: ModelGraph | None = _graphs.get(subject.id)
        if known is not None:
            return known
        with without_collector():
            graph = _analyse(subject)
        return _graphs.put(subject.id, graph)


def is_analysed(subject: Subject) -> bool:
    """Whether `analyse` would return at once."""
    return _graphs.get(subject.id) is not None


def _analyse(subject: Subject) -> ModelGraph:
    params = sum(p.numel() for p in subject.model.parameters())
    try:
        known = kept(subject)
        if known is not None:
            return _walked(subject, known)
        check_analysable(subject.model, subject.example)
        _check_names(subject.model)
        graph = followed(subject, export_program(subject.model, subject.example))
        assert graph.program is not None
        keep(subject, graph.program, graph.profile)
        return graph
    except UNREADABLE as problem:  # of a graph of any kind
        error = problem if isinstance(problem, GraphError) else _unreadable(problem)
        layers = layers_of_modules(subject.model)
        return ModelGraph(
            ModelProfile(layers, (), params, count_macs(subject.model, subject.example[:1]), str(error))
        )


def followed(subject: Subject, exported: torch.export.ExportedProgram) -> ModelGraph:
    """Return the graph of a subject from its exported program, which must not be used any more.

    Raises:
        one of UNREADABLE: the program cannot be followed.
    """
    write_out_unknown(exported.graph_module, has_rule)
    return _walked(subject, program_of(exported))


def _walked(subject: Subject, program: Program) -> ModelGraph:
    walk = Walk(program, dict(subject.model.named_buffers(remove_duplicate=False))).run()
    layers = layers_of_graph(subject.model, walk)
    rated = {layer.weight for layer in layers}
    coupling = with_query_heads(solve(walk, rated), walk, rated)
    params = sum(p.numel() for p in subject.model.parameters())
    found = branches(program, walk.macs)
    blocks = tuple(branch.block for branch in found)
    profile = ModelProfile(layers, coupling.groups, params, sum(walk.macs.values()), blocks=blocks)
    return ModelGraph(profile, replace(program, counted=walk.counted), coupling, branches=found)


def _check_names(model: nn.Module) -> None:
    """Refuse layer names that end a string literal, since names become code in a rebuilt graph.

    Raises:
        GraphError: there is such a name.
    """
    for name, _ in model.named_modules():
        if not name.isprintable() or any(letter in name for letter in "\"'\\"):
            raise GraphError(
                f"A layer is called {name[:60]!r}; rename it without quotes to prune its channels, weights "
                "can be."
            )


def _unreadable(problem: Exception) -> GraphError:
    first_line = (str(problem).strip().split("\n") or [""])[0][:300]
    return GraphError(
        f"The exported graph cannot be followed ({first_line}); only unstructured pruning is possible."
    )


def count_macs(model: nn.Module, example: torch.Tensor) -> int:
    """Count the multiply-adds for one sample by torch's flop counter, on the meta device, where nothing is
    computed.

    A model that does not run there (it creates tensors on a device of its own) is counted where it is, with
    kernels that the counter does not know replaced by their parts.

    Args:
        example: (1, *shape).
    """
    with torch.no_grad(), without_fast_path(), counted_apart():
        flops = _flops_without_memory(model, example)
        return (_flops_in_parts(model, example) if flops is None else flops) // 2


def _flops_without_memory(model: nn.Module, example: torch.Tensor) -> int | None:
    """Count on the meta device; return None if the model does not run there."""
    try:
        with torch.device("meta"), FlopCounterMode(display=False) as counter:
            if isinstance(model, fx.GraphModule):
                tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
                ghosts = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
                torch.func.functional_call(model, ghosts, (example.to("meta"),))
            else:  # foreign code may keep its results, so it runs on a copy
                shadow(model)(example.to("meta"))
    except Exception:  # foreign code on a device that it was not written for
        return None
    return counter.get_total_flops()


def _flops_in_parts(model: nn.Module, example: torch.Tensor) -> int:
    """Count where the model is, with attention and recurrent layers as the products that they consist of."""
    with (
        warnings.catch_warnings(action="ignore"),  # torch's own flags warn about devices that are not there
        sdpa_kernel(SDPBackend.MATH),
        torch.backends.mkldnn.flags(enabled=False),
        torch.backends.cudnn.flags(enabled=False),
        FlopCounterMode(display=False) as counter,
    ):
        model(example)
    return counter.get_total_flops()
