"""Runs on disk: a Report is written once and found again by everything that it depends on.

One JSON file per run, written under another name and moved into place, so that two programs can share the
folder and a reader never sees half a file. A file that cannot be read is refused and left as it is, since a
user may have edited it. The record of held-out openings is separate and is never deleted.
"""

import contextlib
import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ..errors import ExplorerError
from ..machine.bounded_file import append_text, read_bounded
from ..machine.paths import CACHE_VARIABLE
from ..machine.put_aside import put_aside
from ..recovery.what_was_done import Kept
from ..values.report import Report
from .stored_run import NOTE_LIMIT, Listing, RefusedRun, Run, RunKey, limited_tags, limited_text, run_name

__all__ = ["Run", "RunKey", "Store"]

MAX_BYTES = 200_000_000
LONGEST_RUN = 64_000_000  # bytes of one file
USUAL_RUN = 1_000_000  # bytes that a run takes at the most, unless a model has very many layers
STALE_AFTER = 3_600.0  # seconds; a temporary file older than this was left by a program that crashed


class Store:
    """The runs in a folder; any number of programs can use it at once.

    Args:
        root: created when something is first written.
        max_bytes: of all runs; beyond it the oldest are deleted.
        quota: bytes that all runs may take; beyond it no run is kept, and none is deleted.
    """

    def __init__(self, root: Path, max_bytes: int = MAX_BYTES, *, quota: int | None = None):
        self.root, self.max_bytes, self.quota = root, max_bytes, quota

    # ------------------------------------------------------------------ runs

    def put(
        self,
        report: Report,
        *,
        note: str = "",
        tags: Iterable[str] = (),
        parent: str | None = None,
        masks: str | None = None,
        recovery: Kept | None = None,
    ) -> str:
        """Keep a report and return the run's name; an earlier run with the same key is replaced.

        A run that is kept again keeps its first parent, so that no run becomes its own ancestor. A file of
        that key that cannot be read is put aside, not overwritten.

        Raises:
            ExplorerError: the folder cannot be written, the quota is used up, or the parent is not a run's
                name.
        """
        name = RunKey.of(report, recovery).name
        parent = run_name(parent) if parent is not None else None
        path = self._path(str(report.subject["id"]), name)
        try:
            if before := self._read(path):
                parent = before.parent
        except ExplorerError:
            put_aside(path)
        run = Run(
            name,
            time.time(),
            report,
            limited_text(note, NOTE_LIMIT),
            limited_tags(tags),
            parent,
            masks,
            recovery,
        )
        self._write(path, run)
        self._evict(keep=name)
        return name

    def check_room(self, size: int = USUAL_RUN, instead: Path | None = None) -> None:
        """Refuse to begin what ends with a run for which there is no room.

        Args:
            size: of the run, in bytes.
            instead: a run that it replaces.
        Raises:
            ExplorerError: the quota is used up.
        """
        if self.quota is None:
            return
        used = sum(own for _, own, path in self._files("*/*.json") if path != instead)
        if used + size > self.quota:
            raise ExplorerError(
                f"Your kept runs take {used / 1e6:,.1f} MB of {self.quota / 1e6:,.1f} MB, so there is no "
                "room for another; delete some on the Compare page."
            )

    def get(self, key: RunKey) -> Report | None:
        """Return the report of that key; None if there is none that can be read, so that it is measured."""
        try:
            run = self._read(self._path(key.subject, key.name))
        except ExplorerError:
            return None
        return run.report if run else None

    def run(self, name: str) -> Run | None:
        """Return the run of that name, or None.

        Raises:
            ExplorerError: its file cannot be read.
        """
        paths = self._paths(f"*/{run_name(name)}.json")
        return self._read(paths[0]) if paths else None

    def full_name(self, start: str) -> str:
        """Return the name of the one run that begins like this: pages show only the first letters.

        Raises:
            ExplorerError: no run begins like this, or several do.
        """
        names = [path.stem for path in self._paths("*/*.json") if start and path.stem.startswith(start)]
        if len(names) != 1:
            many = f"{len(names)} kept runs begin" if names else "No kept run begins"
            more = "more" if names else "the first"
            where = "which the Compare page shows and --keep prints"
            raise ExplorerError(f"{many} with {start[:80]!r}; give {more} letters of its name, {where}.")
        return names[0]

    def runs(self, subject: str | None = None, limit: int = 200) -> list[Run]:
        """Return the newest runs that can be read, newest first; of one model, or of all."""
        return list(self.listing(subject, limit).runs)

    def listing(self, subject: str | None = None, limit: int = 200) -> Listing:
        """Return the newest runs, and the files among them that cannot be read; of one model, or of all.

        Args:
            limit: of the runs.
        """
        folder = "*" if subject is None else self._folder(subject).name
        runs: list[Run] = []
        refused: list[RefusedRun] = []
        for path in self._paths(f"{folder}/*.json"):
            if len(runs) >= limit:
                break
            try:
                runs += [run] if (run := self._read(path)) else []
            except ExplorerError as error:
                refused.append(RefusedRun(path.stem, str(error)))
        return Listing(tuple(runs), tuple(refused))

    def changed(self, subject: str) -> int:
        """Return a number that changes whenever a run of this model is added or removed; cheap."""
        try:
            return self._folder(subject).stat().st_mtime_ns
        except OSError:
            return 0

    def describe(self, name: str, *, note: str, tags: Iterable[str] = ()) -> None:
        """Change the note or tags of a run.

        Raises:
            ExplorerError: there is no such run (any more), or its file cannot be read or written.
        """
        paths = self._paths(f"*/{run_name(name)}.json")
        run = self._read(paths[0]) if paths else None
        if run is None:
            raise ExplorerError(f"Run {name} is no longer stored; measure it again.")
        self._write(paths[0], replace(run, note=limited_text(note, NOTE_LIMIT), tags=limited_tags(tags)))
        with contextlib.suppress(FileNotFoundError):
            os.utime(paths[0], (run.created, run.created))  # a note does not make it newer

    def delete(self, name: str) -> None:
        """Delete a run; a run that does not exist is ignored."""
        for path in self._paths(f"*/{run_name(name)}.json"):
            path.unlink(missing_ok=True)

    def delete_refused(self, refused: Iterable[RefusedRun]) -> None:
        """Delete files that cannot be read, whatever they are called; what can be read by now stays."""
        names = {one.name for one in refused} & {one.name for one in self.listing().refused}
        for path in self._paths("*/*.json"):
            if path.stem in names:
                path.unlink(missing_ok=True)

    # ------------------------------------------------------------------ held-out data

    def open_held_out(self, subject: str) -> int:
        """Record that a model's held-out data is opened; return how many times it has been opened, including
        this time.

        Raises:
            ExplorerError: it cannot be recorded, so it must not be opened.
        """
        line = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ\n")
        try:  # appending is atomic, so each program gets its own number
            return append_text(self._held_out_path(subject), line) // len(line)
        except OSError as error:
            raise ExplorerError(
                f"Held-out data stays closed: the opening could not be recorded ({error.strerror})."
            ) from error

    def held_out_openings(self, subject: str) -> int:
        """Return how many times a model's held-out data has been opened.

        Raises:
            ExplorerError: the record cannot be read.
        """
        try:
            return read_bounded(self._held_out_path(subject), LONGEST_RUN).count(b"\n")
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise ExplorerError(
                f"How often held-out data was opened cannot be read ({error.strerror}), so it stays closed."
            ) from error

    # ------------------------------------------------------------------ files

    def _folder(self, subject: str) -> Path:
        # hashed, because a subject's id is foreign text and must not choose a path
        return self.root / "runs" / hashlib.sha256(subject.encode()).hexdigest()[:16]

    def _path(self, subject: str, name: str) -> Path:
        return self._folder(subject) / f"{name}.json"

    def _held_out_path(self, subject: str) -> Path:
        return self.root / "held_out" / f"{self._folder(subject).name}.log"

    def _paths(self, pattern: str) -> list[Path]:
        """Return files, newest first."""
        return [path for _, _, path in self._files(pattern)]

    def _files(self, pattern: str) -> list[tuple[float, int, Path]]:
        """Return (time, bytes, path), newest first; a file that disappears meanwhile is left out."""
        files = []
        for path in (self.root / "runs").glob(pattern):
            with contextlib.suppress(OSError):
                status = path.stat()
                if stat.S_ISREG(status.st_mode):  # reading a pipe would block, and a folder is not a run
                    files.append((status.st_mtime, status.st_size, path))
        return sorted(files, reverse=True)

    def _read(self, path: Path) -> Run | None:
        """Return the run in a file, or None if there is no file (any more), or it may not be opened.

        Raises:
            ExplorerError: it is edited, damaged, or of another version.
        """
        try:
            return Run.from_json(path.stem, json.loads(read_bounded(path, LONGEST_RUN)))
        except OSError:
            return None
        except ExplorerError as error:
            why = str(error)
        except (ValueError, RecursionError):
            why = "it is no JSON."
        raise ExplorerError(
            f"Kept run {path.stem[:24]!r} cannot be read: {why} Correct its file, or delete the run."
        )

    def _write(self, path: Path, run: Run) -> None:
        # a loss may be infinite, which canonical JSON refuses
        text, temporary = json.dumps(run.to_json()), None
        self.check_room(len(text), path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=path.parent, suffix=".tmp", encoding="utf-8", delete=False
            ) as file:
                temporary = Path(file.name)
                file.write(text)
            temporary.replace(path)
        except OSError as error:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            way = f"free some space, or choose another folder with {CACHE_VARIABLE}"
            raise ExplorerError(f"The run could not be stored in {self.root} ({error}); {way}.") from error

    def _evict(self, keep: str) -> None:
        used = 0
        for _, size, path in self._files("*/*.json"):
            used += size
            if self.quota is None and used > self.max_bytes and path.stem != keep:
                path.unlink(missing_ok=True)
        for changed, _, path in self._files("*/*.tmp"):
            if time.time() - changed > STALE_AFTER:
                path.unlink(missing_ok=True)
