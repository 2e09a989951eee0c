"""See the architecture as a graph: what is coupled, what stays whole and why, and whether the cut is wired
correctly.
"""

from explorer.ui.structure import structure

structure.draw()
