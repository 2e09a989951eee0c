"""A prompt that the dense and the pruned model continue next to each other, again after each change."""

from collections.abc import Hashable
from typing import Any

import streamlit as st

from ...background.lane import LIVE, Lane
from ...engine.continuation import Continuation, Passage, Prompt, continuation, writes
from .. import session
from ..live.pushed import LiveValue, pushed

LANE = Lane("continuation", LIVE)  # after the first number, in turns with the rest of the measurement
TOKENS, SHOWN_TOKENS = 64, 32  # written at most; of a text of the data that the prompt starts with
LONGEST = 2000  # characters of a prompt
SEED = "writing seed"
PAUSE_S = 0.1
HELP = (
    "Both models continue this text. They draw with the same random numbers, so where their probabilities "
    "agree, they write the same. Change it, and press Ctrl+Enter."
)
AGAIN, STOP, GO_ON = "Write another", "Stop", "Go on"
UNCUT = "Nothing is removed yet; remove something, and both texts stand side by side."
SOON = "Written as soon as the first number is there."


def is_offered() -> bool:
    """Whether the model continues texts."""
    return writes(session.subject())


def draw() -> None:
    """Draw the prompt and both texts."""
    with st.container(key="writing", gap="small"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_area(
                "A text to continue",
                key=session.start_from(_box(), _beginning()),
                height=90,
                max_chars=LONGEST,
                help=HELP,
            )
            st.button(
                AGAIN, "write another", "Draw with other random numbers.", _other, icon=":material/casino:"
            )
        _begin()
        pushed(
            "continuation",
            LiveValue("writing", _texts, _news, (session.LIVE_LANE, LANE), pause=PAUSE_S),
            on_act_change=_act,
        )


def _box() -> str:
    return f"prompt {session.subject().id}"


def _beginning() -> str:
    """Return the beginning of a text of the data that the model was not trained on."""
    subject = session.subject()
    form, split = subject.text, subject.task.split("tuning") if subject.task else None
    if form is None or split is None or not len(split):
        return "The "
    tokens = [token for token in split.inputs_at(0, 1)[0].tolist() if token not in form.start]
    return form.decode(tokens[:SHOWN_TOKENS])


def _prompt() -> Prompt:
    return Prompt(session.shown(_box(), ""), TOKENS, seed=session.recalled(SEED, 0))


def _key() -> Hashable:
    return session.subject().id, session.recipe().fingerprint, _prompt(), session.conditions().device


def _begin() -> None:
    """Let both write; the first number of the recipe has the worker for itself."""
    if not session.is_answered():
        session.put_off(LANE)
        return
    model, recipe, prompt = session.model(), session.recipe(), _prompt()
    device = session.conditions().device
    session.job(LANE, _key(), lambda: continuation(model, recipe, prompt, device))


def _news() -> Hashable:
    """Start what the recipe asks for now, and return what the texts depend on."""
    _begin()
    return _key(), session.is_answered(), session.lane_state(LANE), session.is_cancelled(LANE, _key())


def _texts() -> dict[str, Any]:
    """Return both texts, each token with its probability before and after the cut, and a line of words."""
    state, written = session.lane_state(LANE), session.lane_state(LANE).value
    older = state.key != _key()
    if not isinstance(written, Continuation):
        words = state.error if state.error and not older else "Writing …" if state.busy else SOON
        return {"words": words, "dense": [], "pruned": []}
    sides = {
        "dense": _tokens(written.dense, own_is_dense=True),
        "pruned": _tokens(written.pruned, own_is_dense=False),
    }
    return {"older": older, **_line(written, older), **sides, "same": session.recipe().is_empty}


def _tokens(side: Passage, *, own_is_dense: bool) -> list[list[Any]]:
    """Return [text, probability in the dense model, in the pruned model] of each token."""
    pairs = zip(side.chances, side.others, strict=True)
    return [
        [piece, *(round(chance, 3) for chance in (pair if own_is_dense else pair[::-1]))]
        for piece, pair in zip(side.pieces, pairs, strict=True)
    ]


def _line(written: Continuation, older: bool) -> dict[str, Any]:
    state, key = session.lane_state(LANE), _key()
    if session.is_cancelled(LANE, key):
        return {"words": "Stopped.", "action": GO_ON}
    if state.error and not older:
        return {"words": state.error}
    if older or not written.finished:
        count = max(len(written.dense.pieces), len(written.pruned.pieces))
        words = f"Writing: {count} of {TOKENS} tokens" if not older else "Writing …" if state.busy else SOON
        return {"words": words, "action": STOP}
    return {"words": UNCUT if session.recipe().is_empty else difference(written)}


def difference(written: Continuation) -> str:
    """Return in words how far the two texts agree."""
    pieces = written.dense.pieces, written.pruned.pieces
    differing = (at for at, (one, other) in enumerate(zip(*pieces, strict=False)) if one != other)
    agree = next(differing, min(map(len, pieces)))
    if pieces[0] == pieces[1]:
        return f"Both write the same {agree} tokens."
    if agree == 0:
        return "They differ from the first token on."
    return f"The first {agree} token{'s are' * (agree > 1) or ' is'} the same."


def _other() -> None:
    session.remember(SEED, session.recalled(SEED, 0) + 1)


def _act() -> None:
    """Handle the button next to the words."""
    if session.event("continuation", "act") == STOP:
        session.cancel(LANE, _key())
    else:
        session.resume(LANE)
