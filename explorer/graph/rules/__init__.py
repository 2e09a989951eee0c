"""Op -> how labels travel through it. An op without a rule freezes what enters it; nothing is guessed."""

from . import contractions, elementwise, matrices, movement, normalising, positions

# importing them writes their rules into the book (`call.RULES`)
__all__ = ["contractions", "elementwise", "matrices", "movement", "normalising", "positions"]
