"""One piece of a study: all that its result depends on, as plain JSON, and an address to find it by."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ..machine.version import __version__
from ..values.plain import canonical_json
from .subject_source import SubjectSource

Kind = Literal["report", "scan shape", "scan dense", "scan batch", "scores", "recovery", "staircase"]


@dataclass(frozen=True)
class WorkItem:
    """What a worker does in one go.

    Args:
        kind: see `kinds`.
        source: the model.
        asked: recipe, conditions, seed and whatever else decides the result, as JSON.
        keeps: the result is worth keeping; one that depends on the clock is not.
    """

    kind: Kind
    source: SubjectSource
    asked: Mapping[str, Any]
    keeps: bool = True

    @cached_property
    def address(self) -> str:
        """Return a hash of everything that decides the result; where the model was loaded from does not."""
        source = self.source
        what = {
            "kind": self.kind,
            "subject": source.subject,
            "task": [source.fingerprint, source.metric],
            "asked": self.asked,
            "version": __version__,
        }
        return hashlib.sha256(canonical_json(what).encode()).hexdigest()[:32]

    @property
    def device(self) -> str:
        """Return the kind of device that it needs."""
        return str(self.asked.get("conditions", {}).get("device", "cpu"))

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "source": self.source.to_json(),
            "asked": self.asked,
            "keeps": self.keeps,
            "version": __version__,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "WorkItem":
        return cls(data["kind"], SubjectSource.from_json(data["source"]), data["asked"], data["keeps"])
