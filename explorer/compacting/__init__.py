"""The parts of a compaction: what of it is the same for every recipe, the cut tensors, the modules that hold
them.
"""
