"""Short lessons: each claim about pruning is predicted, measured, and judged."""

from explorer.ui.learn import learn

learn.draw()
