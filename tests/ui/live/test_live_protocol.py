"""What was told of an element, question by question, as a browser follows it; and questions that are none."""

import json
import random

import pytest
from protocol import merged

from explorer.ui.live.protocol import LONGEST, NewsQuestion, Told, parts, read_question


def test_nothing_was_told_yet():
    told = Told()
    assert told.turn == 0 and told.since(0) is None


def test_an_empty_value_is_told_like_any_other():
    told = Told()
    assert told.tell({}, 7) and told.turn == 7
    assert told.since(0) == {} and told.since(7) is None


def test_only_what_changed_is_told_and_what_is_gone():
    sent = Told()
    sent.tell({"a": 1, "b": 2}, 3)
    assert not sent.tell({"a": 1, "b": 2}, 4) and sent.turn == 3
    assert sent.tell({"a": 5}, 6)
    assert sent.since(3) == {"a": 5, "b": None} and sent.since(6) is None
    assert sent.since(0) == {"a": 5, "b": None}


def test_an_element_that_shows_nothing_any_more_says_so():
    told = Told()
    told.tell({"layout": 1}, 3)
    assert told.tell({}, 4) and told.since(3) == {"layout": None}


def test_of_objects_the_leaves_are_told_that_changed_and_lists_as_a_whole():
    told = Told()
    line = {"line": {"color": "blue", "dash": "dot"}, "x": [1, 2], "name": "own"}
    told.tell({"trace": line, "words": "w"}, 1)
    told.tell({"trace": {**line, "line": {"color": "red"}, "x": [1, 3]}, "words": "w"}, 2)
    assert told.since(1) == {"trace": {"line": {"color": "red", "dash": None}, "x": [1, 3]}}


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": 1}, {"a": 1}),
        ({"a": {"b": 1}}, {}, {"a": None}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
        ({"a": {}}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({}, {"a": {}}, {"a": {}}),
        ({"a": 1}, {"a": {}}, {"a": {}}),
        ({"a": {}}, {}, {"a": None}),
        ({"a": None}, {}, None),
    ],
)
def test_an_object_may_become_a_number_or_nothing_and_back(before, after, part):
    told = Told()
    told.tell(before, 1)
    told.tell(after, 2)
    assert told.since(1) == part
    assert part is None or merged(before, part) == after


def _value(chance, depth=2):
    """An object within objects, in which nothing is null."""
    return {
        key: _value(chance, depth - 1) if depth and chance.random() < 0.5 else chance.randrange(3)
        for key in "abcd"
        if chance.random() < 0.7
    }


def test_a_browser_that_merges_parts_has_the_whole_whatever_it_missed():
    """Answers are lost, come twice or late: what a browser holds is always a value that was told."""
    chance = random.Random(0)
    sent, history = Told(), {0: {}}
    shown, at = {}, 0
    late = []
    for turn in range(1, 400):
        value = _value(chance)
        if sent.tell(value, turn):
            history[turn] = value
        found = parts({"x": sent}, {"x": at}).get("x")
        if found and chance.random() < 0.5:
            late.append(found)
        for message in [found] * (chance.random() < 0.5) + chance.sample(late, min(1, len(late))):
            if message and message["turn"] > at:
                shown, at = merged(shown, message["value"]), message["turn"]
                assert shown == history[at]
    assert at > 300


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"nonsense",
        b'{"known": {"cards": "1"}}',
        b'{"known": {"cards": -1}}',
        b'{"known": {"cards": true}}',
        b'{"known": {"cards": 1e400}}',
        b'{"known": []}',
        b'{"known": {}, "move": "7"}',
        b'{"known": {}, "edit": [1]}',
        b'{"known": {}, "of": 3}',
        b"[" * 10_000,
        b'{"known": {}, "of": "' + b"x" * LONGEST + b'"}',
    ],
)
def test_a_question_that_is_none_is_refused(body):
    assert read_question(body) is None


def test_a_question_is_read():
    assert read_question(b'{"known": {"cards": 12}}') == NewsQuestion({"cards": 12})
    edit = {"seq": 3, "values": {}}
    body = json.dumps({"known": {}, "move": 3, "edit": edit, "of": "console 1"}).encode()
    assert read_question(body) == NewsQuestion({}, 3, edit, "console 1")
