"""The figure of groups: the numbers are those of the value, foreign names are no markup."""

import pytest
import torch

from explorer.figures.group_values import group_values, shown_groups
from explorer.figures.style import NOTHING, REMOVED, STALE
from explorer.studies.partings import partings_of
from explorer.studies.who_pays import GroupedChange, grouped
from explorer.values.samples import Split
from explorer.values.subject import Task

EVIL = "<script>alert(1)</script>%{x}"


def classes(count: int, victim: int = 0) -> GroupedChange:
    """Thirty pictures in which every class has 10 pixels, all right before; the victim loses half."""
    targets = torch.zeros(30, 2, 2, dtype=torch.long)
    names = (EVIL, *(f"c{number}" for number in range(1, count)))
    task = Task("t", class_names=names, data=(torch.zeros(30, 1), targets), metric="mean_iou")
    (parting,) = partings_of(task, Split(targets, targets))
    rows = torch.full((30, count, 3), 10.0).double()
    after = rows.clone()
    after[:, victim, 0] = 5 + torch.arange(30) % 2
    return grouped(parting, rows, after)


def trace(figure, name):
    (drawn,) = [trace for trace in figure.data if trace.name == name]
    return drawn


def test_values_and_changes_are_those_of_the_groups():
    kind = classes(3, victim=1)
    figure = group_values(kind)
    assert list(trace(figure, "before").x) == [100, 100, 100]
    after = 100 * 5.5 / 14.5
    assert list(trace(figure, "after").x) == pytest.approx([100, after, 100])
    victim, others = trace(figure, "beyond noise"), trace(figure, "may be noise")
    assert list(victim.y) == ["c1"] and victim.marker.color == REMOVED and others.marker.color == STALE
    drop = kind.groups[1].drop
    assert victim.x[0] + victim.error_x.array[0] == pytest.approx(-100 * drop.low)
    assert figure.layout.xaxis2.title.text == "Change (points)" and "IoU" in figure.layout.title.text


def test_of_many_groups_those_that_changed_most_are_drawn():
    kind = classes(50, victim=47)
    assert len(shown_groups(kind)) == 40 and kind.groups[47] in shown_groups(kind)
    assert "40 of 50" in group_values(kind).layout.title.subtitle.text


def test_foreign_names_are_no_markup_and_nothing_is_an_empty_figure():
    assert "<script>" not in group_values(classes(3)).to_json().replace("\\u003c", "<")
    assert group_values(None).layout.annotations[0].text == NOTHING
    assert group_values(None).layout.xaxis.title.text == "Metric"  # no unit before one is known
