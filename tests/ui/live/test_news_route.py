"""Questions for news: who is answered, and when."""

import asyncio
import json
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from starlette.requests import Request
from starlette.routing import Match

from explorer.ui import late_routes
from explorer.ui.live import news_route
from explorer.ui.live.protocol import LONGEST, read_question
from explorer.ui.shared import models, settings


def asked(secret: str, read: list[int], ends_after: float = math.inf) -> int:
    """The status of a question without an end, or of one whose browser goes away after so many parts."""

    async def receive():
        if len(read) >= ends_after:
            return {"type": "http.disconnect"}
        read.append(4096)
        return {"type": "http.request", "body": b" " * read[-1], "more_body": True}

    scope = {"type": "http", "method": "POST", "headers": [(b"x-explorer-page", secret.encode())]}
    with ThreadPoolExecutor(1) as another:  # where no browser test has left a loop
        return (
            another.submit(lambda: asyncio.run(news_route.ask(Request(scope, receive)))).result().status_code
        )


def test_a_stranger_is_not_even_read_and_nobody_is_read_without_end(monkeypatch):
    monkeypatch.setitem(news_route._pages, "known", object())
    strangers, known = [], []
    assert asked("guess", strangers) == 404 and strangers == []
    assert asked("known", known) == 404 and LONGEST < sum(known) <= LONGEST + 4096


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_a_browser_that_goes_away_while_it_asks_is_no_error(monkeypatch, parts):
    monkeypatch.setitem(news_route._pages, "known", object())
    read: list[int] = []
    assert asked("known", read, parts) == 404 and len(read) == parts


ODD_QUESTIONS = {
    "nothing": b"",
    "half": b'{"known": {',
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "deep": b"[" * 90_000,
    "deep inside": b'{"known":' + b'{"a":' * 15_000 + b"}" * 15_001,
    "long": b" " * (LONGEST + 1) + b"{}",
    "no turns": b'{"move": 1}',
    "a turn of text": b'{"known": {"cards": "1"}}',
    "a turn that is no number": b'{"known": {"cards": NaN}}',
    "a turn of 6,000 digits": b'{"known": {"cards": ' + b"9" * 6000 + b"}}",
    "a move that is true": b'{"known": {}, "move": true}',
    "an edit that is a list": b'{"known": {}, "edit": []}',
    "an element without a name": b'{"known": {}, "edit": {}, "of": 3}',
}


@pytest.mark.parametrize("body", ODD_QUESTIONS.values(), ids=ODD_QUESTIONS)
def test_what_is_no_question_is_none(body):
    assert read_question(body) is None
    assert read_question(b'{"known": {"cards": 1}, "move": 1}') is not None  # the negative control


@pytest.mark.parametrize(
    "path, is_answered",
    [
        ("/explorer-news", True),
        ("/base/explorer-news", True),
        ("/one/two/explorer-news", True),
        ("/explorer-news/more", False),
        ("/", False),
    ],
)
def test_questions_are_answered_below_any_prefix(path, is_answered):
    scope = {"type": "http", "method": "POST", "path": path}
    found = [route.matches(scope)[0] for route in late_routes.routes()]
    assert (Match.FULL in found) == is_answered


class Looking:
    """What a question for news sees: versions of the lanes, and what a look finds, which a test changes
    during it.
    """

    def __init__(self, monkeypatch, *finds):
        self.finds, self.looks, self.version, self.edits = list(finds), 0, 0, []
        monkeypatch.setitem(news_route._pages, "known", self)
        monkeypatch.setattr(news_route, "_stamp", lambda context: (self.version,))
        monkeypatch.setattr(news_route, "_look", self.look)

    async def look(self, context, asked):
        self.looks += 1
        self.version += 1  # something came while it looked
        self.edits.append(asked.edit)
        told, is_measured = self.finds[min(self.looks, len(self.finds)) - 1]
        return {"told": told, "draw": False, "busy": True}, (is_measured if asked.move else None)

    def ask(self, **question: object) -> tuple[dict, float]:
        async def receive():
            return {"type": "http.request", "body": json.dumps({"known": {}, **question}).encode()}

        scope = {"type": "http", "method": "POST", "headers": [(b"x-explorer-page", b"known")]}
        started = time.monotonic()
        with ThreadPoolExecutor(1) as another:
            found = another.submit(lambda: asyncio.run(news_route.ask(Request(scope, receive)))).result()
        return json.loads(found.body)["told"], time.monotonic() - started


def test_what_comes_during_a_look_is_found_by_the_next_one_at_once(monkeypatch):
    told, took = Looking(monkeypatch, ({}, None), ({"cards": 1}, None)).ask()
    assert told == {"cards": 1} and took < news_route.LOOK_AGAIN_S


def test_the_answer_to_a_move_waits_for_its_first_number(monkeypatch):
    looking = Looking(
        monkeypatch, ({"curve": 1}, None), ({"cards": "older"}, False), ({"cards": "number"}, True)
    )
    assert looking.ask(move=7)[0] == {"cards": "number"} and looking.looks == 3
    # without a move, whatever comes
    assert Looking(monkeypatch, ({"curve": 1}, None)).ask()[0] == {"curve": 1}
    told, took = Looking(monkeypatch, ({"cards": "older"}, False)).ask(move=7)
    # a slow number is told of meanwhile
    assert told == {"cards": "older"} and news_route.FIRST_S <= took < news_route.HOLD_S


def test_a_move_that_never_arrives_is_not_waited_for_without_end(monkeypatch):
    monkeypatch.setattr(news_route, "HOLD_S", 0.1)
    assert Looking(monkeypatch, ({}, None)).ask(move=7)[0] == {}


def test_an_edit_that_a_question_brings_is_taken_once(monkeypatch):
    looking = Looking(monkeypatch, ({}, None), ({}, None), ({"cards": 1}, True))
    looking.ask(move=1, edit={"seq": 1}, of="console")
    assert looking.edits == [{"seq": 1}, None, None]


def test_a_model_that_loads_again_for_a_question_draws_no_spinner(monkeypatch):
    """A thread that answers is in no run of a page, so drawing would raise."""
    drawn = []
    monkeypatch.setattr(models.st, "spinner", lambda words: drawn.append(words) or nullcontext())
    settings.configure(settings.Settings(("digits-mlp",)))
    models._subjects.drop("digits-mlp")
    answers = threading.Thread(target=models.load_subject, args=("digits-mlp",), name=models.ANSWERS)
    answers.start()
    answers.join(60)
    assert models._subjects.get("digits-mlp") is not None and drawn == []
    models._subjects.drop("digits-mlp")
    models.load_subject("digits-mlp")
    assert drawn == ["Loading the model ..."]
