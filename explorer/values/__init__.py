"""The nouns. Frozen values that every verb takes or returns; JSON in, JSON out."""

from .choice import Choice
from .identity import sibling_id, subject_id, weights_id
from .link import JSON_LIMIT, URL_LIMIT
from .plain import canonical_json
from .profile import Group, Layer, Masks, ModelProfile, Scores, Slot
from .recipe import AFTER, PATTERN, REDUCTIONS, Recipe, check_ratio
from .report import Drop, LayerOutcome, Measurement, PartOutcome, Report, Verdict
from .subject import Normalisation, Preset, Split, Subject, Task

__all__ = [
    "AFTER",
    "JSON_LIMIT",
    "PATTERN",
    "REDUCTIONS",
    "URL_LIMIT",
    "Choice",
    "Drop",
    "Group",
    "Layer",
    "LayerOutcome",
    "Masks",
    "Measurement",
    "ModelProfile",
    "Normalisation",
    "PartOutcome",
    "Preset",
    "Recipe",
    "Report",
    "Scores",
    "Slot",
    "Split",
    "Subject",
    "Task",
    "Verdict",
    "canonical_json",
    "check_ratio",
    "sibling_id",
    "subject_id",
    "weights_id",
]
