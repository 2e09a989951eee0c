"""Exports the compact model for ONNX runtimes; its outputs are compared before it is returned."""

import json
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import keystr, tree_flatten_with_path, tree_leaves

from ..errors import ExplorerError, LoadError
from ..graph.export import EXPORT_LOCK
from ..graph.quiet import without_fast_path
from ..machine.optional_packages import optional
from ..registry import EXPORTERS
from ..values.inputs import from_one_row
from .archive import about
from .export import Export

TOLERANCE = 1e-3  # of the largest logit; float32 sums in another order differ by about 1e-6
RUNS = ("float32", "float64", "float16")  # types of numbers that its operators take
OTHER_BATCH = 3  # samples; not the batch size that the graph was traced with


@EXPORTERS.register("onnx", rank=4, extension=".onnx", media_type="application/octet-stream", stages=3)
def onnx(pruned: Export) -> bytes:
    """For ONNX Runtime and others that read ONNX (browsers, phones, TensorRT, OpenVINO); its outputs are
    first compared with torch's.

    Any batch; the file's metadata says how images become inputs, and by how much the outputs differ.

    Raises:
        LoadError: the packages of the extra `onnx` are missing.
        ExplorerError: the model cannot be written as ONNX, or gives other outputs there.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        optional(package)
    model = pruned.model
    pruned.step("Translating it to ONNX")
    proto = _proto(model, pruned.examples, _names(pruned))
    pruned.step("Comparing the answers of ONNX Runtime with torch's")
    try:
        difference = parity(proto.SerializeToString(), model, _questions(pruned))
    except Exception as error:  # the runtime raises many kinds; each means that it cannot run this file
        raise ExplorerError(_not_run(model, error)) from error
    if not difference <= TOLERANCE:
        raise ExplorerError(
            f"ONNX Runtime's answers differ by {difference:.1e} of the largest logit; choose another format."
        )
    remark = f"ONNX Runtime's answers differ from torch's by at most {difference:.1e} of the largest logit."
    facts = about(pruned.subject) | {"recipe": pruned.recipe.to_json(), "parity": remark}
    for key, value in facts.items():
        proto.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    pruned.say(remark)
    return proto.SerializeToString()


def _not_run(model: nn.Module, error: Exception) -> str:
    """Return why ONNX Runtime does not run a model: its types of numbers, if they are unusual."""
    nodes = model.graph.nodes if isinstance(model, fx.GraphModule) else ()
    literals = {item for node in nodes for item in tree_leaves((node.args, node.kwargs))}
    used = {str(item).removeprefix("torch.") for item in literals if isinstance(item, torch.dtype)}
    unusual = sorted(name for name in used - {*RUNS} if "float" in name or "complex" in name)
    if unusual:
        types = " and ".join(unusual)
        return (
            f"This model computes in {types}, which ONNX Runtime cannot run; a model for ONNX computes in "
            f"{', '.join(RUNS[:-1])} or {RUNS[-1]}: take what casts to {types} out of its forward, or choose "
            "another format."
        )
    return f"ONNX Runtime cannot run this model ({_first_line(error)}); choose another format."


def _first_line(error: BaseException) -> str:
    """Return what went wrong first: the exporter's own message is a page about its steps."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().split("\n")[0][:200] or type(error).__name__


def parity(written: bytes, model: nn.Module, questions: Mapping[str, Tensor]) -> float:
    """Return the largest difference between the outputs of ONNX Runtime and torch, as a fraction of the
    largest number of an output; for several outputs, that of the worst.

    Args:
        questions: input -> (n, *shape), in the order of the model; ONNX leaves out what nothing reads.
    """
    runtime = optional("onnxruntime").InferenceSession(written, providers=["CPUExecutionProvider"])
    names = {given.name for given in runtime.get_inputs()}
    with torch.inference_mode():
        expected = model(*questions.values())
    wanted = [leaf for leaf in tree_leaves(expected) if isinstance(leaf, Tensor)]
    given = {name: question.numpy() for name, question in questions.items() if name in names}
    found = [torch.from_numpy(answer) for answer in runtime.run(None, given)]
    if len(found) != len(wanted):
        return float("inf")
    return max(_apart(a, b) for a, b in zip(found, wanted, strict=True))


def _apart(answers: Tensor, wanted: Tensor) -> float:
    if answers.shape != wanted.shape:
        return float("inf")
    if not wanted.is_floating_point():  # positions and classes are equal or not
        return 0.0 if torch.equal(answers, wanted.to(answers.dtype)) else float("inf")
    largest = wanted.abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    return float((answers - wanted).abs().max() / largest)


def output_names(answers: Any) -> list[str]:
    """Return one name for each output tensor of a model: "logits", or its keys and positions.

    >>> output_names({"out": torch.zeros(1), "aux": [torch.zeros(1), torch.zeros(1)]})
    ['out', 'aux_0', 'aux_1']
    """
    found = tree_flatten_with_path(answers)[0]
    if len(found) == 1:
        return ["logits"]
    names = [re.sub(r"\W+", "_", keystr(path)).strip("_") for path, _ in found]
    return [f"output_{name}" if name[:1].isdigit() else name for name in names]


def _names(pruned: Export) -> list[str]:
    """Return the names of the inputs."""
    reads = pruned.subject.reads
    return [part.name for part in reads] if len(reads) > 1 else ["inputs"]


def _questions(pruned: Export) -> dict[str, Tensor]:
    """Return real samples if there are any: noise may leave parts of a model silent."""
    task = pruned.subject.task
    split = task.split("tuning") if task else None
    if task is None or split is None:
        given = [torch.cat([example] * 2)[:OTHER_BATCH] for example in pruned.examples]
    else:
        inputs, reads = task.normalisation(split.inputs[:OTHER_BATCH]), pruned.subject.reads
        given = from_one_row(inputs, reads) if len(reads) > 1 else [inputs.to(pruned.subject.example.dtype)]
    return dict(zip(_names(pruned), given, strict=True))


def _proto(model: nn.Module, examples: tuple[Tensor, ...], names: list[str]) -> Any:
    """Return the `onnx.ModelProto` of a model.

    Args:
        names: of its inputs.
    """
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        outputs = output_names(model(*examples))
    try:
        with EXPORT_LOCK, torch.no_grad(), without_fast_path(), _quiet():
            program = torch.onnx.export(
                model,
                examples,
                dynamo=True,
                dynamic_shapes=({0: batch},) * len(examples),
                input_names=names,
                output_names=outputs,
                verbose=False,
            )
    except Exception as error:  # the exporter raises many kinds; each means the same to the user
        raise ExplorerError(
            f"This model cannot be written as ONNX ({_first_line(error)}); choose another format."
        ) from error
    if program is None:
        raise LoadError(
            "This version of torch writes ONNX in a way that is not known here; use another format."
        )
    return program.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's messages about optional packages and versions of operators."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
