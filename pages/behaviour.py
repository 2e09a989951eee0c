"""See which classes the cut hurts: classes, confusions, samples that flip, and how confident the model is."""

from explorer.ui.behaviour import behaviour

behaviour.draw()
