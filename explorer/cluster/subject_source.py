"""How a worker loads the model that it is asked about: by name, never as a pickled object."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..errors import ExplorerError
from ..loaders.model_text import load, split_spec
from ..values.subject import Subject

OTHER_MODEL = (
    "Worker {where} loads another model as {name!r} (hash {own}, here {wanted}); give it the same files and "
    "versions of code, or leave it out."
)
OTHER_DATA = (
    "Worker {where} loads other data for {name!r} (hash {own}, here {wanted}); give it the same files."
)


@dataclass(frozen=True)
class SubjectSource:
    """The words that load a subject, and the hashes by which a worker knows that it has the same one.

    Args:
        model: the MODEL text.
        checkpoint, data, task, metric: as on the command line; None = not given.
        subject, fingerprint: hashes of the model and of its data.
        bytes: of the model's weights, for workers that offer memory as a resource.
    """

    model: str
    checkpoint: str | None = None
    data: str | None = None
    task: str | None = None
    metric: str | None = None
    subject: str = ""
    fingerprint: str | None = None
    bytes: int = 0

    def of(self, subject: Subject) -> "SubjectSource":
        """Return the source with the hashes of the subject that it loaded here."""
        fingerprint = subject.task.fingerprint if subject.task else None
        size = sum(tensor.nbytes for tensor in subject.model.state_dict().values())
        return replace(self, subject=subject.id, fingerprint=fingerprint, bytes=size)

    @property
    def anywhere(self) -> "SubjectSource":
        """Return the same with absolute paths, since a worker runs in a folder of its own."""
        loader, name = split_spec(self.model)
        model = f"{_absolute(name, ':@')}" if loader == "python_file" else self.model
        data = self.data
        if data is not None and ":" in data:
            kind, _, path = data.partition(":")
            data = f"{kind}:{_absolute(path)}"
        checkpoint = None if self.checkpoint is None else _absolute(self.checkpoint)
        task = None if self.task is None else _absolute(self.task, ":")
        return replace(self, model=model, data=data, checkpoint=checkpoint, task=task)

    def loaded(self, where: str) -> Subject:
        """Load it and check that it is the same.

        Args:
            where: the worker's name, for the sentence.
        Raises:
            ExplorerError: it cannot be loaded here, or it is another one.
        """
        subject = load(
            self.model,
            checkpoint=self.checkpoint,
            data=self.data,
            task=self.task,
            metric=self.metric,
        )
        here = self.of(subject)
        for sentence, own, wanted in (
            (OTHER_MODEL, here.subject, self.subject),
            (OTHER_DATA, here.fingerprint, self.fingerprint),
        ):
            if own != wanted:
                raise ExplorerError(sentence.format(where=where, name=self.model, own=own, wanted=wanted))
        return subject

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SubjectSource":
        return cls(**data)


def _absolute(text: str, ends: str = "") -> str:
    """Return a text that begins with a path of this machine with that path made absolute.

    Args:
        ends: what may follow the path, as in "file.py:make".
    """
    cut = len(text)
    if ends and ".py" in text:
        cut = text.rindex(".py") + 3
    path = Path(text[:cut]).expanduser()
    return f"{path.resolve()}{text[cut:]}" if path.exists() else text
