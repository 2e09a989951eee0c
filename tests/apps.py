"""Pages under AppTest: open one, run it again until something is there, and read what it shows."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streamlit.testing.v1 import AppTest

from explorer.machine import paths
from explorer.ui import server
from explorer.ui.shared import models as shared_models
from explorer.ui.shared import settings
from explorer.values.recipe import Recipe

SESSION = "test session id"  # what AppTest calls every session
PATIENCE = 120  # seconds, for a machine with neighbours


@contextmanager
def offering(*models: str) -> Iterator[None]:
    """The app offers these models, on the CPU; afterwards nothing of its jobs is left for the next test."""
    before = settings.current()
    settings.configure(settings.Settings(models, "cpu"))
    yield
    settings.configure(before)
    for lane in shared_models.lanes().used(SESSION):
        shared_models.lanes().cancel(SESSION, lane)
    shared_models.lanes().release(SESSION)


def opened(page: str | None = None, recipe: Recipe | None = None, **query: str) -> AppTest:
    """A page by the name of its file, alone; None: the whole app on its first page."""
    app = AppTest.from_file(
        str(paths.pages() / f"{page}.py" if page else server.SCRIPT), default_timeout=PATIENCE
    )
    for name, value in query.items():
        app.query_params[name] = value
    if recipe is not None:
        app.query_params["recipe"] = recipe.to_url()
    return fine(app.run())


def turned_to(app: AppTest, page: str) -> AppTest:
    """The whole app on another page."""
    return fine(app.switch_page(str(Path(paths.pages()) / f"{page}.py")).run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    return app


def until(app: AppTest, seen: str | Callable[[AppTest], object]) -> AppTest:
    """Run again until a text, or whatever else is looked for, is there."""
    there = (lambda app: seen in words(app)) if isinstance(seen, str) else seen
    end = time.monotonic() + PATIENCE
    while not there(app):
        assert time.monotonic() < end, f"It did not come within {PATIENCE} s. The page says:\n{words(app)}"
        time.sleep(0.1)
        fine(app.run())
    return app


def words(app: AppTest) -> str:
    """All text of the page, without the backslashes that keep foreign names plain."""
    kinds = (app.markdown, app.caption, app.info, app.warning, app.success, app.error)
    own = [value["words"] for value in sent(app).values() if value.get("words")]
    return "\n".join([*(element.value for kind in kinds for element in kind), *own]).replace("\\", "")


def sent(app: AppTest) -> dict[str, dict]:
    """Our own elements that follow a job: name -> what each shows."""
    found = (json.loads(element.proto.json)[0] for element in app.get("bidi_component") if element.proto.json)
    return {data["name"]: data["value"] for data in found if "turn" in data}


def keys(app: AppTest) -> set[str]:
    """Of its buttons."""
    return {button.key for button in app.button}


def charts(app: AppTest) -> dict[str, dict]:
    """Title -> figure."""
    specs = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    for value in sent(app).values():
        if "layout" in value:
            specs.append(
                {
                    "layout": value["layout"],
                    "data": [value[f"trace {place}"] for place in range(value["count"])],
                }
            )
    return {spec["layout"]["title"]["text"]: spec for spec in specs if "title" in spec["layout"]}


def html_of(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html"))
