"""Op -> how labels travel through it. An op without a rule freezes what enters it; nothing is guessed."""

from . import contractions, elementwise, matrices, movement, normalising, positions  # noqa: F401  they write their rules into the book
from .call import RULES, Call, freeze_all, labelled
from .elementwise import pointwise

__all__ = ["RULES", "Call", "freeze_all", "labelled", "pointwise"]
