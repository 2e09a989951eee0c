"""On CUDA: full batches replay one captured graph, which avoids the cost of launching each kernel again.

A capture costs about three forwards, so enough full batches must be left; the first looks are smaller than a
batch and always run normally. Whatever cannot be captured runs normally, too.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .evaluation import Forward

WORTH = 8  # full batches still to come
WARM_UPS = 2  # forwards in which libraries choose their kernels and allocate memory


def captured(model: nn.Module, device: str, batch: int, samples: int) -> Forward | None:
    """Return a forward with the same outputs that captures itself when it pays; None if there is nothing to
    capture.

    Args:
        batch: samples of a full batch. samples: of the whole evaluation.
    """
    if torch.device(device).type != "cuda" or samples < WORTH * batch:
        return None
    return _Captured(model, batch, samples)


class _Captured:
    """A captured forward; its graph and memory are freed with it."""

    def __init__(self, model: nn.Module, batch: int, samples: int):
        self._model, self._batch, self._samples = model, batch, samples
        self._graph: torch.cuda.CUDAGraph | None = None
        self._failed = False

    def __call__(self, start: int, stop: int, read: Callable[[], Tensor]) -> Tensor:
        inputs = read()
        if self._failed or len(inputs) != self._batch:
            return self._model(inputs)
        graph = self._graph or (
            self._capture(inputs) if self._samples - start >= WORTH * self._batch else None
        )
        if graph is None:
            return self._model(inputs)
        self._inputs.copy_(inputs)
        graph.replay()
        return self._logits.clone()  # the next replay writes into the same memory

    def _capture(self, inputs: Tensor) -> torch.cuda.CUDAGraph | None:
        """Capture the forward of one batch; return None if that is impossible, and never try again."""
        graph, self._inputs = torch.cuda.CUDAGraph(), inputs.clone(memory_format=torch.preserve_format)
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UPS):
                    self._model(self._inputs)
            torch.cuda.current_stream().wait_stream(side)
            # pages of other sessions may use the device meanwhile, which only the strictest mode forbids
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._logits = self._model(self._inputs)
        except (
            RuntimeError
        ):  # a synchronisation or a size that depends on data, or no memory for the graph's own pool
            self._failed = True
            return None
        self._graph = graph
        return graph
