"""Train what is left after pruning, and watch the accuracy come back."""

from explorer.ui.recover import recover

recover.draw()
