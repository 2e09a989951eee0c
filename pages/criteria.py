"""See how far criteria agree about the channels, and measure which of them is right."""

from explorer.ui.criteria import agreement

agreement.draw()
