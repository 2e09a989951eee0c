"""What a model may lose, as one number for any metric: points of a fraction, or a share of the dense model's
value.
"""

from ..values.metric import Scale
from .metric_words import metric_title


def whole_of(scale: Scale, dense: float) -> float:
    """Return the number of which the allowed loss is a share: the dense model's value; 1 for fractions such
    as accuracy, and where the dense model's value is 0, as in a comparison with itself.

    >>> whole_of(Scale(), 0.9), whole_of(Scale("mae", "m", "lower"), 3.0)
    (1.0, 3.0)
    """
    return 1.0 if scale.unit == "%" or not dense else abs(dense)


def limit_words(allowed: float, scale: Scale, dense: float) -> str:
    """Return what may happen to a metric, in words: it falls, or rises if lower is better.

    >>> limit_words(0.01, Scale(), 0.9)
    'accuracy falls by at most 1 point'
    >>> limit_words(0.02, Scale("mae", "m", "lower"), 3.0)
    "mean absolute error rises by at most 2 % of the dense model's"
    >>> limit_words(0.05, Scale("kl_divergence", "nats", "lower"), 0.0)
    'KL divergence from the dense model rises by at most 0.05 nats'
    """
    moves = "falls" if scale.better == "higher" else "rises"
    if scale.unit == "%":
        amount = f"{100 * allowed:.3g} point{'s' * (allowed != 0.01)}"
    elif not dense:
        amount = f"{allowed:.3g} {scale.unit}".rstrip()
    else:
        amount = f"{100 * allowed:.3g} % of the dense model's"
    return f"{metric_title(scale.metric)} {moves} by at most {amount}"


def allowance_unit(scale: Scale) -> str:
    """Return the unit of a field for the allowed loss, of which 1 is a hundredth of the whole.

    >>> allowance_unit(Scale()), allowance_unit(Scale("mae", "m", "lower"))
    ('points', '%')
    """
    return "points" if scale.unit == "%" else "%"
