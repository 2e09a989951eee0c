"""The page of a visitor who has to sign in first, and the way out."""

import streamlit as st

from .. import session
from ..drawing import layout
from ..shared import settings
from ..shared.sign_in import REFUSED, UNREACHABLE

WHY = "Runs, snapshots and checks on held-out data are kept for each person, so the page asks who you are."
NOT_NAMED = (
    "Your provider did not say who you are, so you cannot be told from others. Ask the operator of this page."
)
# in the page's address -> what the visitor can do
FAILED = {
    REFUSED: "You are not signed in: your provider's answer was not accepted. It may have come too late, or "
    "be meant for another page. Try again; if it happens again, ask the operator of this page.",
    UNREACHABLE: "You are not signed in: your provider does not answer. Try again in a moment, or ask the "
    "operator of this page.",
}


def draw() -> None:
    """Draw a button for each provider."""
    sign_in = settings.current().sign_in
    st.title("Pruning Explorer", anchor=False)
    st.markdown(WHY)
    if st.user.get("is_logged_in"):  # and yet nobody: there is no way but out
        layout.draw_notice(NOT_NAMED)
        st.button("Sign out", "sign out", on_click=st.logout)
        return
    if (why := FAILED.get(st.query_params.get("sign_in", ""))) is not None:
        layout.draw_notice(why)
    for name in sign_in.providers if sign_in else ():
        words = f"Sign in with {layout.plain(name.capitalize())}" if name else "Sign in"
        st.button(words, f"sign in {name}", on_click=st.login, args=(name,) if name else (), type="primary")


def draw_way_out() -> None:
    """Draw who is signed in, and the button to sign out."""
    if settings.current().sign_in is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Signed in as {layout.plain(session.shown_name())}.")
        st.button("Sign out", "sign out", on_click=st.logout, type="tertiary")
