"""How text becomes the tokens that a language model reads, and what the model answers for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Tokens = tuple[Sequence[int], Sequence[int]]  # tokens of a text, and how many of its bytes each of them adds
Answers = Literal["next", "masked", "other"]


@dataclass(frozen=True, eq=False)
class TextForm:
    """The vocabulary of a model.

    Args:
        encode: text -> tokens, and the bytes of each.
        decode: tokens -> text.
        answers: "next": scores of the token after each position; "masked": of the token at each position,
            some of which are hidden; "other": something else, such as classes or features.
        vocabulary: how many tokens there are.
        positions: the longest window that the model reads; None: any.
        start: tokens before a document.
        before, after: tokens around each window, for models that read whole windows.
        mask: the token that hides another.
        fingerprint: hash of what defines the vocabulary.
    """

    encode: Callable[[str], Tokens]
    decode: Callable[[Sequence[int]], str]
    answers: Answers
    vocabulary: int
    positions: int | None = None
    start: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    mask: int | None = None
    fingerprint: str = ""
