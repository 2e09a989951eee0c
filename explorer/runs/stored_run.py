"""A stored run: its key, and the report with what the user wrote about it."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import ExplorerError
from ..recovery.what_was_done import Kept
from ..values.json_fields import FieldError, built
from ..values.plain import canonical_json
from ..values.recipe import Recipe
from ..values.report import Report
from ..values.subject import Subject

NOTE_LIMIT, TAG_LIMIT, TAG_COUNT = 2_000, 40, 10  # characters, characters, tags
MASKS_LIMIT = 64  # characters of a fingerprint
LATEST = 253_402_214_400  # seconds since 1970, the last day that a calendar can name anywhere
RUN_NAME = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class RunKey:
    """Everything that a stored number depends on.

    Args:
        subject: id of the model. task: fingerprint of the data. recipe: fingerprint.
        samples, split: how many were evaluated, and of what.
        dtype, device: kinds, such as float32 and cuda. code: version of this program.
        recovery: what was done after the cut, fingerprint of the plan and seed; "" = nothing.
    """

    subject: str
    task: str
    recipe: str
    samples: int
    split: str
    dtype: str
    device: str
    code: str
    recovery: str = ""

    @classmethod
    def of(cls, report: Report, recovery: Kept | None = None) -> "RunKey":
        """Return the key of a run that was measured."""
        about, where = report.subject, report.environment
        return cls(
            str(about["id"]),
            str(about.get("task_fingerprint") or ""),
            report.recipe.fingerprint,
            report.pruned.samples,
            report.split,
            str(where.get("dtype", "float32")),
            str(where.get("device", "cpu")),
            str(where.get("explorer", "")),
            recovery.fingerprint if recovery else "",
        )

    @classmethod
    def wanted(
        cls, subject: Subject, recipe: Recipe, samples: int, split: str, environment: Mapping[str, Any]
    ) -> "RunKey":
        """Return the key of a run that may have been measured before in that environment."""
        task = subject.task.fingerprint if subject.task else ""
        dtype, device, code = (
            str(environment.get(k, d)) for k, d in (("dtype", "float32"), ("device", "cpu"), ("explorer", ""))
        )
        return cls(subject.id, task, recipe.fingerprint, samples, split, dtype, device, code)

    @property
    def name(self) -> str:
        """Return the name of the run: a hash of the non-empty fields of the key."""
        said = {part: value for part, value in asdict(self).items() if part != "recovery" or value}
        return hashlib.sha256(canonical_json(said).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Run:
    """A stored report with what the user wrote about it.

    Args:
        created: seconds since 1970.
        note, tags: foreign text of limited length; escape it where it is shown.
        parent: name of the run that this one was made from, or None.
        masks: fingerprint of the masks (see `replay`), or None if it is not known.
        recovery: what was done after the cut; the report is about the resulting model. None = nothing.
    """

    name: str
    created: float
    report: Report
    note: str = ""
    tags: tuple[str, ...] = ()
    parent: str | None = None
    masks: str | None = None
    recovery: Kept | None = None

    def to_json(self) -> dict[str, Any]:
        plain = {
            "created": self.created,
            "note": self.note,
            "tags": list(self.tags),
            "parent": self.parent,
            "masks": self.masks,
        }
        after = {"recovery": self.recovery.to_json()} if self.recovery else {}
        return plain | after | {"report": self.report.to_json()}

    @classmethod
    def from_json(cls, name: str, data: object) -> "Run":
        """Return a run from foreign JSON; its note and tags are shortened to their limits.

        Raises:
            ExplorerError: a field has a value that it cannot have.
        """
        run = built(cls, {**data, "name": name} if isinstance(data, Mapping) else data)
        if not 0 <= run.created <= LATEST:
            raise FieldError(
                ("created",), f"must be seconds since 1970, at most {LATEST:,}, got {run.created:g}"
            )
        return replace(
            run,
            note=limited_text(run.note, NOTE_LIMIT),
            tags=limited_tags(run.tags),
            parent=None if run.parent is None else run_name(run.parent),
            masks=limited_text(run.masks, MASKS_LIMIT) if run.masks else None,
        )


@dataclass(frozen=True)
class RefusedRun:
    """A file of a run that cannot be read: its name, and why, in one sentence."""

    name: str
    why: str


@dataclass(frozen=True)
class Listing:
    """The runs that can be read, and the files that cannot; each the newest first."""

    runs: tuple[Run, ...] = ()
    refused: tuple[RefusedRun, ...] = ()


def limited_text(given: str, limit: int) -> str:
    """Limit foreign text: printable characters only, no longer than the limit."""
    return "".join(letter for letter in str(given)[:limit] if letter.isprintable() or letter == "\n")


def limited_tags(given: Iterable[str]) -> tuple[str, ...]:
    """Limit foreign tags: short, each once, not too many."""
    tags = (limited_text(tag, TAG_LIMIT).strip() for tag in given)
    return tuple(dict.fromkeys(tag for tag in tags if tag))[:TAG_COUNT]


def run_name(name: object) -> str:
    """Return the name if it is valid for a run, so that it may be part of a path.

    Raises:
        ExplorerError: it is not.
    """
    if not isinstance(name, str) or not RUN_NAME.fullmatch(name):
        raise ExplorerError(f"A stored run is named by 24 hexadecimal digits, got {str(name)[:80]!r}.")
    return name
