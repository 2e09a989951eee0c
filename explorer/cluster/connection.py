"""A connection to workers: hands out pieces of work, and gets each result once, whoever dies meanwhile."""

import asyncio
import contextlib
import json
import logging
import queue
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import ExplorerError
from ..machine.version import __version__
from ..values.progress import PAUSE, Returning, Step, Work
from .address import ClusterAddress
from .result_store import ResultStore
from .work_item import WorkItem
from .worker import SAME, about_worker, work
from .workplace import MOST_TRIES, Workplace

START_S = 60.0  # until the first worker has to be there
AWAY_S = 120.0  # that a scheduler may be away before the study ends with an error
RETRY_S = 1.0
LOOK_S = 0.005  # between two steps that wait for workers: on the page others use this thread
GPU, MEMORY = "GPU", "MEMORY"  # names of Dask's worker resources; MEMORY is in bytes
PIECES = 10_000
ROOM = 4  # times the model's weights, that a piece of work may need
LOST = (OSError, CancelledError, asyncio.CancelledError)  # raised where the other end has gone
Result = dict[str, Any]


@dataclass(eq=False)
class WorkAnswer:
    """The result of one piece of work, as soon as there is one.

    Args:
        known: JSON with `result` and `environment`.
        workers: addresses of those that may do it; None = all.
        tries: how often a worker was asked.
    """

    item: WorkItem
    known: Result | None = None
    workers: tuple[str, ...] | None = None
    future: Any = None
    tries: int = 0


class Cluster:
    """Workers on this machine or on many; use it as a context manager, or close it.

    Args:
        started: a cluster object of Dask's that is used, and not closed, in place of own processes, such as
            one of dask-jobqueue.
    Raises:
        ExplorerError: distributed is not installed, nothing answers at the address, there are no workers, or
            they run another version of this program.
    """

    def __init__(self, address: ClusterAddress, results: ResultStore | None = None, *, started: Any = None):
        self.address, self._results = address, results or ResultStore()
        self._place = Workplace(address, started)
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._finished: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._lost: float | None = None  # when the scheduler was last seen
        self._tried = 0.0
        self._asked = 0
        # of the last results: seconds on a worker, bytes
        self.pieces: deque[tuple[float, int]] = deque(maxlen=PIECES)
        self._results.make_room()
        self._begin()

    # ------------------------------------------------------------------ workers

    def _begin(self) -> None:
        """Connect, and check the workers; if the scheduler is lost meanwhile, wait for its successor.

        Raises:
            ExplorerError: as of this class.
        """
        end: float | None = None
        while True:
            try:
                self._client = self._place.client(START_S / 2)
            except ExplorerError:
                if end is None or time.monotonic() > end:
                    raise
                time.sleep(RETRY_S)
                continue
            end = end or time.monotonic() + AWAY_S
            try:
                self._check_versions()
                return
            except LOST as error:
                self.close(processes=False)
                if time.monotonic() > end:
                    raise ExplorerError(self._gone()) from error
                time.sleep(RETRY_S)

    def _gone(self) -> str:
        return (
            f"The cluster at {self.address} does not answer any more; what it has measured is kept, so the "
            "same command continues there."
        )

    def _check_versions(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=START_S)
        except TimeoutError as error:
            self.close()
            raise ExplorerError(
                f"The scheduler at {self.address} has no workers; start some with 'dask worker'."
            ) from error
        versions = {about["explorer"] for about in self.machines().values()}
        if versions != {__version__}:
            self.close()
            raise ExplorerError(
                f"Workers run version {', '.join(sorted(versions))} of this program, and this is "
                f"{__version__}; install the same one."
            )

    def machines(self) -> dict[str, dict[str, Any]]:
        """Return what each worker is, by its address: device_name, threads, versions.

        Raises:
            ExplorerError: a worker lacks this program.
            OSError: no worker answers any more.
        """
        answers = self._client.run(about_worker, on_error="return")
        # a worker that was lost meanwhile does no work, so it does not matter what it is
        about = {name: told for name, told in answers.items() if not isinstance(told, LOST)}
        if not about:
            raise OSError("no worker answers")
        wrong = next((told for told in about.values() if isinstance(told, BaseException)), None)
        if wrong is not None:
            self.close()
            why = " ".join(str(wrong).split())[:160]
            raise ExplorerError(
                f"A worker cannot run this program ({why}); install the same version with its packages there."
            ) from wrong
        return about

    @property
    def workers(self) -> int:
        """Return how many workers there are now, at least 1."""
        return max(1, len(self._infos()))

    def _infos(self) -> dict[str, Any]:
        try:
            return dict(self._client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, KeyError, ValueError, RuntimeError):
            return {}

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Return "cuda" if workers offer GPUs, with `--resources "GPU=1"`."""
        has_gpu = any(info.get("resources", {}).get(GPU) for info in self._infos().values())
        return "cuda" if has_gpu else "cpu"

    # ------------------------------------------------------------------ work

    def ask(self, item: WorkItem, *, workers: Sequence[str] | None = None) -> WorkAnswer:
        """Ask for a piece of work; if it is known, nobody has to work.

        Args:
            workers: addresses of those that may do it; None = all.
        """
        known = self._results.get(item) if item.keeps else None
        answer = WorkAnswer(item, known, workers=None if workers is None else tuple(workers))
        if answer.known is None:
            self._submit(answer)
        return answer

    def _submit(self, answer: WorkAnswer) -> None:
        answer.tries += 1
        self._asked += 1
        offered = {name for info in self._infos().values() for name in info.get("resources", {})}
        needs: dict[str, float] = {GPU: 1.0} if answer.item.device == "cuda" else {}
        if answer.item.source.bytes and MEMORY in offered:
            needs[MEMORY] = float(ROOM * answer.item.source.bytes)
        if GPU in needs and GPU not in offered:
            raise ExplorerError(
                f'No worker at {self.address} offers a GPU; start them with --resources "GPU=1", or use '
                "--device cpu."
            )
        try:
            answer.future = self._client.submit(
                work,
                json.dumps(answer.item.to_json()),
                key=f"explorer-{answer.item.address}-{self._asked}",
                pure=False,
                priority=-self._asked,
                resources=needs or None,
                workers=answer.workers,
            )
            answer.future.add_done_callback(self._wake)
        except (OSError, RuntimeError, ValueError):  # the scheduler is away
            answer.future = None

    def _wake(self, _: Any) -> None:
        self._finished.put(None)

    def result(self, answer: WorkAnswer) -> Returning[Any]:
        """Wait for one answer, with a step at each look, and return its result.

        Raises:
            ExplorerError: the work fails, or the cluster is gone.
        """
        while not self.is_there(answer):
            self.wait()
            yield PAUSE
        assert answer.known is not None
        return answer.known["result"]

    def results(self, answers: Sequence[WorkAnswer]) -> Work[WorkAnswer]:
        """Yield answers in the order in which they come."""
        left = list(answers)
        while left:
            there = [answer for answer in left if self.is_there(answer)]
            left = [answer for answer in left if answer.known is None]
            yield from (Step(answer) for answer in there)
            if left and not there:
                self.wait()
                yield PAUSE

    def wait(self) -> None:
        """Wait a moment for news."""
        try:
            self._finished.get(timeout=LOOK_S)
        except queue.Empty:
            return

    def is_there(self, answer: WorkAnswer) -> bool:
        """Whether the result is there. Work that was lost with its worker or scheduler is asked for again.

        Raises:
            ExplorerError: as of `result`.
        """
        if answer.known is not None:
            return True
        state = "lost" if answer.future is None else answer.future.status
        if state == "pending":
            self._look_after()
            return False
        if state == "finished":
            self._lost = None
            try:
                text = answer.future.result(timeout=AWAY_S)
                known = json.loads(text)
            except (OSError, TimeoutError, RuntimeError, CancelledError):
                self._ask_again(answer)
                return False
            if "error" in known:
                raise ExplorerError(known["error"])
            answer.known, answer.future = known, None
            self.pieces.append((float(known.get("seconds", 0.0)), len(text)))
            self._results.put(answer.item, known)
            return True
        if state == "error" and answer.tries >= MOST_TRIES:
            why = " ".join(str(answer.future.exception()).split())[:160]
            raise ExplorerError(
                f"A piece of work ended {answer.tries} workers ({why}); they may need more memory."
            )
        self._ask_again(answer)
        return False

    def _ask_again(self, answer: WorkAnswer) -> None:
        if self._is_connected():
            known = self._results.get(answer.item) if answer.item.keeps else None
            if known is None:
                self._submit(answer)
            answer.known = known

    def _look_after(self) -> None:
        if self._client.status != "running":
            self._is_connected()

    def _is_connected(self) -> bool:
        """Whether a scheduler answers; if none does, try again, but not at every look.

        Raises:
            ExplorerError: it has been away for too long.
        """
        if self._client.status == "running":
            self._lost = None
            return True
        now = time.monotonic()
        self._lost = self._lost or now
        if now - self._lost > AWAY_S:
            raise ExplorerError(self._gone())
        if now - self._tried >= RETRY_S:
            self._tried = now
            if self._client.status == "closed":
                try:
                    self._client = self._place.client(START_S / 2)
                except ExplorerError:
                    return False
        return self._client.status == "running"

    def let_go(self, answers: Sequence[WorkAnswer]) -> None:
        """Stop work that nobody waits for; workers notice between two steps."""
        for answer in answers:
            if answer.future is not None:
                answer.future.release()
                answer.future = None

    # ------------------------------------------------------------------ end

    def close(self, *, processes: bool = True) -> None:
        """End the connection, and the processes that were started for it unless they are still needed."""
        with contextlib.suppress(*LOST):
            self._client.close()
        if processes:
            self._place.close()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def differing(here: dict[str, Any], there: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield, in words, each kind of machine among these that may round differently from this one."""
    own = tuple(here.get(name) for name in SAME)
    kinds = dict.fromkeys(tuple(machine.get(name) for name in SAME) for machine in there)
    for kind in kinds:
        if kind != own:
            device, threads, torch, _ = kind
            yield f"{device}, {threads} {'thread' if threads == 1 else 'threads'}, torch {torch}"
