"""Shows what is kept in memory and on disk, in the sidebar, with buttons to free it; for the machine's owner,
not for a class.
"""

from collections.abc import Sequence

import streamlit as st

from ...machine import cache, cache_folder
from .. import session
from ..drawing import layout
from ..drawing.offers import ManyOffer
from ..shared import settings

KEY, CHOSEN, SURE = "memory", "memory kinds", "memory sure"
WIDTH = 340  # pixels
FREE = "Models, graphs, scores and measured numbers are computed again when they are needed."
KEPT = "Kept: uploaded weights, which only you can upload again."
NEVER = "How often held-out data was opened stays on record."


def in_megabytes(size: float) -> str:
    """Return bytes as text for people.

    >>> in_megabytes(19_460_893), in_megabytes(268_290), in_megabytes(12)
    ('19 MB', '0.3 MB', 'under 0.1 MB')
    """
    if size < 50_000:
        return "under 0.1 MB" if size else "0 MB"
    return f"{size / 1e6:,.0f} MB" if size >= 9.95e6 else f"{size / 1e6:.1f} MB"


def draw() -> None:
    """Draw how much is in memory, and a popover to free it, whose list is computed when it is open."""
    if settings.current().classroom is not None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"In memory: {in_megabytes(cache.kept_bytes())}")
        _popover()


def _popover() -> None:
    # its label never changes, since another label would be another popover, a closed one
    with st.popover("Free", icon=":material/memory:", key=KEY, on_change="rerun") as opened:
        if opened.open:
            with st.container(width=WIDTH):
                _memory()
                st.divider()
                _disk()


def _memory() -> None:
    held = cache.holdings()
    st.markdown("**In memory**")
    st.markdown(_table([(one.name, one.entries, one.bytes) for one in held]) if held else "Nothing.")
    st.button("Free the memory", "memory free", on_click=_free, disabled=all(one.lasting for one in held))
    st.caption(f"{FREE} {KEPT}" if any(one.lasting for one in held) else FREE)


def _free() -> None:
    cache.free()
    st.cache_data.clear()


def _disk() -> None:
    used = cache_folder.stored()
    st.markdown("**On disk**")
    if not used:
        st.markdown("Nothing.")
        return
    st.markdown(_table([(one.kind, one.files, one.bytes) for one in used]))
    there = [one.kind for one in used]
    usual = [kind for kind in there if cache_folder.KINDS[kind].comes_back]
    chosen = ManyOffer(CHOSEN, there, usual).select("Delete")
    for kind in chosen:
        st.caption(layout.plain(f"{kind}: {cache_folder.KINDS[kind].meaning}."))
    sure = st.checkbox("Yes, delete them from this machine", key=SURE, disabled=not chosen)

    def delete():
        return session.attempt(cache_folder.delete, chosen)

    st.button("Delete from disk", "memory delete", on_click=delete, disabled=not (chosen and sure))
    st.caption(NEVER)


def _table(rows: Sequence[tuple[str, int, int]]) -> str:
    lines = ["| what | entries | size |", "| --- | ---: | ---: |"]
    return "\n".join(
        [
            *lines,
            *(f"| {layout.plain(name)} | {count:,} | {in_megabytes(size)} |" for name, count, size in rows),
        ]
    )
