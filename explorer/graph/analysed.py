"""A model and what its graph says of it: the one value that almost every verb takes."""

from dataclasses import dataclass

from ..values.profile import ModelProfile
from ..values.subject import Subject
from .export import ModelGraph, graph_of


@dataclass(frozen=True, eq=False)
class Analysed:
    """A loaded model with its analysed graph.

    Args:
        subject: the model, an example of its inputs, and the task that it is measured on.
        graph: its exported program and coupled groups; without a program, why there is none.
    """

    subject: Subject
    graph: ModelGraph

    @property
    def profile(self) -> ModelProfile:
        """Layers, coupled groups and costs."""
        return self.graph.profile


def analyse(subject: Subject) -> Analysed:
    """The model with its graph, which is exported once and shared by everybody who asks again.

    A model that cannot be exported is analysed all the same: its weights can be pruned, its channels cannot,
    and the profile says why.
    """
    return Analysed(subject, graph_of(subject))
