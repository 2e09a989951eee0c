"""See whom the cut hurts: classes, confusions, samples that flip, and how sure the model is."""

from explorer.ui.behaviour import behaviour

behaviour.draw()
