"""Texts: scores of the next token compared with the true token."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from .checks import IGNORED, class_targets, scores_of

WANTED = "scores of tokens (samples, tokens, vocabulary)"


def scores_and_tokens(metric: str, outputs: Any, targets: Any, shift: bool) -> tuple[Tensor, Tensor]:
    """Return (samples, tokens, vocabulary) float64 and (samples, tokens) int64, aligned.

    Args:
        targets: the tokens, or a pair of these and the bytes of each sample.
        shift: targets are the tokens that the model read, so that each position is compared with the next
            one.
    Raises:
        ExplorerError: they are something else.
    """
    outputs = getattr(outputs, "logits", outputs)  # as transformers returns them
    if isinstance(outputs, dict) and "logits" in outputs:
        outputs = outputs["logits"]
    targets = targets[0] if isinstance(targets, tuple | list) and len(targets) == 2 else targets
    scores = scores_of(metric, outputs, (3,), WANTED)
    tokens = class_targets(metric, targets, tuple(scores.shape[:2]), scores.shape[2], may_skip=True)
    return (scores[:, :-1], tokens[:, 1:]) if shift else (scores, tokens)


def surprise(scores: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return (samples,) the loss of each sample in nats, and (samples,) how many of its tokens count."""
    counts = tokens != IGNORED
    nats = cross_entropy(scores.flatten(0, 1), tokens.flatten(), reduction="none", ignore_index=IGNORED)
    return nats.view(tokens.shape).sum(1), counts.sum(1).to(torch.float64)
