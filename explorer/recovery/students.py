"""What is trained: a compact copy with its masks, on the device; and the conversion back to the dense model's
shapes.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..compaction.compact import compact
from ..engine.candidate import build
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..pruning.masks import positions
from ..values.identity import sibling_id
from ..values.profile import Masks, ModelProfile
from ..values.subject import Subject

State = Mapping[str, Tensor]  # name of a state_dict -> tensor
DENSE = Masks({}, {})


@dataclass(frozen=True, eq=False)
class Student:
    """A model that may be trained, since nothing else uses it.

    Args:
        model: compact, on the device.
        masks: that it was cut by, in the dense model's shapes.
        held: parameter -> bool in the compact shape, True = kept; parameters that are whole are left out.
    """

    model: nn.Module
    masks: Masks
    held: Mapping[str, Tensor]

    def hold(self) -> None:
        """Set to zero again what an optimiser's step has changed; exact, whatever the step was."""
        with torch.no_grad():
            for name, kept in self.held.items():
                self.model.get_parameter(name).masked_fill_(~kept, 0.0)

    def hold_gradients(self) -> None:
        """Zero the gradient of what is removed, so that neither momentum nor a gradient's norm includes
        it.
        """
        for name, kept in self.held.items():
            gradient = self.model.get_parameter(name).grad
            if gradient is not None:
                gradient.masked_fill_(~kept, 0.0)

    def kept_parameters(self) -> int:
        """Return the number of parameters that are there and not zero."""
        return sum(int(torch.count_nonzero(parameter)) for parameter in self.model.parameters())


def make_student(model: Analysed, masks: Masks, device: str = "cpu") -> Student:
    """Return a trainable copy of the subject, cut by the masks."""
    network = build(model, masks, device)
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    return Student(network, masks, _held(model, masks, device))


def _held(model: Analysed, masks: Masks, device: str) -> dict[str, Tensor]:
    """Return the masks of single weights in compact shapes, by compacting a model of ones."""
    layers = model.profile.prunable_layers
    if model.graph.program is None:
        return {layers[name].weight: mask.to(device) for name, mask in masks.weights.items()}
    if not masks.weights:
        return {}
    ones = {
        name: torch.ones_like(p) for name, p in model.subject.model.named_parameters(remove_duplicate=False)
    }
    twin = compact(model, masks, state=ones)
    left = dict(twin.named_parameters(remove_duplicate=False))  # a layer may be removed with its block
    return {
        layers[name].weight: (left[layers[name].weight] != 0).to(device)
        for name in masks.weights
        if layers[name].weight in left
    }


# --------------------------------------------------------------------------- the way back


def full_state(student: Student, subject: Subject, profile: ModelProfile) -> dict[str, Tensor]:
    """Return the student's tensors in the dense model's shapes, on the processor.

    Removed positions are zero in parameters; in buffers, such as a norm's statistics, they have the dense
    model's values.
    """
    cut, small = positions(profile, student.masks.channels), student.model.state_dict()
    return {
        name: _scattered(name, dense, small, cut.get(name, {}))
        for name, dense in _dense_tensors(subject).items()
    }


def _dense_tensors(subject: Subject) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in subject.model.state_dict().items()}


def _scattered(name: str, dense: Tensor, small: State, cut: Mapping[int, Tensor]) -> Tensor:
    is_statistic = name.rpartition(".")[2].startswith("running_")
    if name not in small:  # removed with its block
        return dense.clone() if is_statistic or not dense.is_floating_point() else torch.zeros_like(dense)
    given = small[name].detach().cpu()
    if not cut:
        return given.clone()
    lines = [
        cut[d].nonzero().flatten() if d in cut else torch.arange(extent)
        for d, extent in enumerate(dense.shape)
    ]
    if given.shape != tuple(len(line) for line in lines):
        raise ExplorerError(
            f"Tensor {name!r} of the pruned model has an unexpected shape, so it cannot be pruned step by "
            "step."
        )
    full = dense.clone() if is_statistic else torch.zeros_like(dense)
    full[torch.meshgrid(*lines, indexing="ij")] = given
    return full


def with_state(subject: Subject, state: State) -> Subject:
    """Return the same architecture with other weights; the given subject is not changed."""
    model = copy.deepcopy(subject.model)
    model.load_state_dict(dict(state))
    return replace(subject, id=sibling_id(subject, model), former_id="", model=model.eval())


def set_state(student: Student, state: State) -> None:
    """Give the student other weights of its own shapes; held positions stay zero."""
    student.model.load_state_dict(dict(state))
    student.hold()


def fresh(model: nn.Module, seed: int) -> None:
    """Draw the model's weights again, as its modules do; what no module draws comes from a normal
    distribution of the same spread.

    Changes the given model; the global random state is left as it was. Drawn on the processor, so that a seed
    means the same on every device.
    """
    device = next(model.parameters()).device
    model.cpu()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        drawn: set[int] = set()
        for module in model.modules():
            reset: Any = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
                drawn |= {id(parameter) for parameter in module.parameters(recurse=False)}
        for parameter in model.parameters():
            if id(parameter) not in drawn:
                parameter.copy_(torch.randn(parameter.shape) * parameter.std(correction=0))
    model.to(device)
