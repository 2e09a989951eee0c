"""A browser tab as the server sees one: Streamlit's websocket and our question for news."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import serving
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

PATIENCE_S = 60.0  # for a machine with neighbours
TRIGGER = "$$STREAMLIT_INTERNAL_KEY_{id}__events"  # Streamlit's widget for what a component sends once


@dataclass(frozen=True)
class Element:
    """One of our own elements, as it was sent last."""

    id: str
    fragment: str
    data: Mapping[str, Any]


def merged(known: Any, part: Mapping[str, Any]) -> dict[str, Any]:
    """What is known with a part of an answer put into it, as a browser does it."""
    whole = dict(known) if isinstance(known, dict) else {}
    for key, value in part.items():
        if value is None:
            whole.pop(key, None)
        else:
            whole[key] = merged(whole.get(key), value) if isinstance(value, dict) else value
    return whole


class Tab:
    """One session; close it as a browser does, by going away.

    Args:
        query: of the address, such as "model=digits-cnn".
        session: one that was lost and is to go on.
        patience: seconds until what has not come is an error.
        signed: the cookies of a browser, with the token that guards them; of somebody who is signed in.

    >>> with Tab(server, "model=digits-cnn") as tab:   # doctest: +SKIP
    ...     tab.open()
    ...     tab.move(channels={"conv1": 0.5})
    ...     tab.accuracy()
    """

    def __init__(
        self,
        server: serving.Server,
        query: str = "",
        *,
        session: str = "",
        patience: float = PATIENCE_S,
        signed: Mapping[str, str] | None = None,
    ):
        self.server, self.query, self.session, self._patience = server, query, session, patience
        self.elements: dict[str, Element] = {}  # by the name that each carries, or by its kind
        self.buttons: dict[str, tuple[str, str]] = {}  # key of one of Streamlit's -> its id, its fragment
        self.shown_page = ""
        self.runs, self.errors, self.page = 0, list[str](), ""
        self._edits = itertools.count(1)
        self._edit: dict[str, Any] | None = None  # the last one, until the server has it
        self._known: dict[str, int] = {}
        self._shown: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        token = signed["token"] if signed else "no-token" if session else ""
        protocols = [word for word in ("streamlit", token, session) if word]
        headers = {"Cookie": signed["cookies"]} if signed else None
        address = f"ws://127.0.0.1:{server.port}/_stcore/stream"
        self._open = ExitStack()
        self._socket = self._open.enter_context(
            connect(
                address,
                subprotocols=protocols,
                origin=server.url,
                additional_headers=headers,
                max_size=None,
                compression=None,
            )
        )
        self._news: http.client.HTTPConnection | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Tab":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Go away."""
        self._open.close()
        self._reader.join(10)
        if self._news is not None:
            self._news.close()

    # ------------------------------------------------------------------ runs of the page

    def open(self, page: str = "") -> "Tab":
        """Ask for the whole page, and wait until it is there."""
        self.shown_page = page
        self.run(page=page)
        return self

    def run(self, *, page: str = "", sent: tuple[Element, str, Any] | None = None) -> None:
        """One run of the page, or of the fragment whose element sends something, until it has ended.

        Args:
            sent: an element, the name of its event, and the value.
        """
        with self._changed:
            before = self.runs
        self.send(self.request(page, sent))
        self.until(lambda: self.runs > before)

    def press(self, key: str) -> None:
        """Press one of Streamlit's buttons; the run that follows is not waited for, and a press on a part of
        the page that is drawn anew meanwhile is lost.
        """
        with self._changed:
            name, fragment = self.buttons[key]
        message = self.request()
        message.rerun_script.page_script_hash = self.page
        message.rerun_script.fragment_id = fragment
        widget = message.rerun_script.widget_states.widgets.add()
        widget.id, widget.trigger_value = name, True
        self.send(message)

    def request(self, page: str = "", sent: tuple[Element, str, Any] | None = None) -> BackMsg:
        """What a browser sends for a run."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_name = page
        if sent is not None:
            element, event, value = sent
            message.rerun_script.page_script_hash = self.page
            message.rerun_script.fragment_id = element.fragment
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.json_value = element.id, "{}"
            widget = message.rerun_script.widget_states.widgets.add()
            widget.id = TRIGGER.format(id=element.id)
            widget.json_trigger_value = json.dumps([{"event": event, "value": value}])
        return message

    def send(self, message: BackMsg) -> None:
        """Any message, however odd."""
        self._socket.send(message.SerializeToString())

    def until(self, there: Callable[[], object]) -> None:
        """Wait for something that a message brings."""
        with self._changed:
            assert self._changed.wait_for(there, self._patience), (
                f"It did not come within {self._patience:g} s: {self.errors}"
            )

    # ------------------------------------------------------------------ what a user does and sees

    def move(self, **ratios: Mapping[str, float]) -> None:
        """Move faders: bank -> part -> ratio; the run that follows is not waited for."""
        self._edit = {"seq": next(self._edits), "values": ratios, "locks": {}}
        self.send(self.request(sent=(self.elements["console"], "edit", self._edit)))

    def ask(self, timeout: float = PATIENCE_S) -> dict[str, Any]:
        """One question for news; what is told is kept, as the page does."""
        if self._news is None:
            self._news = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=timeout)
        try:
            answer = self._answer(self._news)
        except (ConnectionError, http.client.RemoteDisconnected):  # after a rest, the server has closed it
            self._news.close()
            answer = self._answer(self._news)
        body = answer.read()
        assert answer.status == 200, (answer.status, body[:200])
        news = json.loads(body)
        for name, told in news["told"].items():
            self._known[name] = told["turn"]
            self._shown[name] = merged(self._shown.get(name), told["value"])
        if self._edit is not None and news["taken"] >= self._edit["seq"]:
            self._edit = None
        return news

    def _answer(self, connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        ticker = self.elements["ticker"].data
        headers = {"x-explorer-page": ticker["session"], "content-type": "application/json"}
        connection.request("POST", "/explorer-news", json.dumps(self._question()), headers)
        return connection.getresponse()

    def _question(self) -> dict[str, Any]:
        if self._edit is None:
            return {"known": self._known}
        console = self.elements["console"].data["name"]
        return {"known": self._known, "move": self._edit["seq"], "edit": self._edit, "of": console}

    def shown(self, name: str) -> dict[str, Any]:
        """What an element shows: what it was drawn with, and what it was told since."""
        drawn = self.elements[name].data
        told = self._shown.get(name, {}) if self._known.get(name, 0) >= drawn.get("turn", 0) else {}
        return merged(drawn.get("value", {}), told)

    def first_number(self, move: int) -> float:
        """Seconds until the cards show a number of this move, counted from 1, or of a later one."""
        started = time.monotonic()
        while time.monotonic() < started + self._patience:
            cards = self.shown("cards")
            if cards.get("taken", 0) >= move and not cards.get("older", True):
                return time.monotonic() - started
            self.ask()
        raise AssertionError(f"No number within {self._patience:g} s: {self.shown('cards')}")

    # ------------------------------------------------------------------ the websocket

    def _read(self) -> None:
        try:
            for data in self._socket:
                message = ForwardMsg.FromString(data)
                with self._changed:
                    self._take(message)
                    self._changed.notify_all()
        except ConnectionClosed:
            pass

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "script_finished":
            self.runs += 1
        elif kind == "new_session":
            self.page = message.new_session.page_script_hash
            self.session = message.new_session.initialize.session_id
        elif kind == "navigation":  # which page this is, where it was asked for by name
            self.page = message.navigation.page_script_hash
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._draw(message.delta)

    def _draw(self, delta: Any) -> None:
        element = delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.errors.append(element.exception.message)
        if kind == "button":
            self.buttons[element.button.id.split("-", 2)[-1]] = (element.button.id, delta.fragment_id)
        if kind != "bidi_component" or not element.bidi_component.json:
            return
        found, data = element.bidi_component, json.loads(element.bidi_component.json)[0]
        kind = found.component_name.removeprefix("pruning_explorer_")
        name = kind if kind in ("console", "ticker") else data.get("name", kind)
        self.elements[name] = Element(found.id, delta.fragment_id, data)
