"""Names the kept runs whose files cannot be read, says why, and offers to delete them."""

from collections.abc import Sequence

import streamlit as st

from ...runs.stored_run import RefusedRun
from .. import session
from ..drawing import layout
from ..kept_runs.keeping import store

MOST = 12  # sentences


def draw(runs: Sequence[RefusedRun]) -> None:
    """Draw one line that opens; nothing if every file can be read."""
    if not runs:
        return
    with st.expander(f"{len(runs):,} kept run{'s' * (len(runs) != 1)} cannot be read"):
        lines = [f"* {layout.plain(one.why)}" for one in runs[:MOST]]
        lines += [f"* and {len(runs) - MOST:,} more"] if len(runs) > MOST else []
        st.markdown("\n".join(lines))
        st.caption("A file that was edited, damaged, or written by another version is left as it is.")
        with st.popover("Delete these files", icon=":material/delete:"):
            st.caption(f"This permanently deletes {_files(len(runs))}, and what was measured in them.")
            st.button(
                "Delete",
                "delete refused",
                on_click=lambda: session.attempt(store().delete_refused, runs),
                type="primary",
            )


def _files(count: int) -> str:
    return "the file" if count == 1 else f"all {count:,} files"
