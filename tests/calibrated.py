"""Zoo models with data to calibrate on, and what collecting must leave as it was."""

import hashlib
from dataclasses import replace

import torch
from torch import nn
from zoo import odd

from explorer.values.identity import subject_id
from explorer.values.samples import Split
from explorer.values.subject import Normalisation, Subject, Task

AS_IT_IS = Normalisation()


def split_of(inputs: torch.Tensor, classes: int = 4) -> Split:
    return Split(inputs, torch.arange(len(inputs)) % classes)


def task_of(training: Split | None, name: str = "random", normalisation: Normalisation = AS_IT_IS) -> Task:
    """A task whose tuning and held-out data must never be opened."""

    def load(which: str) -> Split | None:
        assert which == "training", f"calibration opened the {which} split"
        return training

    shape = tuple(training.inputs.shape[1:]) if training else (1,)
    fingerprint = hashlib.sha256(training.inputs.numpy().tobytes()).hexdigest() if training else ""
    return Task(name, shape, ("a", "b", "c", "d"), load, normalisation, fingerprint=fingerprint)


def with_data(name: str, samples: int = 24, seed: int = 0) -> Subject:
    """A zoo model with random training data."""
    subject = odd(name, seed)
    inputs = torch.randn(samples, *subject.example.shape[1:], generator=torch.Generator().manual_seed(seed))
    return replace(subject, task=task_of(split_of(inputs)))


def subject_of(model: nn.Module, inputs: torch.Tensor, classes: int = 4) -> Subject:
    """A model of one's own, in eval mode."""
    model.eval()
    return Subject(
        subject_id(model),
        type(model).__name__,
        model,
        task_of(split_of(inputs, classes)),
        inputs[:1].repeat(2, *[1] * (inputs.dim() - 1)),
    )


def renamed(subject: Subject) -> Subject:
    """The subject under the name that its changed weights give it, so that nothing known of the old ones is
    used.
    """
    return replace(subject, id=subject_id(subject.model))


def traces(model: nn.Module) -> dict:
    """Everything that collecting could leave behind on a model."""
    return {
        "state": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "grads": [p.grad is None for p in model.parameters()],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "training": [m.training for m in model.modules()],
        "hooks": [
            len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks)
            for m in model.modules()
        ],
    }


def same(before: dict, after: dict) -> bool:
    states = before["state"].keys() == after["state"].keys() and all(
        torch.equal(tensor, after["state"][name]) for name, tensor in before["state"].items()
    )
    return states and all(before[key] == after[key] for key in before if key != "state")
