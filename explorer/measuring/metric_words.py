"""A metric's name -> what a person calls it."""

from functools import cache

from ..registry import METRICS


@cache
def metric_title(name: str) -> str:
    """What a metric is called; of one that is no plug-in, its name.

    >>> metric_title("mean_iou"), metric_title("angle_error")
    ('mean IoU', 'angle error')
    """
    return METRICS[name]().title if name in METRICS else name.replace("_", " ")


def metric_heading(name: str | None) -> str:
    """The same as a heading or the title of an axis.

    >>> metric_heading("mean_iou"), metric_heading(None)
    ('Mean IoU', 'Accuracy')
    """
    title = metric_title(name or "accuracy")
    return title[:1].upper() + title[1:]
