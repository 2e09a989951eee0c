"""Shows what a neuron or a head of a model of text responds to: the texts in which a neuron is most active,
and where a head looks in one text.
"""

import html
from collections.abc import Hashable, Sequence

import streamlit as st

from ...background.jobs import JobState
from ...background.lane import Lane
from ...errors import ExplorerError
from ...figures.attention_map import SHOWN
from ...figures.attention_map import attention_map as map_figure
from ...inspection.attention import attention_sites
from ...inspection.distributions import GroupImportance
from ...inspection.text_attention import (
    UNREADABLE,
    TextAttention,
    text_attention,
    tokens_of_text,
    tokens_of_window,
)
from ...inspection.top_contexts import Context, TopContexts, contexts_of, reader_of, top_contexts
from ...values.profile import Group
from .. import session
from ..drawing import layout
from ..drawing.offers import Offer
from ..live import regions

CONTEXTS, LOOKS = Lane("top contexts"), Lane("attention of a text")
ASKED = "top contexts asked for"
LONGEST = 2000  # characters of a text
HELP = (
    "Texts of the tuning split run through the dense model. Of each window, the token counts at which the "
    "neuron is most active, whichever sign it has."
)


def reads_text() -> bool:
    """Whether the model reads a single text that it came with."""
    subject = session.subject()
    has_data = subject.task is not None and subject.task.has("tuning")
    return subject.text is not None and has_data and len(subject.reads) < 2


def draw(group: Group, importance: GroupImportance) -> None:
    """Draw what can be said of the group."""
    if group.is_of_heads:
        _draw_heads(group, importance)
    else:
        _draw_neurons(group, importance)


# --------------------------------------------------------------------------- neurons


def _draw_neurons(group: Group, importance: GroupImportance) -> None:
    reader = reader_of(session.profile(), group)
    if reader is None:
        st.caption("No layer reads these channels one by one, so there are no texts to show for one of them.")
        return
    st.header("Where one channel is most active", anchor=False)
    state = dict(zip(importance.units, importance.kept, strict=True))
    names = {unit: f"{unit}" if kept else f"{unit}, removed" for unit, kept in state.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        unit = Offer(f"context unit {group.name}", names).select(
            "Channel", help="The most important first.", width=200
        )
        st.button("Look through the texts", "look for contexts", HELP, _begin, icon=":material/search:")
    if session.recalled(ASKED) == session.subject().id:
        _job(group)
    regions.watched("top contexts", lambda: _draw_contexts(group, unit), CONTEXTS, progress=True)


def _key(group: Group) -> Hashable:
    return session.subject().id, group.name, session.conditions().device


def _begin() -> None:
    session.remember(ASKED, session.subject().id)
    session.resume(CONTEXTS)
    regions.hurry()


def _job(group: Group) -> JobState:
    model, device = session.model(), session.conditions().device
    return session.job(CONTEXTS, _key(group), lambda: top_contexts(model, group, device))


def _draw_contexts(group: Group, unit: int) -> None:
    state = session.lane_state(CONTEXTS)
    if session.recalled(ASKED) != session.subject().id:
        return
    top = state.value if state.key == _key(group) and isinstance(state.value, TopContexts) else None
    if state.key == _key(group) and state.error:
        layout.draw_notice(state.error)
    elif top is None:
        layout.draw_room("Running texts through the model …", 8)
    else:
        _draw_top(group, unit, top)


def _draw_top(group: Group, unit: int, top: TopContexts) -> None:
    subject = session.subject()
    split = subject.task.split("tuning") if subject.task is not None else None
    assert split is not None and subject.text is not None
    shown = contexts_of(top, unit, split, subject.text)
    st.html(listing(shown))
    part = f"{top.windows:,} windows of the tuning split, {top.positions:,} tokens"
    if not top.finished:
        part = f"{top.windows:,} of {top.total:,} windows so far"
    zero = "" if shown else f" Channel {unit} is zero at all of them."
    st.caption(
        layout.plain(
            f"Looked at {part}: one line for each of the {len(shown)} windows in which channel {unit} of "
            f"{group.name} is largest, with what {top.reader} reads of it there.{zero}"
        )
    )


def listing(contexts: Sequence[Context]) -> str:
    """Return contexts as a list, the token that counts marked, all text escaped."""
    lines = "".join(
        f"<li><b>{context.value:+.2f}</b><code>{_escaped(context.before)}<mark>{_escaped(context.token)}"
        f"</mark>{_escaped(context.after)}</code></li>"
        for context in contexts
    )
    return f'<ol class="contexts">{lines}</ol>'


def _escaped(words: str) -> str:
    return html.escape("".join("⏎" if c == "\n" else c if c.isprintable() else "□" for c in words))


# --------------------------------------------------------------------------- heads


def _draw_heads(group: Group, importance: GroupImportance) -> None:
    st.header("Where one head looks in a text", anchor=False)
    sites = attention_sites(session.model(), group)
    if not sites:
        st.caption(f"Where these heads look cannot be shown: {UNREADABLE}.")
        return
    subject = session.subject()
    assert subject.task is not None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = int(
            st.number_input(
                "Window of the tuning split",
                0,
                subject.task.size_of("tuning") - 1,
                0,
                key="text shown",
                width=220,
            )
        )
        modules = [site.module for site in sites]
        module = modules[0]
        if len(modules) > 1:
            module = Offer(f"attention of {group.name}", modules).select("Layer", width=320)
        heads = next(site.heads for site in sites if site.module == module)
        head = Offer(f"head of {group.name}", list(range(heads))).select("Head", width=120)
    own = st.text_area(
        "Or a text of your own",
        key="text of your own",
        max_chars=LONGEST,
        height=80,
        help="Press Ctrl+Enter. The window counts while this is empty.",
    )
    try:
        tokens = tokens_of_text(subject, own) if own else tokens_of_window(subject, number)
    except ExplorerError as error:
        layout.draw_notice(str(error))
        return
    _look(group, module, tokens)
    regions.watched("attention map", lambda: _draw_map(group, importance, module, tokens, head), LOOKS)


def _look(group: Group, module: str, tokens: tuple[int, ...]) -> None:
    model = session.model()
    session.job(
        LOOKS, _looks_key(group, module, tokens), lambda: text_attention(model, group, module, tokens)
    )


def _looks_key(group: Group, module: str, tokens: tuple[int, ...]) -> Hashable:
    return session.subject().id, group.name, module, tokens


def _draw_map(
    group: Group, importance: GroupImportance, module: str, tokens: tuple[int, ...], head: int
) -> None:
    state, form = session.lane_state(LOOKS), session.subject().text
    is_mine = state.key == _looks_key(group, module, tokens)
    if is_mine and state.error:
        layout.draw_notice(state.error)
        return
    if not is_mine or not isinstance(state.value, TextAttention) or form is None:
        layout.draw_room("Running the text through the model …", 30)
        return
    looks: TextAttention = state.value
    words = ["start" if token in form.start else form.decode([token]) for token in tokens]
    st.plotly_chart(map_figure(looks.heads[head], words, head), width="stretch", key="attention map shown")
    st.caption(layout.plain(_about(group, importance, looks, head)))


def _about(group: Group, importance: GroupImportance, looks: TextAttention, head: int) -> str:
    kept = dict(zip(importance.units, importance.kept, strict=True))
    belongs = ""
    if looks.units is not None:
        unit = looks.units[head]
        belongs = f" Head {head} is in {group.unit} {unit}, which the recipe {_fate(kept[unit])}."
    part = (
        f"the first {SHOWN} of {len(looks.tokens):,}" if len(looks.tokens) > SHOWN else f"{len(looks.tokens)}"
    )
    total = " The attention of a token adds up to 100 % over all tokens."
    return f"The dense model, {part} tokens; a row is a token that looks.{total}{belongs}"


def _fate(is_kept: bool) -> str:
    return "keeps" if is_kept else "removes"
