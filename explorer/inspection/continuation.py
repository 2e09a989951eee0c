"""What a causal language model writes after a text, token by token, with the probability of each.

A smaller model reads windows of one length only, so the text is at the beginning of a window and what comes
after it is filled: a causal model does not look there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

FILLING = 0


@dataclass(frozen=True)
class Written:
    """A token that was written.

    Args:
        token: its number.
        probability: that the model gave it.
    """

    token: int
    probability: float


@dataclass(frozen=True)
class Writing:
    """How a text is continued.

    Args:
        window: tokens that the model reads at once; of a longer text, the last three quarters of a window.
        count: tokens to write.
        seed: of the draws.
        temperature: scores are divided by it; 0: the most probable token.
    """

    window: int
    count: int = 64
    seed: int = 0
    temperature: float = 0.8


def continuation(model: nn.Module, tokens: Sequence[int], how: Writing) -> Iterator[Written]:
    """Yield the tokens that a model writes after others; stop whenever you have enough.

    With the same seed, models with similar probabilities write the same: each token is where one uniform
    number falls in the probabilities.

    Args:
        tokens: at least one.
    """
    read, generator = list(tokens), torch.Generator().manual_seed(how.seed)
    for _ in range(how.count):
        draw = float(torch.rand((), generator=generator))
        probabilities = _probabilities(_scores(model, read, how.window), how.temperature)
        token = int((probabilities.cumsum(0) < draw).sum().clamp(max=len(probabilities) - 1))
        yield Written(token, float(probabilities[token]))
        read.append(token)


def probabilities_of(model: nn.Module, tokens: Sequence[int], window: int) -> list[float]:
    """Return the probability that a model gives to each token of a text after those before it; the first has
    none, so there is one fewer than tokens. Only the last window counts.
    """
    read = list(tokens)[-window - 1 :]
    with torch.inference_mode():
        scores = _answered(model, _filled(read[:-1], window))[: len(read) - 1].double().softmax(1)
    return scores[torch.arange(len(read) - 1), torch.tensor(read[1:])].tolist()


def _scores(model: nn.Module, read: list[int], window: int) -> Tensor:
    """Return (vocabulary,) scores of the token after those read."""
    known = read if len(read) <= window else read[-(window * 3 // 4) :]
    with torch.inference_mode():
        return _answered(model, _filled(known, window))[len(known) - 1].double()


def _filled(tokens: Sequence[int], window: int) -> Tensor:
    return torch.tensor([[*tokens, *[FILLING] * (window - len(tokens))]])


def _answered(model: nn.Module, inputs: Tensor) -> Tensor:
    outputs: Any = model(inputs)
    return outputs[0]


def _probabilities(scores: Tensor, temperature: float) -> Tensor:
    if temperature == 0:
        return torch.nn.functional.one_hot(scores.argmax(), len(scores)).double()
    return (scores / temperature).softmax(0)
