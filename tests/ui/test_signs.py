"""What every browser test fails on: each sign is planted once, and seen."""

from types import SimpleNamespace

import pytest
import serving
from signs import COMPLAINTS, Signs

sync_api = pytest.importorskip("playwright.sync_api")

ADDRESS = "http://127.0.0.1:1"
FINE = (
    "  You can now view your Streamlit app in your browser.",
    "2026-01-01 10:00:00.000 Uploaded weights are kept.",
)
WRONG = (
    "Traceback (most recent call last):",
    "2026-01-01 Couldn't find fragment with id 880c7. This can happen if",
    "The fragment with id 880c7 does not exist anymore - it might have been removed",
    "2026-01-01 10:00:00 Uncaught app execution",
    '  File "/somewhere/explorer/ui/sidebar.py", line 80, in take',
)


@pytest.mark.parametrize("line", WRONG)
def test_a_complaint_in_the_log_is_seen(tmp_path, line):
    log = tmp_path / "log.txt"
    log.write_text(f"{FINE[0]}\n{line}\n")
    assert Signs(ADDRESS, log).look() == []  # it was there before
    signs = Signs(ADDRESS, log)
    log.write_text(f"{FINE[0]}\n{line}\n{FINE[1]}\n")
    assert signs.look() == []
    with log.open("a") as file:
        file.write(f"{line}\n")
    assert len(signs.look()) == 1
    assert not any(COMPLAINTS.search(fine) for fine in FINE)


def test_what_a_test_expects_is_no_sign(tmp_path):
    signs = Signs(ADDRESS)
    signs.expect("damaged")
    signs._add("box", "The link is damaged.")
    signs._add("box", "The link is gone.")
    with pytest.raises(AssertionError, match="gone"):
        signs.check()
    signs.check()  # each is told once


PAGE = """
const show = (html) => document.body.insertAdjacentHTML("beforeend", html);
const wrong = {
  console: () => console.error("planted"),
  error: () => setTimeout(() => { throw new Error("planted"); }),
  rejection: () => { Promise.reject(new Error("planted")); },
  refused: () => fetch("/media/planted"),
  failed: () => fetch("http://127.0.0.1:9/planted").catch(() => {}),
  stranger: () => fetch("https://planted.invalid/").catch(() => {}),
  alert: () => show('<div data-testid="stAlertContentError">planted</div>'),
  exception: () => show('<div data-testid="stException">planted</div>'),
  component: () => show('<pre data-testid="stErrorElementStack">planted</pre>'),
  status: () => show('<div class="status crash">planted</div>'),
  shadow: () => { show('<p id="host">'); document.querySelector("#host").attachShadow({ mode: "open" })
    .innerHTML = '<div class="status crash">planted</div>'; },
  nothing: () => show('<div data-testid="stAlertContentInfo">All is well.</div>'),
  refusal: () => show('<div data-testid="stAlertContentWarning">No</div><p class="status refused">No</p>'),
};
"""
KINDS = (
    "console",
    "error",
    "rejection",
    "refused",
    "failed",
    "stranger",
    "alert",
    "exception",
    "component",
    "status",
    "shadow",
    "nothing",
    "refusal",
)


@pytest.mark.browser
@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_fault_is_seen_in_a_second_tab_too(browser, server, kind):
    signs = Signs(server.url)
    context = browser.new_context(reduced_motion="reduce")
    signs.watch(context)
    context.new_page()
    page = context.new_page()
    page.goto(f"{server.url}/_stcore/health")
    page.evaluate(f"() => {{ {PAGE} wrong.{kind}(); }}")
    page.wait_for_timeout(300)
    found = signs.look()
    context.close()
    assert (found == []) == (kind in ("nothing", "refusal")), found
    assert all("planted" in line or "Failed to load" in line or "net::" in line for line in found)


@pytest.mark.browser
def test_a_server_that_is_gone_is_a_sign(browser, tmp_path):
    with serving.running(tmp_path, "digits-mlp") as found:
        signs, context = Signs(found.url, found.log), browser.new_context(reduced_motion="reduce")
        signs.watch(context)
        page = context.new_page()
        page.goto(f"{found.url}/_stcore/health")
        signs.check()
    page.evaluate("() => fetch('/_stcore/health').catch(() => {})")
    assert any("failed request" in line for line in signs.look())
    context.close()


def test_an_abort_is_none():
    signs = Signs(ADDRESS)
    signs._on_failed(SimpleNamespace(failure="net::ERR_ABORTED", method="POST", url=ADDRESS))
    assert signs.look() == []


@pytest.mark.browser
def test_the_page_of_every_browser_test_is_watched(page, signs, served):
    page.goto(f"{served}/_stcore/health")
    page.evaluate("() => console.error('planted')")
    page.wait_for_timeout(100)
    with pytest.raises(AssertionError, match="planted"):
        signs.check()
