"""Signs that something went wrong in a browser or on its server; every browser test fails on the same ones.

Watched are all pages of a browser context: error boxes of Streamlit and of our elements, errors in the
console, errors that nothing caught, requests that failed or that went to another host, and what the server
wrote.
"""

import re
from pathlib import Path
from typing import Any

# Streamlit's boxes (exceptions, errors of components, st.error, dialogs), then ours
BOXES = (
    "[data-testid=stException], [data-testid=stErrorElementStack], [data-testid=stAlertContentError], "
    "[data-testid=stDialog]:has-text('error'), .status.crash, .live-figure .crash"
)
# lines of a server's log; among them Streamlit's complaint of a region that is no longer on the page
COMPLAINTS = re.compile(
    r'Traceback|File ".*/explorer/|Uncaught|(?i:exception)|\bERROR\b|(?i:fragment .*(not exist|with id))'
)
# an abort is no failure: a page that is left gives up what it still asked for
GIVEN_UP = "net::ERR_ABORTED"


class Signs:
    """What went wrong since the beginning, or since the last check.

    Args:
        address: of the server; requests to other hosts are signs.
        log: of the server; None where nothing is written down.
    """

    def __init__(self, address: str, log: Path | None = None):
        self.address, self.log, self._seen = address, log, 0
        self.lines: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        self._contexts: list[Any] = []
        if log is not None:
            self._seen = log.stat().st_size

    def expect(self, pattern: str) -> None:
        """From now on a sign that holds this pattern is what a test wants to see."""
        self._expected.append(re.compile(pattern))

    def watch(self, context: Any) -> None:
        """Watch every page of a browser context, those that are opened later too."""
        self._contexts.append(context)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self._add("page error", error.error))
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_failed)
        context.on("response", self._on_response)

    def look(self) -> list[str]:
        """All signs until now, those on the screen included."""
        for page in [page for context in self._contexts for page in context.pages]:
            for text in page.locator(BOXES).all_inner_texts():
                self._add("box", text)
        self._read_log()
        return list(self.lines)

    def check(self) -> None:
        """Fail if there was a sign.

        Raises:
            AssertionError: with all of them.
        """
        found = self.look()
        self.lines = []
        assert found == [], "\n".join(found)

    def _add(self, kind: str, text: object) -> None:
        line = f"{kind}: {str(text).strip()[:2000]}"
        if line not in self.lines and not any(pattern.search(line) for pattern in self._expected):
            self.lines.append(line)

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self._add("console", message.text)

    def _on_request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:", "about:")):
            self._add("request to another host", request.url)

    def _on_failed(self, request: Any) -> None:
        if request.failure != GIVEN_UP:
            self._add("failed request", f"{request.method} {request.url} {request.failure}")

    def _on_response(self, response: Any) -> None:
        if response.status >= 400:
            self._add("refused request", f"{response.status} {response.url}")

    def _read_log(self) -> None:
        if self.log is None:
            return
        with self.log.open("rb") as file:
            file.seek(self._seen)
            told = file.read()
        self._seen += len(told)
        lines = told.decode(errors="replace")
        if COMPLAINTS.search(lines):
            self._add("server's log", lines[-2000:])
