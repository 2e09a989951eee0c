"""Train what pruning has left, and watch the accuracy come back."""

from explorer.ui.recover import recover

recover.draw()
