"""Long lists of a JSON file are read row by row as `json.loads` reads them whole, and broken files refused as
by it.
"""

import json
import random

import pytest

from explorer.data import json_rows
from explorer.data.json_rows import row, rows

LIMIT = 2**20
NAMES = ("images", "boxes")
SPACES = ("", "", " ", "\n", "\t ", " \r\n  ")


@pytest.fixture(autouse=True, params=[5, 64, LIMIT])
def small_pieces(monkeypatch, request):
    """A file is looked at in pieces of a few signs, so that each of its values is cut somewhere."""
    monkeypatch.setattr(json_rows, "LEAST", request.param)
    monkeypatch.setattr(json_rows, "AT_ONCE", 3)
    monkeypatch.setattr("explorer.machine.bounded_file.CHUNK", request.param)


def read(path):
    """The lists of a file by name, and None for what is no list."""
    lists = {}
    for name, batch in rows(path, LIMIT, NAMES):
        if batch:
            lists[name] += batch
        else:
            lists[name] = batch
    return {name: lists[name] for name in NAMES if name in lists}


def expected(content):
    """What `json.loads` finds, the same way."""
    whole = json.loads(content)
    there = whole if isinstance(whole, dict) else {}
    return {name: there[name] if isinstance(there[name], list) else None for name in NAMES if name in there}


def any_value(draw, depth=0):
    kinds = [
        lambda: draw.choice([True, False, None, 0, -0.0, 17, -(10**30), 1e-300, float("inf")]),
        lambda: draw.random() * 10 ** draw.randint(-5, 5),
        lambda: "".join(draw.choice('ab"\\ü\u2028😀\ud800/{},[]: \n') for _ in range(draw.randint(0, 12))),
    ]
    if depth < 3:
        kinds += [
            lambda: [any_value(draw, depth + 1) for _ in range(draw.randint(0, 4))],
            lambda: {f"k{n}": any_value(draw, depth + 1) for n in range(draw.randint(0, 4))},
        ]
    return draw.choice(kinds)()


def any_text(draw):
    """An object with lists of rows, written with any space, encoding and order."""
    fields = []
    for name in draw.sample(["info", "images", "boxes", "images", "licenses"], draw.randint(0, 5)):
        many = [any_value(draw, 1 if draw.random() < 0.1 else 0) for _ in range(draw.randint(0, 9))]
        objects = [{"id": n, "box": any_value(draw)} for n in range(draw.randint(0, 9))]
        value = draw.choice([objects, objects, many, any_value(draw)])
        between = draw.choice(SPACES) + "," + draw.choice(SPACES), ":" + draw.choice(SPACES)
        is_plain = draw.random() < 0.5
        written = json.dumps(value, separators=between, ensure_ascii=is_plain, indent=draw.choice([None, 1]))
        fields.append(f'{draw.choice(SPACES)}"{name}"{draw.choice(SPACES)}:{draw.choice(SPACES)}{written}')
    text = "{" + ",".join(fields) + draw.choice(SPACES) + "}" + draw.choice(SPACES)
    encoding = draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32-be"])
    return text.encode(encoding, "surrogatepass")


def any_damage(draw, content):
    place = draw.randrange(len(content))
    damage = [
        content[:place],
        content[:place] + content[place + 1 :],
        content[:place] + bytes([draw.choice(b'{}[],:"\\0e-+.x\xff ')]) + content[place:],
        content + draw.choice([b"{}", b",", b"\x00"]),
    ]
    return draw.choice(damage)


@pytest.mark.parametrize("seed", range(60))
def test_rows_are_those_of_the_whole_file(tmp_path, seed):
    draw, path = random.Random(seed), tmp_path / "a.json"
    for _ in range(4):
        content = any_text(draw)
        path.write_bytes(content)
        assert repr(read(path)) == repr(expected(content))


@pytest.mark.parametrize("seed", range(60))
def test_a_broken_file_is_refused_where_the_whole_one_is(tmp_path, seed):
    draw, path = random.Random(seed), tmp_path / "a.json"
    for _ in range(6):
        content = any_damage(draw, any_text(draw))
        path.write_bytes(content)
        try:
            known = repr(expected(content))
        except ValueError:
            with pytest.raises(ValueError):
                read(path)
        else:
            assert repr(read(path)) == known


def test_one_row_is_found_in_the_last_list_of_that_name(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(
        '{"images": [{"a": 1}], "boxes": [{}], "images": [{"a": 2}, {"a": 3}, {"a": 4}, {"a": 5}]}'
    )
    assert row(path, LIMIT, "images", 0) == {"a": 2} and row(path, LIMIT, "images", 3) == {"a": 5}
    with pytest.raises(LookupError):
        row(path, LIMIT, "images", 4)


def test_a_deep_value_and_a_long_file_are_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"images": [' + "[" * 100_000)
    with pytest.raises(RecursionError):
        read(path)
    with pytest.raises(OSError, match="more than 1,000 bytes"):
        list(rows(path, 1000, NAMES))
