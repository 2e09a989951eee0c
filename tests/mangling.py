"""Nested data with parts missing, added, or replaced by anything, as chance has it."""

import copy
import datetime

ANYTHING = (
    *(
        None,
        True,
        0,
        -1,
        3.5,
        float("nan"),
        float("inf"),
        10**400,
        -(10**400),
        1e308,
        "",
        "x" * 5000,
        "\ud800",
    ),
    *("a\nb", "2:4", "9999999999999999:4", "0:0", [], [1], [[]], {}, {"a": 1}, {"": 1}, [{}], [{"a": 1}]),
    *([float("nan")], {"name": 5}, {"criterion": [1]}, {"epochs": 10**30}, datetime.date(2024, 1, 2)),
    *({"hidden1": value} for value in (float("nan"), 10**400, "x" * 3000, [1], [-1], [0, 0, 10**30])),
)
KEYS = (
    "x",
    "keep",
    "remove",
    "seed",
    "seeds",
    "pattern",
    "round_to",
    "model",
    "points",
    "training",
    "x" * 3000,
)


def places(value, path=()):
    """Where something is in nested data."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def mangled(data, chance):
    """The data with one or two of its parts gone, added, or replaced."""
    data = copy.deepcopy(data)
    for _ in range(chance.choice((1, 1, 2))):
        found = list(places(data))
        if not found:
            break
        *path, last = chance.choice(found)
        inner = data
        for key in path:
            inner = inner[key]
        what = chance.random()
        if what < 0.12:
            del inner[last]
        elif what < 0.25 and isinstance(inner, dict):
            inner[chance.choice(KEYS)] = copy.deepcopy(chance.choice(ANYTHING))
        else:
            inner[last] = copy.deepcopy(chance.choice(ANYTHING))
    return data
