"""Takes pictures of every page, in both themes and widths: `python tests/pictures.py FOLDER [PAGE ...]`.

Needs Chromium. With --recipe the pages are shown with a recipe that removes something.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import serving
from playwright.sync_api import Browser, Page, sync_playwright

from explorer.machine import paths
from explorer.values.recipe import Recipe

SIZES = {1400: 900, 800: 900}  # pixels: width -> height
THEMES = ("light", "dark")
MODEL = "shapes-resnet"
RATIOS = {"layer2.1.conv1": 0.25, "layer3.0.conv1": 0.4, "layer3.1.conv1": 0.5, "layer3.2.conv1": 0.5}
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
PATIENCE_MS, REST_MS = 120_000, 2_500


@dataclass(frozen=True)
class Look:
    """How a page is looked at.

    Args:
        theme: "light" or "dark"; width: of the window in pixels.
    """

    page: str
    theme: str
    width: int

    @property
    def name(self) -> str:
        return f"{self.page}-{self.theme}-{self.width}"


def looks(pages: Iterable[str]) -> Iterator[Look]:
    """Every page in every theme at every width."""
    for page in pages:
        for theme in THEMES:
            for width in SIZES:
                yield Look(page, theme, width)


def all_pages() -> list[str]:
    """The names of the pages of this program."""
    return sorted(path.stem for path in paths.pages().glob("[!_]*.py"))


def opened(browser: Browser, look: Look, address: str) -> Page:
    """A page that has come to rest."""
    size: Any = {"width": look.width, "height": SIZES[look.width]}
    page = browser.new_context(viewport=size, color_scheme=look.theme, reduced_motion="reduce").new_page()  # type: ignore[arg-type]
    page.goto(address)
    page.wait_for_selector(SETTLED, timeout=PATIENCE_MS)
    page.wait_for_timeout(REST_MS)
    page.wait_for_selector(SETTLED, timeout=PATIENCE_MS)
    return page


def address_of(look: Look, server: str, model: str, recipe: Recipe) -> str:
    """Where a page is shown with a model and a recipe."""
    page = "" if look.page == "prune" else look.page
    asked = "" if recipe.is_empty else f"&recipe={recipe.to_url()}"
    return f"{server}/{page}?model={model}{asked}"


def take(folder: Path, wanted: Iterable[Look], model: str, recipe: Recipe, *, whole: bool) -> None:
    """One picture a look, named after it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as room, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with serving.running(Path(room), model, "digits-cnn") as server:
            for look in wanted:
                page = opened(browser, look, address_of(look, server.url, model, recipe))
                page.screenshot(path=folder / f"{look.name}.png", full_page=whole)
                page.context.close()
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("pages", nargs="*", help="all pages if none is named")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--recipe", action="store_true", help="with a recipe that removes something")
    parser.add_argument("--whole", action="store_true", help="the whole page, not only what a window shows")
    asked = parser.parse_args()
    recipe = Recipe(channels=RATIOS) if asked.recipe else Recipe()
    take(asked.folder, looks(asked.pages or all_pages()), asked.model, recipe, whole=asked.whole)


if __name__ == "__main__":
    main()
