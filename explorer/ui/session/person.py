"""Who is signed in, where the operator asks for it, by Streamlit's own sign-in (OpenID Connect)."""

import hashlib

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ..shared import settings


def is_signed_in() -> bool:
    """Whether the page may be used: somebody is signed in, or nobody has to be."""
    if settings.current().sign_in is None:
        return True
    return bool(st.user.get("is_logged_in")) and bool(_claims())


def person() -> str:
    """Return the name of a person's folder, a hash of who the provider says it is; "" if nobody has to sign
    in.

    Raises:
        RuntimeError: it is asked outside of a session, such as on the background worker.
    """
    if settings.current().sign_in is None:
        return ""
    if get_script_run_ctx() is None or not is_signed_in():
        raise RuntimeError("nobody is signed in here")
    return hashlib.sha256("\n".join(_claims()).encode()).hexdigest()[:24]


def shown_name() -> str:
    """Return how a person is called on the page: foreign text."""
    told = (st.user.get(claim) for claim in ("name", "email", "preferred_username"))
    return next((str(name)[:80] for name in told if name), "you")


def _claims() -> tuple[str, ...]:
    """Return issuer and subject, which together are one person for ever; () if the provider names none."""
    issuer, subject = st.user.get("iss"), st.user.get("sub")
    return (str(issuer), str(subject)) if issuer and subject else ()
