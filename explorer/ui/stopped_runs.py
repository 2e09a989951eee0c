"""A run of the page that was told to stop chooses no page any more.

A click in the menu stops the run in progress and starts one of the new page. If the first was about to begin
again, as `st.rerun` in a callback makes it, Streamlit notices the stop only after that beginning, which names
its page as the one to draw. All runs of a session share that name, so the new run drew the page that was
left, and the click was lost.
"""

from typing import Any

from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType
from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx

_choose = PagesManager.set_script_intent


def let_stopped_runs_choose_no_page() -> None:
    """Make Streamlit ignore the page of a run that was told to stop."""
    PagesManager.set_script_intent = _unless_stopped  # type: ignore[method-assign, assignment]


def _unless_stopped(pages: PagesManager, page_script_hash: str, page_name: str) -> None:
    context = get_script_run_ctx(suppress_warning=True)
    requests: Any = context.script_requests if context is not None else None
    if not hasattr(requests, "_lock") or not hasattr(requests, "_state"):  # of another version
        _choose(pages, page_script_hash, page_name)
        return
    # a stop takes the same lock, and the next run starts after it, so its page is named last
    with requests._lock:
        if requests._state is not ScriptRequestType.STOP:
            _choose(pages, page_script_hash, page_name)
