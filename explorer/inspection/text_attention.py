"""Where the heads of one layer look in one text."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.running import fixed_batch
from ..metrics.checks import IGNORED
from ..values.profile import Group
from ..values.progress import Step, Work
from ..values.subject import Subject
from ..values.text import TextForm
from .attention import attention, attention_sites, units_of_heads

UNREADABLE = "the model's graph does not show which token looks at which"


@dataclass(frozen=True, eq=False)
class TextAttention:
    """The attention of one layer over one text.

    Args:
        module: of the attention.
        tokens: of the text.
        heads: (heads, tokens, tokens) float32; a row is a token that looks, a column one that is looked at.
        units: the unit of the group that each head belongs to, or None if that is not known.
    """

    module: str
    tokens: tuple[int, ...]
    heads: Tensor
    units: tuple[int, ...] | None


def tokens_of_text(subject: Subject, text: str) -> tuple[int, ...]:
    """Return a text as the model reads it, not longer than its window.

    Raises:
        ExplorerError: nothing of it is a token, or it does not fill the window of a model that reads only
            whole ones.
    """
    form, window = _form(subject), subject.example.shape[1]
    given = [int(token) for token in form.encode(text)[0]]
    if not given:
        raise ExplorerError("There is no token in this text; write at least one character.")
    if form.answers == "next":
        return tuple([*form.start, *given][:window])
    room = window - len(form.before) - len(form.after)
    if len(given) < room:
        raise ExplorerError(
            f"{subject.name!r} reads windows of {room} tokens, and this text has {len(given)}; write a "
            "longer one, or choose a window of the data."
        )
    return (*form.before, *given[:room], *form.after)


def tokens_of_window(subject: Subject, number: int) -> tuple[int, ...]:
    """Return the tokens of a window of the tuning split, without what fills it behind the end of its text.

    Raises:
        ExplorerError: there is no such window.
    """
    form, task = _form(subject), subject.task
    split = task.split("tuning") if task is not None else None
    if split is None or not 0 <= number < len(split):
        raise ExplorerError(f"{subject.name!r} has no text with the number {number}.")
    tokens = split.inputs_at(number, number + 1)[0].tolist()
    if form.answers != "next" or split.targets is None:
        return tuple(tokens)
    asked = (split.targets_at(number, number + 1)[0][0] != IGNORED).nonzero().flatten().tolist()
    return tuple(tokens[: asked[-1] + 1] if asked else tokens)


def _form(subject: Subject) -> TextForm:
    if subject.text is None or len(subject.reads) > 1:
        raise ExplorerError(f"{subject.name!r} reads no single text, so there is none to look at.")
    return subject.text


def text_attention(model: Analysed, group: Group, module: str, tokens: Sequence[int]) -> Work[TextAttention]:
    """Yield where the heads of a group look in a text.

    A text that is shorter than the window is filled up behind its end, which a causal model cannot see.

    Args:
        module: one of those of `attention_sites`.
    Raises:
        ExplorerError: the graph has no attention of this module in which tokens look at tokens.
    """
    site = next((site for site in attention_sites(model, group) if site.module == module), None)
    program, example = model.graph.program, model.subject.example
    if site is None or program is None:
        raise ExplorerError(f"Where the heads of {group.name!r} look cannot be shown: {UNREADABLE}.")
    row = torch.tensor([[*tokens, *[0] * (example.shape[1] - len(tokens))]], dtype=example.dtype)
    heads = attention(model, site, row.expand(fixed_batch(program) or 1, -1))[0]
    if heads.shape[1:] != (example.shape[1],) * 2:
        raise ExplorerError(f"Where the heads of {group.name!r} look cannot be shown: {UNREADABLE}.")
    size = len(tokens)
    yield Step(
        TextAttention(
            module, tuple(tokens), heads[:, :size, :size].clone(), units_of_heads(group, len(heads))
        )
    )
