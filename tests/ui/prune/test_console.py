"""What the console shows and sends, without a browser: strips, edits, locks, patterns, the estimate, undo,
presets, cards.
"""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from zoo import odd

from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, RecipeError, UnknownNameError
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.graph.product_sizes import product_sizes
from explorer.loaders.model_text import load
from explorer.loaders.sample_files import untrained
from explorer.registry import DATA, SAMPLES
from explorer.ui.drawing.measurement_cards import WAITING, cards
from explorer.ui.prune.console import cost
from explorer.ui.prune.console.matrix import matrix_of
from explorer.ui.prune.console.model import Bank, ConsoleData, Edit, Strip, apply_edit, apply_locks, read_edit
from explorer.ui.prune.console.strips import banks, with_pattern
from explorer.ui.prune.fader_table import edited
from explorer.ui.prune.presets import PRESETS, Allotment, fill, follow
from explorer.ui.prune.recipe_files import read_recipe
from explorer.ui.prune.snapshots import COUNT_LIMIT, Shelf
from explorer.ui.session.history import LONGEST, History, PastRecipe
from explorer.ui.session.modes import MODES, in_mode, mode_of
from explorer.values.identity import subject_id
from explorer.values.pattern import pattern_refusal
from explorer.values.profile import Group, Layer, ModelProfile, Slot
from explorer.values.recipe import Recipe
from explorer.values.report import Measurement, PartOutcome, Report
from explorer.values.subject import Subject

FREE = Strip("conv1", ("", "conv1"), 0.0, 16, "channel", 100)
FROZEN = Strip("fc", ("", "fc"), 0.0, 10, "channel", 100, frozen="is an output of the model")
SWITCH = Strip("conv2", ("", "conv2"), 0.0, 64, "weight", 64, switch=0.5)
BANKS = (Bank("channel", "Channels", "", (FREE, FROZEN)), Bank("weight", "Weights", "", (SWITCH,)))


@pytest.fixture(scope="module")
def digits():
    subject = load("digits-cnn")
    return subject, graph_of(subject)


def two_layers() -> ModelProfile:
    """conv1 (4 from 3 inputs, bias) -> conv2 (8 from 4 inputs, no bias); the 4 channels between them are one
    group.
    """
    layers = (
        Layer("conv1", "conv", (4, 3, 1, 1), 16, 120, True, "conv1.weight"),
        Layer("conv2", "conv", (8, 4, 1, 1), 32, 320, True, "conv2.weight"),
    )
    between = Group(
        "conv1",
        4,
        (Slot("conv1.weight", 0, (0, 1, 2, 3), True), Slot("conv2.weight", 1, (0, 1, 2, 3))),
        ("conv1", "conv2"),
        ("added together in block",),
    )
    out = Group(
        "conv2",
        8,
        (Slot("conv2.weight", 0, tuple(range(8)), True),),
        ("conv2",),
        frozen="is an output of the model",
    )
    return ModelProfile(layers, (between, out), 48, 440)


# --------------------------------------------------------------------------- edits


def test_an_edit_moves_its_strips_and_no_others():
    edit = read_edit(BANKS, {"seq": 3, "values": {"channel": {"conv1": 0.25}, "weight": {"conv2": 0.5}}})
    older = {"seq": 3, "values": {"channels": {"conv1": 0.25}, "weights": {"conv2": 0.5}}}
    assert read_edit(BANKS, older) == edit
    recipe = apply_edit(Recipe(channels={"other": 0.5}), edit)
    assert edit.sequence == 3
    assert dict(recipe.channels) == {"conv1": 0.25, "other": 0.5}
    assert dict(recipe.weights) == {"conv2": 0.5}


def test_a_strip_at_zero_leaves_the_recipe():
    assert apply_edit(Recipe(channels={"conv1": 0.5}), Edit(1, {"channel": {"conv1": 0.0}}, {})) == Recipe()


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (None, "must be a mapping"),
        ({"values": {}}, "'seq'"),
        ({"seq": True}, "'seq'"),
        ({"seq": -1}, "'seq'"),
        ({"seq": 1, "values": [0.5]}, "'values'"),
        ({"seq": 1, "values": {"channel": [0.5]}}, "'values'"),
        ({"seq": 1, "values": {"channel": {"conv1": 1.0}}}, r"\[0, 1\)"),
        ({"seq": 1, "values": {"channel": {"conv1": float("nan")}}}, r"\[0, 1\)"),
        ({"seq": 1, "values": {"channel": {"conv1": "0.5"}}}, r"\[0, 1\)"),
        ({"seq": 1, "values": {"channel": {"fc": 0.5}}}, "is an output of the model"),
        ({"seq": 1, "values": {"weight": {"conv2": 0.3}}}, "is a switch"),
    ],
)
def test_a_foreign_message_is_refused(message, told):
    with pytest.raises(RecipeError, match=told):
        read_edit(BANKS, message)


@pytest.mark.parametrize("values", [{"heads": {}}, {"channel": {"nowhere": 0.5}}])
@pytest.mark.parametrize("key", ["values", "locks"])
def test_unknown_banks_and_strips_are_refused(key, values):
    with pytest.raises(UnknownNameError):
        read_edit(BANKS, {"seq": 1, key: values})


def test_locks_come_and_go():
    edit = read_edit(BANKS, {"seq": 1, "locks": {"channel": {"conv1": True}, "weight": {"conv2": False}}})
    assert apply_locks(frozenset({("weight", "conv2")}), edit) == {("channel", "conv1")}


def test_what_changes_at_a_move_is_sent_apart_from_what_does_not():
    moved = (
        replace(
            BANKS[0], strips=(replace(FREE, ratio=0.25, locked=True, sensitivity=((0.5, 0.1234),)), FROZEN)
        ),
        BANKS[1],
    )
    costs = cost.cost_table(two_layers())
    before, after = (ConsoleData("session", 1, shown, costs, {"params": 1}) for shown in (BANKS, moved))
    assert before.facts() == after.facts()
    facts = json.loads(json.dumps(after.facts(), allow_nan=False))
    assert [strip["id"] for strip in facts["banks"][0]["strips"]] == ["conv1", "fc"]
    assert not {"ratio", "locked", "achieved", "sensitivity", "frozen"} & set(facts["banks"][0]["strips"][0])
    assert facts["banks"][0]["strips"][1]["frozen"] == "is an output of the model"
    assert before.state()["banks"] == {"channel": {}, "weight": {}}
    assert after.state()["banks"]["channel"] == {"conv1": {"ratio": 0.25, "locked": True}}
    assert after.findings()["sensitivity"]["channel"] == {"conv1": [[0.5, 0.123]]}
    state = after.state()
    assert (state["facts"], state["session"], state["taken"]) == (facts["id"], "session", 1)


def test_a_deep_model_has_a_matrix_of_blocks_and_kinds():
    units = {
        "embedding": "channel",
        **{
            f"h.{n}.{kind}": unit
            for n in range(4)
            for kind, unit in (
                ("attn.q", "key-value head"),
                ("attn.q#queries", "query head"),
                ("mlp", "channel"),
            )
            if (n, kind) != (2, "mlp")
        },
    }
    matrix = matrix_of(units)
    assert matrix["rows"] == ["0", "1", "2", "3"]
    assert matrix["columns"] == [["key-value heads", "attn.q"], ["query heads", "attn.q"], ["", "mlp"]]
    assert matrix["cells"][1] == ["h.1.attn.q", "h.1.attn.q#queries", "h.1.mlp"]
    assert matrix["cells"][2] == ["h.2.attn.q", "h.2.attn.q#queries", None]
    strips = tuple(Strip(name, ("", name), 0.0, 4, unit, 9) for name, unit in units.items())
    facts = ConsoleData("s", 0, (Bank("channel", "Channels", "", strips),), ()).facts()
    assert json.loads(json.dumps(facts))["banks"][0]["matrix"] == matrix


def test_a_model_without_a_stack_of_blocks_has_no_matrix():
    assert matrix_of({"conv1": "channel", "conv2": "channel", "fc": "channel"}) is None
    assert "matrix" not in ConsoleData("s", 0, BANKS, ()).facts()["banks"][0]


def test_another_model_has_facts_of_another_name():
    other = (replace(BANKS[0], strips=(replace(FREE, units=8), FROZEN)), BANKS[1])
    assert (
        ConsoleData("session", 0, BANKS, ()).facts()["id"]
        != ConsoleData("session", 0, other, ()).facts()["id"]
    )


def test_a_cut_that_achieves_nothing_is_still_told():
    strip = replace(FREE, ratio=0.01, achieved=0.0, kept=16, of=16, reason="less than one")
    told = ConsoleData("session", 0, (Bank("channel", "Channels", "", (strip,)),), ()).state()["banks"][
        "channel"
    ]["conv1"]
    assert told == {"ratio": 0.01, "achieved": 0.0, "kept": 16, "of": 16, "reason": "less than one"}


def test_moves_that_arrive_together_are_steps_of_their_own():
    steps = [
        {"seq": 4, "values": {"channel": {"conv1": 0.25}}},
        {"seq": 5, "values": {"weight": {"conv2": 0.5}}},
    ]
    together = {"channel": {"conv1": 0.25}, "weight": {"conv2": 0.5}}
    edit = read_edit(BANKS, {"seq": 5, "values": together, "steps": steps})
    assert [(step.sequence, step.ratios) for step in edit.steps] == [
        (4, {"channel": {"conv1": 0.25}}),
        (5, {"weight": {"conv2": 0.5}}),
    ]
    assert edit.ratios == together and read_edit(BANKS, {"seq": 5}).steps == ()


@pytest.mark.parametrize(
    "steps", ["all", [1], [{"seq": 1}] * 21, [{"seq": 1, "values": {"channel": {"no": 1}}}]]
)
def test_steps_that_are_none_are_refused(steps):
    with pytest.raises(ExplorerError):
        read_edit(BANKS, {"seq": 1, "steps": steps})


# --------------------------------------------------------------------------- strips


def test_strips_tell_members_ties_and_why_one_is_frozen():
    channels, weights = banks(two_layers(), Recipe(channels={"conv1": 0.5}), "Combined")
    free, frozen = channels.strips
    assert (free.ratio, free.units, free.unit, free.frozen) == (0.5, 4, "channel", None)
    assert free.details == (
        "4 channels, in conv1, conv2",
        "are removed together because they are added together in block",
    )
    assert frozen.frozen == "is an output of the model"
    assert [strip.units for strip in weights.strips] == [12, 32]


def test_what_was_achieved_is_shown_beside_the_request():
    outcome = PartOutcome("conv1", "channel", 0.3, 0.25, 4, 1, "1 of 4 is the nearest whole number")
    (bank,) = banks(
        two_layers(),
        Recipe(channels={"conv1": 0.3}),
        "Structured",
        outcomes=[outcome],
        locks={("channel", "conv1")},
    )
    strip = bank.strips[0]
    assert (strip.ratio, strip.achieved, strip.kept, strip.reason, strip.locked) == (
        0.3,
        0.25,
        3,
        outcome.reason,
        True,
    )


def test_an_outcome_of_weights_does_not_reach_the_channels_of_the_same_name():
    outcome = PartOutcome("conv1", "weight", 0.5, 0.5, 12, 6)
    channels, weights = banks(two_layers(), Recipe(), "Combined", outcomes=[outcome])
    assert channels.strips[0].achieved is None
    assert weights.strips[0].kept == 6


def test_a_pattern_makes_switches_and_refuses_what_does_not_divide():
    profile = two_layers()
    (bank,) = banks(profile, Recipe(pattern="2:4"), "Unstructured")
    assert [strip.switch for strip in bank.strips] == [0.5, 0.5]
    assert bank.strips[0].frozen == "its 3 inputs cannot be divided into blocks of 4"
    assert pattern_refusal(profile.layers[1], "2:4") is None
    assert pattern_refusal(profile.layers[0], "free") is None


def test_changing_the_pattern_switches_on_what_had_a_ratio():
    recipe = with_pattern(Recipe(weights={"conv1": 0.3, "conv2": 0.3}), two_layers(), "1:4")
    assert dict(recipe.weights) == {"conv2": 0.75}
    assert with_pattern(recipe, two_layers(), "free").weights == recipe.weights


def test_every_mode_shows_all_that_the_recipe_holds():
    both = Recipe(channels={"conv1": 0.5}, weights={"conv2": 0.5})
    for chosen in MODES:
        assert mode_of(both, chosen) == "Combined"
        assert mode_of(Recipe(), chosen) == chosen
        assert mode_of(in_mode(both, chosen), chosen) == chosen
    assert mode_of(Recipe(weights={"conv2": 0.5}), "Structured") == "Unstructured"
    assert mode_of(Recipe(remove={"conv1": [0]}), "Unstructured") == "Structured"


# --------------------------------------------------------------------------- the estimate


def estimate(profile, *ratios, sizes=None):
    """What the page's own script makes of the table of costs.

    Args:
        ratios: of channels, then of weights.
        sizes: what each product multiplies.
    """
    driver = pytest.importorskip("playwright._impl._driver")  # brings a node of its own
    script = Path(cost.__file__).with_name("cost.js").read_text(encoding="utf-8")
    units = {group.name: group.units for group in profile.groups}
    given = [[row.to_json() for row in cost.cost_table(profile, sizes)], units, *map(dict, ratios)]
    program = f"{script}\nprocess.stdout.write(JSON.stringify(estimate(...{json.dumps(given)})));"
    done = subprocess.run(
        [driver.compute_driver_executable()[0], "-"],
        input=program,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return SimpleNamespace(**json.loads(done.stdout))


def test_the_estimate_by_hand():
    found = estimate(two_layers(), {"conv1": 0.5}, {"conv2": 0.25})
    assert found.params == 12 / 2 + 4 / 2 + 32 / 2
    assert found.nonzero_params == 12 / 2 + 4 / 2 + 32 / 2 * 0.75
    assert found.macs == 120 / 2 + 320 / 2


def test_what_is_inside_removed_units_is_not_removed_twice():
    plain = two_layers()
    inner = replace(plain.groups[0], name="conv1#inner", units=2, inside="conv1")
    slots = tuple(replace(slot, unit_of=(0, 1, 0, 1)) for slot in inner.slots)
    both = replace(plain, groups=(*plain.groups, replace(inner, slots=slots)))
    found = estimate(both, {"conv1": 0.5, "conv1#inner": 0.5}, {})
    assert found.macs == 120 / 4 + 320 / 4
    assert estimate(both, {"conv1#inner": 0.5}, {}) == estimate(plain, {"conv1": 0.5}, {})


def test_frozen_groups_do_not_shrink_the_estimate():
    dense = estimate(two_layers(), {}, {})
    assert estimate(two_layers(), {"conv2": 0.5}, {}) == dense
    assert (dense.params, dense.macs) == (48, 440)


@pytest.mark.parametrize("name", list(SAMPLES))
def test_the_estimate_counts_the_parameters_of_the_compact_model(name):
    model, task = untrained(name).eval(), DATA[SAMPLES[name].traits["data"]]()
    subject = Subject(subject_id(model), name, model, task, task.example(2))
    graph = graph_of(subject)
    recipe = Recipe(channels=dict.fromkeys(graph.profile.free_groups, 0.4))
    real = prepare(Analysed(subject, graph), recipe).static
    found = estimate(graph.profile, recipe.channels, {}, sizes=product_sizes(graph))
    assert found.params == pytest.approx(real.params, rel=1e-3)
    assert found.macs == pytest.approx(real.macs, rel=1e-3)
    dense = estimate(graph.profile, {}, {}, sizes=product_sizes(graph))
    assert dense.params > real.params and dense.macs == graph.profile.macs


def test_the_estimate_follows_what_a_product_multiplies():
    model = Analysed(odd("mixer"), graph_of(odd("mixer")))
    recipe = Recipe(channels={"embed": 0.5})
    real = prepare(model, recipe).static.macs
    assert estimate(model.profile, recipe.channels, {}, sizes=product_sizes(model.graph)).macs == real
    assert estimate(model.profile, recipe.channels, {}).macs > real  # sizes of weights alone do not tell


# --------------------------------------------------------------------------- undo


def test_undo_and_redo_walk_the_line():
    first, second = Recipe(weights={"fc": 0.1}), Recipe(weights={"fc": 0.2})
    line = History(PastRecipe(Recipe(), "start")).then(first, "one").then(second, "two")
    assert line.undo().present.recipe == first
    assert line.undo().undo().undo().present.recipe == Recipe()
    assert line.undo().redo() == line
    assert line.redo() == line
    assert line.undo().then(Recipe(seed=1), "other").future == ()


def test_the_same_recipe_again_is_no_step_and_the_line_is_bounded():
    line = History(PastRecipe(Recipe(), "start"))
    assert line.then(Recipe(), "again") is line
    for seed in range(1, LONGEST + 50):
        line = line.then(Recipe(seed=seed), "seed")
    assert len(line.past) == LONGEST


# --------------------------------------------------------------------------- presets and files


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_presets_fill_their_banks_and_leave_locked_strips(preset, digits):
    subject, graph = digits
    before = Recipe(channels={"conv2": 0.1}, weights={"conv3": 0.125, "conv1": 0.5}, round_to=2)
    locks = frozenset({("channel", "conv2")})
    recipe = follow(Analysed(subject, graph), before, preset, locks)
    assert recipe.channels["conv2"] == 0.1
    assert set(recipe.channels) - {"conv2"} == (
        set() if "channel" not in preset.targets else {"conv1", "conv3"}
    )
    assert bool(recipe.weights) == ("weight" in preset.targets)
    assert recipe.round_to == 2
    assert prepare(Analysed(subject, graph), recipe).static.params > 0


def test_the_pattern_preset_switches_only_what_fits(digits):
    subject, graph = digits
    pattern = next(preset for preset in PRESETS if preset.pattern == "2:4")
    found = follow(Analysed(subject, graph), Recipe(), pattern, frozenset())
    assert dict(found.weights) == {"conv2": 0.5, "conv3": 0.5, "fc": 0.5}  # conv1 has one input


def test_an_allocator_fills_the_banks_of_a_mode(digits):
    subject, graph = digits
    recipe = fill(
        Analysed(subject, graph),
        Recipe(weights={"fc": 0.9}),
        "Structured",
        Allotment("uniform", 0.5),
        frozenset(),
    )
    assert dict(recipe.channels) == {"conv1": 0.5, "conv2": 0.5, "conv3": 0.5}
    assert not recipe.weights


def test_a_recipe_file_may_be_a_recipe_or_a_report():
    recipe = Recipe(channels={"conv1": 0.5})
    assert read_recipe(json.dumps(recipe.to_json()).encode()) == recipe
    assert read_recipe(json.dumps({"recipe": recipe.to_json(), "split": "tuning"}).encode()) == recipe


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[" * 100_000, b"[]", b'{"channels": {"a": 2}}', b" " * 1_000_001]
)
def test_a_file_that_holds_no_recipe_is_refused(content):
    with pytest.raises(ExplorerError):
        read_recipe(content)


# --------------------------------------------------------------------------- cards


def measured(**given) -> Measurement:
    return Measurement(**{"params": 200, "nonzero_params": 200, "macs": 400, **given})


def report(pruned: Measurement, recipe: Recipe | None = None, **given) -> Report:
    return Report({}, recipe or Recipe(channels={"a": 0.5}), measured(), pruned, None, (), (), {}, **given)


def test_cards_state_the_change_and_the_factor():
    card = cards(report(measured(params=50, nonzero_params=10, macs=100), Recipe(weights={"a": 0.5})))[1]
    assert (card.label, card.value, card.change) == ("Parameters", "50", "-75.0 %")
    assert card.notes == ("4.00 × fewer, 150 gone", "10 of them non-zero (-95.0 %)")


def test_zeros_that_the_model_came_with_are_no_news():
    assert cards(report(measured(params=50, nonzero_params=10)))[1].notes == ("4.00 × fewer, 150 gone",)


def test_what_is_not_measured_is_not_invented():
    accuracy, _, size, _, latency = cards(report(measured(), stage="live"))
    assert (accuracy.value, size.value, latency.value) == (WAITING, WAITING, WAITING)
    assert cards(report(measured(), stage="final"))[0].value == "no data"


def test_the_accuracy_card_states_range_samples_and_verdict(digits):
    subject, graph = digits
    found = prune(
        Analysed(subject, graph), Recipe(channels={"conv1": 0.75}), Conditions(samples=256, latency=False)
    )
    card = cards(found)[0]
    assert card.value == f"{found.pruned.accuracy * 100:.1f} %"
    assert card.change.endswith(" points") and card.change.startswith("-")
    assert card.notes[0].startswith("worse") and "256 of 256" in card.notes[1] and "dense" in card.notes[2]


def test_a_latency_that_is_not_distinguishable_states_no_change():
    times = {"median": 1.0, "p10": 0.9, "p90": 1.2, "batch": 1}
    base = replace(report(measured(latency_ms=times)), baseline=measured(latency_ms=times))
    vague = {"ratio": 1.05, "low": 0.9, "high": 1.2, "verdict": "not distinguishable"}
    assert cards(replace(base, speed_up=vague))[4].change is None
    assert (
        cards(replace(base, speed_up={**vague, "ratio": 2.0, "low": 1.5, "verdict": "faster"}))[4].change
        == "-50.0 %"
    )
    assert cards(base)[4].notes[1] == "as before: the shapes are unchanged"


# --------------------------------------------------------------------------- the table, snapshots


def test_rows_of_the_table_are_the_faders_in_their_order():
    recipe = edited(Recipe(channels={"conv1": 0.5}), BANKS, {0: {"removed": 25.0}, 2: {"removed": 50}})
    assert (dict(recipe.channels), dict(recipe.weights)) == ({"conv1": 0.25}, {"conv2": 0.5})
    assert edited(recipe, BANKS, {"0": {"removed": None}}) == Recipe(weights={"conv2": 0.5})


@pytest.mark.parametrize(
    ("row", "value", "told"),
    [(1, 50, "is an output"), (2, 30, "is a switch"), (0, 100, r"\[0, 1\)"), (0, -1, r"\[0, 1\)")],
)
def test_a_row_refuses_what_its_fader_refuses(row, value, told):
    with pytest.raises(ExplorerError, match=told):
        edited(Recipe(), BANKS, {row: {"removed": value}})


def test_switching_between_a_and_b_and_back_gives_both_again():
    a, b = Recipe(channels={"conv1": 0.5}), Recipe(weights={"fc": 0.25})
    shelf = Shelf().switched("B", a)
    assert (shelf.slot, shelf.other) == ("B", a)
    back = shelf.switched("A", b)
    assert (back.slot, back.other) == ("A", b)
    assert back.switched("A", a) is back


def test_snapshots_have_names_and_an_end():
    shelf = Shelf().saved("  half\n ", Recipe())
    assert dict(shelf.named) == {"half": Recipe()} and shelf.without("half") == Shelf()
    with pytest.raises(RecipeError, match="needs a name"):
        shelf.saved("\n", Recipe())
    for number in range(COUNT_LIMIT - 1):
        shelf = shelf.saved(str(number), Recipe())
    with pytest.raises(RecipeError, match="delete one"):
        shelf.saved("one more", Recipe())
