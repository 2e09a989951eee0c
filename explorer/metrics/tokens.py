"""Texts: scores of the next token compared with the true token."""

from typing import Any

import torch
from torch import Tensor

from .checks import IGNORED, as_given, class_targets
from .losses import losses
from .shared import shared

WANTED = "scores of tokens (samples, tokens, vocabulary)"


def scores_and_tokens(metric: str, outputs: Any, targets: Any, shift: bool) -> tuple[Tensor, Tensor]:
    """Return (samples, tokens, vocabulary) scores and (samples, tokens) int64, aligned.

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
    scores = as_given(metric, outputs, (3,), WANTED)
    tokens = class_targets(metric, targets, tuple(scores.shape[:2]), scores.shape[2], may_skip=True)
    return (scores[:, :-1], tokens[:, 1:]) if shift else (scores, tokens)


def surprise(scores: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return (samples,) the loss of each sample in nats, float64, and (samples,) how many of its tokens
    count.
    """
    return nats_of(scores, tokens).sum(1), (tokens != IGNORED).sum(1).to(torch.float64)


def nats_of(scores: Tensor, tokens: Tensor) -> Tensor:
    """Return (samples, tokens) the loss of each token in nats, float64; 0 where it is ignored."""
    nats: Tensor = shared(_nats, scores, tokens)
    return nats.view(tokens.shape)


def _nats(scores: Tensor, tokens: Tensor) -> Tensor:
    return losses(scores.flatten(0, 1), tokens.flatten(), torch.float64)


def are_predicted(scores: Tensor, tokens: Tensor) -> Tensor:
    """Return (samples, tokens) bool: whether the highest score is that of the token; of equal ones the first
    is the highest.
    """
    flat, wanted = scores.flatten(0, 1), tokens.flatten()
    own = flat.gather(1, wanted.clamp(0, flat.shape[1] - 1)[:, None])[:, 0]
    right = own == flat.amax(1)
    places = right.nonzero()[:, 0]  # looking for the place of the highest takes longer than for the highest
    right[places] = flat[places].argmax(1) == wanted[places]
    return right.view(tokens.shape)
