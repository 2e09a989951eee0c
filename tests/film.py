"""Films a drag of a fader: `python tests/film.py digits-cnn shapes-resnet --json FILE`. Needs Chromium.

The fader goes up in steps while the boxes of all elements are written down every 50 ms, until the last number
is there. Faders, marks in figures and numbers may move; of all else is said what moved, when, and how far.
"""

import argparse
import base64
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import serving
from playwright.sync_api import Page, sync_playwright

STEPS, STEP_MS, AFTER_MS, REST_MS = 20, 50, 4_000, 3_000
SIZES = {"width": 1400, "height": 900}
UP = 0.6  # of the way of a fader
MOST = 1.0  # pixel that something may move
PATIENCE_MS = 120_000
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
# what moves with the hand, or is a number, whose width changes
MAY_MOVE = (
    ".thumb, .removed, .achieved, .limit, .lock, .readout, .units, .totals, .value, .change, .notes, .words,"
    " .share i, .plot *, .prospect, .prospect *, .names li, .names li *, .trap,"
    " [data-testid=stStatusWidget],"
    " [data-testid=stStatusWidget] *, [data-testid=stTooltipContent], [data-testid=stTooltipContent] *,"
    " [class*=st-key-shelf], [class*=st-key-live], [class*=st-key-value-], .st-key-plotly, .st-key-plotly *"
)
# Writes down where everything is, in and out of shadow roots: window.film.frames are [time, boxes].
RECORDER = """(() => {
  const names = new Map(), film = window.film = { frames: [], names: [] };
  // a button that says something else is another one, as where Stop gives way to Win it back
  const nameOf = (node) => {
    const text = node.children.length ? "" : node.textContent, known = names.get(node);
    if (known?.text === text) return known.place;
    const classes = typeof node.className === "string" ? node.className.split(" ") : [];
    const own = classes.find((name) => name.startsWith("st-key-")) ?? classes[0] ?? "";
    film.names.push([node.localName, node.dataset?.testid ?? "", own, text.slice(0, 40)]);
    names.set(node, { text, place: film.names.length - 1 });
    return film.names.length - 1;
  };
  const look = (root, boxes) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) look(node.shadowRoot, boxes);
      if (node.matches(%(may_move)r)) continue;
      const { left, top, width, height } = node.getBoundingClientRect();
      if (width > 0 && height > 0) boxes.push([nameOf(node), left + window.scrollX, top, width, height]);
    }
    return boxes;
  };
  const start = performance.now();
  const frame = () => film.frames.push([performance.now() - start, look(document, [])]);
  frame();
  film.timer = setInterval(frame, %(pause)d);
})()"""


@dataclass(frozen=True)
class Jump:
    """Something that was in one place and then in another.

    Args:
        what: the element in words. at_ms: since the film began. by: pixels right and down.
    """

    what: str
    at_ms: float
    by: tuple[float, float]


def drag(page: Page, part: int = 0) -> None:
    """Pull a fader up in steps, and let go."""
    fader = page.get_by_role("slider").nth(part)
    track, thumb = fader.bounding_box(), fader.locator(".thumb").bounding_box()
    assert track is not None and thumb is not None
    x, y = thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2
    page.mouse.move(x, y)
    page.wait_for_timeout(REST_MS // 4)  # what the pointer alone changes is no jump of the drag
    page.evaluate(RECORDER % {"may_move": MAY_MOVE, "pause": STEP_MS})
    page.mouse.down()
    for step in range(1, STEPS + 1):
        page.mouse.move(x, y - UP * (track["height"] - thumb["height"]) * step / STEPS)
        page.wait_for_timeout(STEP_MS)
    page.mouse.up()
    page.wait_for_timeout(AFTER_MS)


def filmed(page: Page, part: int = 0) -> dict[str, Any]:
    """The frames of a drag: times in ms, boxes as [name, left, top, width, height], and the names."""
    drag(page, part)
    film: dict[str, Any] = page.evaluate(
        "(() => { clearInterval(film.timer); delete film.timer; return film; })()"
    )
    return film


def jumps(film: dict[str, Any], most: float = MOST) -> list[Jump]:
    """What moved by more than `most` pixels between two frames in which it was there."""
    moved, before = [], dict[int, list[float]]()
    for at, boxes in film["frames"]:
        now = {name: place for name, *place in boxes}
        for name in now.keys() & before.keys():
            by = (now[name][0] - before[name][0], now[name][1] - before[name][1])
            if max(map(abs, by)) > most:
                moved.append(Jump(" ".join(filter(None, film["names"][name])), round(at), by))
        before = {**before, **now}
    return moved


def opened(page: Page, server: str, model: str, query: str = "") -> Page:
    """The Prune page at rest."""
    page.set_viewport_size(SIZES)  # type: ignore[arg-type]
    page.goto(f"{server}/?model={model}{query}")
    page.get_by_text("Final: measured").first.wait_for(timeout=PATIENCE_MS)
    page.wait_for_selector(SETTLED, timeout=PATIENCE_MS)
    page.wait_for_timeout(REST_MS)
    return page


def pictures(page: Page) -> Iterator[bytes]:
    """Take pictures of whatever the page shows from now on; they are given once it is exhausted."""
    taken: list[bytes] = []
    client = page.context.new_cdp_session(page)

    def take(event: dict[str, Any]) -> None:
        taken.append(base64.b64decode(event["data"]))
        client.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    client.on("Page.screencastFrame", take)
    client.send("Page.startScreencast", {"format": "jpeg", "quality": 70})
    yield b""
    client.send("Page.stopScreencast")
    yield from taken


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="write the frames of each film there")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="and what they looked like")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as room, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with serving.running(Path(room), *asked.models) as server:
            for model in asked.models:
                page = opened(browser.new_context(reduced_motion="reduce").new_page(), server.url, model)
                shots = pictures(page) if asked.pictures else iter([b""])
                next(shots)
                film = filmed(page)
                _write(model, film, list(shots), asked.json, asked.pictures)
                page.context.close()
        browser.close()


def _write(
    model: str, film: dict[str, Any], shots: Sequence[bytes], folder: Path | None, gallery: Path | None
) -> None:
    moved = jumps(film)
    print(f"{model}: {len(film['frames'])} frames, {len(moved)} jumps", flush=True)
    for jump in moved:
        print(f"  {jump.at_ms:6.0f} ms  {jump.by[0]:+7.1f} {jump.by[1]:+7.1f}  {jump.what}")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{model}.json").write_text(
            json.dumps({**film, "jumps": [asdict(jump) for jump in moved]}), encoding="utf-8"
        )
    if gallery:
        gallery.mkdir(parents=True, exist_ok=True)
        for place, shot in enumerate(shots):
            (gallery / f"{model}-{place:03}.jpg").write_bytes(shot)


if __name__ == "__main__":
    main()
