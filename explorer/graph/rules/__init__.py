"""Op -> how labels travel through it. An op without a rule freezes what enters it; nothing is guessed."""

from . import contractions, elementwise, movement, normalising, positions

# importing them writes their rules into the book (`call.RULES`)
__all__ = ["contractions", "elementwise", "movement", "normalising", "positions"]
