"""What runs on a worker: loads a model once by name, does one piece of work at a time, keeps the result."""

import contextlib
import json
import threading
import time
from typing import Any

import torch

from ..errors import ExplorerError, crash
from ..graph.analysed import Analysed, analyse
from ..machine.cache import Cache
from ..machine.environment import environment
from ..machine.foreign_code import failure
from ..machine.optional_packages import optional
from ..machine.version import __version__
from .kinds import KINDS
from .result_store import ResultStore
from .work_item import WorkItem

_models = Cache(2, "models of a worker", 4 * 2**30, slow=True)
_turn = threading.Lock()  # a worker with several threads gives all of them to one piece of work
SAME = ("device_name", "threads", "torch", "explorer")  # what equal bits depend on


def work(text: str) -> str:
    """Do one piece of work.

    Args:
        text: a WorkItem as JSON.
    Returns:
        JSON with `result` and `environment`, or with `error`, one sentence.
    """
    data = json.loads(text)
    worker = own_worker()
    where = str(worker.name) if worker is not None else "here"
    if data["version"] != __version__:
        return json.dumps(
            {
                "error": f"Worker {where} runs version {__version__} of this program, and it was asked by "
                f"{data['version']}; install the same one."
            }
        )
    item, store = WorkItem.from_json(data), ResultStore()
    known = store.get(item)
    if known is None:
        with _turn:
            began = time.perf_counter()
            known = _done(item, where)
            known["seconds"] = time.perf_counter() - began
        if "error" not in known:
            store.put(item, known)
    return json.dumps(known)


def _done(item: WorkItem, where: str) -> dict[str, Any]:
    worker = own_worker()
    threads = worker.state.nthreads if worker is not None else torch.get_num_threads()
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    result: Any = None
    try:
        for step in KINDS[item.kind](_model(item, where), item.asked):
            result = step.value if step.value is not None else result
            if is_unwanted():
                return {"error": "Nobody waits for this any more."}
    except ExplorerError as error:
        return {"error": str(error)}
    except (Exception, SystemExit) as error:  # the border of foreign code: a worker outlives it
        return {"error": f"Worker {where}: {failure(error) or crash(error)}"}
    return {"result": result, "environment": environment(item.device)}


def _model(item: WorkItem, where: str) -> Analysed:
    key = item.source
    found: Analysed | None = _models.get(key)
    return found or _models.put(key, analyse(item.source.loaded(where)))


def own_worker() -> Any:
    """Return Dask's worker that this thread works for, or None."""
    try:
        return optional("distributed").get_worker()
    except ValueError:
        return None


def is_unwanted() -> bool:
    """Whether the scheduler has taken this piece of work back: it was cancelled, or whoever asked is gone."""
    worker = own_worker()
    if worker is None:
        return False
    with contextlib.suppress(AttributeError):
        key = optional("distributed.worker").thread_state.key
        task = worker.state.tasks.get(key)
        return task is None or task.state in ("cancelled", "released", "forgotten")
    return False


def about_worker() -> dict[str, Any]:
    """Return what a worker is: versions, device, and how much of it there is."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    worker = own_worker()
    threads = worker.state.nthreads if worker is not None else torch.get_num_threads()
    return environment(device) | {"threads": threads}
