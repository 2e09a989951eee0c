"""The page behind a proxy that strips a prefix, below a base path, and where no question comes through."""

import os
import re
import sys

import caddy_proxy
import pytest
import serving
from prefix_proxy import PREFIX, standing_before
from signs import Signs

pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.browser
PATIENCE = 120_000  # ms, for a machine with neighbours
ASKED = "explorer-news"
SCRIPT = serving.ROOT / "explorer" / "ui" / "app.py"


class Visit:
    """A browser that moves a fader and waits for the last number."""

    def __init__(self, browser, address: str, log=None):
        self.signs, self.context = (
            Signs(address, log),
            browser.new_context(accept_downloads=True, reduced_motion="reduce", ignore_https_errors=True),
        )
        self.signs.watch(self.context)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.asked: list[int] = []
        self.page.on("response", lambda found: ASKED in found.url and self.asked.append(found.status))

    def walk(self, address: str) -> None:
        self.page.goto(address)
        final = self.page.get_by_text("Final: measured on the model").first
        final.wait_for()
        self.page.locator(".strip [role=slider]").first.focus()
        self.page.keyboard.press("PageUp")
        self.page.wait_for_url("**recipe=**")
        final.wait_for()
        self.page.get_by_role("link", name="Structure").click()
        self.page.wait_for_url("**/structure?**")
        self.page.reload()
        self.page.wait_for_selector("input[aria-label=Model]", state="attached")
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")

    def close(self) -> None:
        self.context.close()
        self.signs.check()


def test_a_prefix_that_a_proxy_strips_is_no_obstacle(browser, server):
    with standing_before(server.port) as proxy:
        visit = Visit(browser, proxy.url)
        visit.walk(f"{proxy.url}{PREFIX}/?model=digits-mlp")
        assert visit.asked and set(visit.asked) == {200}
        assert proxy.strays == []
        visit.close()


def test_where_no_question_comes_through_the_page_still_comes_to_its_last_number(browser, server):
    with standing_before(server.port, refused=ASKED) as proxy:
        visit = Visit(browser, proxy.url)
        visit.signs.expect("404")
        visit.walk(f"{proxy.url}{PREFIX}/?model=digits-mlp")
        assert set(visit.asked) == {404}
        visit.close()


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """`streamlit run` on the entry script, below a base path."""
    monkeypatch.setitem(os.environ, "STREAMLIT_SERVER_BASE_URL_PATH", PREFIX.strip("/"))
    port = serving.free_port()
    options = ["--server.port", str(port), "--server.headless", "true"]
    command = [sys.executable, "-m", "streamlit", "run", str(SCRIPT), *options]
    with serving.started(
        tmp_path, command, port, tmp_path / "none", health=f"{PREFIX}/_stcore/health"
    ) as found:
        yield found


def test_streamlit_run_below_a_base_path_works_from_start_to_export(browser, plain):
    visit = Visit(browser, plain.url, plain.log)
    visit.walk(f"{plain.url}{PREFIX}/?model=digits-mlp")
    assert visit.asked and set(visit.asked) == {200}
    visit.page.get_by_role("link", name="Prune").click()
    visit.page.get_by_role("button", name="Take away").click()
    visit.page.get_by_role("button", name="Write the file").click()
    with visit.page.expect_download(timeout=PATIENCE) as download:
        visit.page.get_by_role("button", name=re.compile(r"^Download \(")).click()
    assert download.value.path().stat().st_size > 1000
    visit.close()


caddy = pytest.mark.skipif(caddy_proxy.CADDY is None, reason="Caddy is not installed")


@caddy
def test_behind_caddy_as_compose_has_it_the_page_works_below_its_base_path(browser, tmp_path):
    """The base path is kept, and TLS is Caddy's own; a deep link is loaded again."""
    base = caddy_proxy.BASE
    with serving.running(tmp_path, "digits-mlp", base_path=base, until=f"/{base}") as server:
        port = serving.free_port()
        with caddy_proxy.caddy(tmp_path, port, caddy_proxy.as_composed(port, server.port)) as url:
            visit = Visit(browser, url, server.log)
            visit.walk(f"{url}/{base}/?model=digits-mlp")
            assert visit.asked and set(visit.asked) == {200}
            visit.page.goto(url)
            visit.page.wait_for_url(f"{url}/{base}/**")
            visit.close()


@caddy
@pytest.mark.parametrize("refused", ["", ASKED])
def test_behind_caddy_that_strips_the_prefix_the_page_works_with_and_without_questions(
    browser, server, tmp_path, refused
):
    port = serving.free_port()
    text = caddy_proxy.stripping(port, server.port)
    text = caddy_proxy.refusing(text, refused) if refused else text
    with caddy_proxy.caddy(tmp_path, port, text) as url:
        visit = Visit(browser, url)
        if refused:
            visit.signs.expect("404")
        visit.walk(f"{url}/{caddy_proxy.BASE}/?model=digits-mlp")
        assert visit.asked and set(visit.asked) == {404 if refused else 200}
        visit.close()
