"""Says for which samples a model has no loss, because its outputs are not numbers or too large for them."""

from torch import Tensor

from .tally import Tally

WRONG, HIDDEN = "Such an answer counts as wrong, and no mean loss is shown", "No mean loss is shown"


def missing_losses(dense: Tally, pruned: Tally) -> str | None:
    """Return a sentence about losses that are NaN or infinite; None if all are numbers.

    Args:
        dense, pruned: of the same samples.
    """
    counts = WRONG if dense.is_accuracy else HIDDEN
    odd, cut = ~dense.losses.isfinite(), ~pruned.losses.isfinite()
    if bool(odd.any()):
        return (
            f"The dense model has no loss (NaN or infinite) for {_which(odd, dense)}. {counts}. Look for "
            "values that are no numbers, or far too large, in these inputs and in the weights."
        )
    if bool(cut.any()):
        return (
            f"The pruned model has no loss (NaN or infinite) for {_which(cut, pruned)}; the dense one has. "
            f"{counts}. This cut makes outputs too large for their number format; prune less, or "
            "another part."
        )
    return None


def _which(odd: Tensor, tally: Tally) -> str:
    """Return how many samples they are, and the first of them; or their batches, where only these have
    losses.
    """
    first, many = int(odd.nonzero()[0]), int(odd.sum())
    whose = "" if tally.is_accuracy else "the batches of "
    return f"{whose}{many:,} of {len(odd):,} samples, from sample {first:,} on (counted from 0)"
