"""The parts of an audit: a conditioned state, the masked reference, and the wrong wiring that must be
rejected.
"""
