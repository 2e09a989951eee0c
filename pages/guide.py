"""Read how everything works: the pages of the guide, with a search over all of them."""

from explorer.ui.guide import guide

guide.draw()
