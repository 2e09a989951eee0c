"""A metric's name -> its name for people."""

from functools import cache

from ..registry import METRICS
from ..values.metric import Scale


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


def metric_axis(scale: Scale) -> str:
    """Return the title of an axis, with the unit.

    >>> metric_axis(Scale()), metric_axis(Scale("r2", ""))
    ('Accuracy (%)', 'R²')
    """
    return metric_heading(scale.metric) + (f" ({scale.unit})" if scale.unit else "")


def hover_form(scale: Scale) -> tuple[str, str]:
    """Return how Plotly writes a number of that scale, and what follows it.

    >>> hover_form(Scale()), hover_form(Scale("mae", "m", "lower"))
    (('.1f', ' %'), ('.4g', ' m'))
    """
    return (".1f", " %") if scale.unit == "%" else (".4g", f" {scale.unit}".rstrip())


def change_unit(scale: Scale) -> str:
    """Return what follows a change of that scale.

    >>> change_unit(Scale()), change_unit(Scale("mae", "m", "lower")), change_unit(Scale("r2", ""))
    (' points', ' m', '')
    """
    return " points" if scale.unit == "%" else f" {scale.unit}".rstrip()


def change_axis(scale: Scale) -> str:
    """Return the title of an axis of changes, with the unit.

    >>> change_axis(Scale()), change_axis(Scale("r2", ""))
    ('Change of accuracy (points)', 'Change of R²')
    """
    unit = change_unit(scale).strip()
    return f"Change of {metric_title(scale.metric)}" + (f" ({unit})" if unit else "")
