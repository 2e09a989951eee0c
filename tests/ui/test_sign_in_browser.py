"""People sign in with a provider, in a browser: each has own runs; foreign answers are refused."""

import sys
from contextlib import contextmanager

import pytest
import serving
from playwright.sync_api import expect

from explorer.machine import paths

provider = pytest.importorskip("provider")  # needs Authlib's packages

MODEL = "digits-mlp"
PATIENCE_MS = 60_000
NO_RUN = "No run is kept yet."
REFUSED = "your provider's answer was not accepted"


@contextmanager
def page_of(folder, there):
    """The server with --auth, whose provider is there."""
    port = serving.free_port()
    (folder / "secrets.toml").write_text(
        f"""[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "{"s" * 32}"
client_id = "{provider.CLIENT}"
client_secret = "{provider.SECRET}"
server_metadata_url = "{there.url}/.well-known/openid-configuration"
"""
    )
    command = [sys.executable, "-m", "explorer", MODEL, "--port", str(port), "--no-browser"]
    command += ["--auth", str(folder / "secrets.toml")]
    variables = {paths.CACHE_VARIABLE: str(folder / "cache")}
    with serving.started(folder, command, port, folder / "none", variables=variables) as server:
        yield server


def sign_in(page, name: str) -> None:
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=name, exact=True).click()


def test_two_people_sign_in_and_out_and_foreign_answers_are_refused(browser, tmp_path):
    with provider.running() as there, page_of(tmp_path, there) as server:
        visitors = []
        for name in provider.PEOPLE:
            page = browser.new_context().new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(server.url)
            sign_in(page, name)
            expect(page.get_by_text(f"Signed in as {name.title()}.")).to_be_visible(timeout=PATIENCE_MS)
            visitors.append(page)
        for visitor in visitors:
            visitor.goto(f"{server.url}/compare")
            expect(visitor.get_by_text(NO_RUN)).to_be_visible(timeout=PATIENCE_MS)
        visitors[0].get_by_role("button", name="Keep a gentle cut").click()
        expect(visitors[0].get_by_text(NO_RUN)).to_have_count(0, timeout=PATIENCE_MS)
        visitors[1].reload()
        expect(visitors[1].get_by_text(NO_RUN)).to_be_visible(timeout=PATIENCE_MS)
        assert len(list((tmp_path / "cache" / "people").glob("*/runs/*/*.json"))) == 1
        page = visitors[0]
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_text("You are not signed in")).to_have_count(0)
        for audience, age_s in (("another page", -300), (None, 3_600)):
            there.audience, there.age_s = audience, age_s
            sign_in(page, "ada")
            expect(page.get_by_text(REFUSED)).to_be_visible(timeout=PATIENCE_MS)
        there.audience, there.age_s = None, -300
        sign_in(page, "ada")
        expect(page.get_by_text("Signed in as Ada.")).to_be_visible(timeout=PATIENCE_MS)
