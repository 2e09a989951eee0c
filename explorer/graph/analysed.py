"""A model and its analysed graph: the one value that almost every verb takes."""

from dataclasses import dataclass

from ..values.profile import ModelProfile
from ..values.subject import Subject
from .export import ModelGraph, graph_of


@dataclass(frozen=True, eq=False)
class Analysed:
    """A loaded model with its analysed graph.

    Args:
        subject: the model, an example of its inputs, and the task that it is measured on.
        graph: its exported program and coupled groups, or the reason why there is no program.
    """

    subject: Subject
    graph: ModelGraph

    @property
    def profile(self) -> ModelProfile:
        """Return layers, coupled groups and costs."""
        return self.graph.profile


def analyse(subject: Subject) -> Analysed:
    """Return the model with its graph, which is exported once and shared by all later calls.

    A model that cannot be exported is analysed too: its weights can be pruned, its channels cannot, and the
    profile says why.
    """
    return Analysed(subject, graph_of(subject))
