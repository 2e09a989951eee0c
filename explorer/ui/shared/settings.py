"""What the operator of the server offers: set once by the command line before the page starts, read by the
page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UnknownNameError

if TYPE_CHECKING:  # these import torch, for which a server does not wait
    from ...cluster.studies import Studies
    from ...lessons.class_board import Classroom
    from ...lessons.values import Lesson
    from ...values.subject import Subject
    from .sign_in import SignIn

CLOSED_TO_CLASSES = ("compare", "recover")


def _load_named(name: str) -> "Subject":
    from ...loaders.model_text import load_named

    return load_named(name)


@dataclass(frozen=True)
class Settings:
    """Models by name, and how one is loaded; a browser can only choose among these.

    Args:
        models: names in the list; empty = every sample that has weights.
        device: "auto", "cpu" or "cuda".
        load: name -> Subject; what the command line gives here may read paths and run code.
        classroom: for a class, or None. class_file: where it is kept, or None.
        own_lessons: a folder of lessons in addition to the built-in ones.
        cluster: where long studies run; None = on this machine.
        quota: bytes that the uploads of one visitor may take, and the kept runs of one person who signs in;
            None = as much as all together.
        sign_in: how visitors sign in; None = they do not.
    """

    models: tuple[str, ...] = ()
    device: str = "auto"
    load: "Callable[[str], Subject]" = _load_named
    classroom: "Classroom | None" = None
    class_file: Path | None = None
    own_lessons: Path | None = None
    cluster: "Studies | None" = None
    quota: int | None = None
    sign_in: "SignIn | None" = None

    @property
    def hidden_pages(self) -> tuple[str, ...]:
        """Return the pages that write to this machine's disk or occupy it for long, which a class must
        not.
        """
        return CLOSED_TO_CLASSES if self.classroom else ()

    @property
    def studies(self) -> "Studies":
        """Return the studies, where they run."""
        from ...cluster.studies import HERE

        return self.cluster or HERE

    @property
    def lessons(self) -> "dict[str, Lesson]":
        """Return the lessons of the Learn page by name, in their order."""
        from ...lessons.lesson_files import course

        return course(self.own_lessons)

    @property
    def offered(self) -> tuple[str, ...]:
        """Return the names in the list, the default first if it is among them."""
        from ...loaders.model_text import DEFAULT_MODEL
        from ...loaders.sample_files import weights_path
        from ...registry import SAMPLES

        if self.models:
            return self.models
        names = [name for name in SAMPLES if weights_path(name).is_file()]
        return tuple(sorted(names, key=lambda name: name != DEFAULT_MODEL))

    def opened(self, name: str) -> "Subject":
        """Return the model of an offered name; a page can open no other.

        Raises:
            UnknownNameError: the server does not offer it.
            ExplorerError: it cannot be loaded.
        """
        if name not in self.offered:
            raise UnknownNameError("model on this server", name, self.offered)
        return self.load(name)


_settings = Settings()


def configure(settings: Settings) -> None:
    """Set what this process offers."""
    global _settings
    _settings = settings


def current() -> Settings:
    """Return what this process offers."""
    return _settings
