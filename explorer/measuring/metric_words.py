"""A metric's name -> its name for people."""

from functools import cache

from ..registry import METRICS


@cache
def metric_title(name: str) -> str:
    """Return a metric's title; for one that is not a plug-in, its name in words.

    >>> metric_title("mean_iou"), metric_title("angle_error")
    ('mean IoU', 'angle error')
    """
    return METRICS[name]().title if name in METRICS else name.replace("_", " ")


def metric_heading(name: str | None) -> str:
    """Return the title as a heading or for an axis.

    >>> metric_heading("mean_iou"), metric_heading(None)
    ('Mean IoU', 'Accuracy')
    """
    title = metric_title(name or "accuracy")
    return title[:1].upper() + title[1:]
