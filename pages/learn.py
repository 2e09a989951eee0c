"""Short lessons: each claim about pruning is predicted, measured, and judged."""

from explorer.ui import learn

learn.draw()
