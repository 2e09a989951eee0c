"""Rules for how labels pass through each op. An op without a rule freezes its inputs; nothing is guessed."""

from . import contractions, convolutions, elementwise, matrices, movement, normalising, positions

# importing them adds their rules to `call.RULES`
__all__ = ["contractions", "convolutions", "elementwise", "matrices", "movement", "normalising", "positions"]
