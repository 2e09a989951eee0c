"""What a search is asked: what it removes, what it lowers, how many trials; and what it has found so far."""

from collections.abc import Hashable
from dataclasses import replace

from ...background.lane import LONG, Lane
from ...studies.search_trials import Cost, Search, SearchPlan
from ...values.granularity import PLURALS, WEIGHT, Graded
from .. import session
from ..drawing.offers import Offer
from ..session.modes import MODES

LANE = Lane("search", LONG)
TRIALS, POINTS, BANK = "search trials", "search points", "search bank"
COST_WORDS: dict[Cost, str] = {"params": "non-zero parameters", "macs": "MACs"}
LOWERED = Offer("search cost", COST_WORDS)


def bank() -> Graded:
    """Return what is searched for: the shown bank, or in combined mode the chosen one."""
    return banks().now()


def banks() -> Offer:
    """Return what can be searched for."""
    return Offer(BANK, {one: PLURALS[one] for one in MODES[session.mode()]})


def cost() -> Cost:
    """Return what is to be lowered."""
    return "params" if bank() == WEIGHT else LOWERED.now()


def plan() -> SearchPlan:
    """Return the plan that the widgets show."""
    return SearchPlan(int(session.shown(TRIALS, 50)), cost(), bank(), session.shown(POINTS, 1.0) / 100)


def question() -> Hashable:
    """Return what the trials depend on: all of the recipe but the ratios that are searched for."""
    others = session.recipe().with_ratios(bank(), {}).fingerprint
    return (session.task_key(), others, bank(), cost(), session.conditions())


def key() -> tuple[Hashable, SearchPlan]:
    """Return what the job of this search is called."""
    return question(), plan()


def known() -> Search | None:
    """Return the trials of this question, judged by the current plan."""
    state = session.lane_state(LANE)
    own = isinstance(state.key, tuple) and state.key[0] == question() and isinstance(state.value, Search)
    return replace(state.value, plan=plan()) if own else None
