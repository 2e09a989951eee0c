"""Every allocator keeps the contract: it meets the target, spares what it must, and says what it cannot
reach.
"""

import copy
import itertools
from dataclasses import replace

import pytest
import torch
from calibrated import renamed, with_data
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import prune as torch_prune
from zoo import ZOO, odd

from explorer.allocators.context import AllocationContext, Part, TargetError, all_but_one, lowest, spread
from explorer.allocators.sensitivity_budget import knapsack
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.errors import ExplorerError, RecipeError, UnknownNameError
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import count_macs, graph_of
from explorer.loaders.model_text import load
from explorer.planning.allocate import HIGHEST, allocate, reach
from explorer.planning.allocation import Allocation
from explorer.planning.allocation_context import context_for
from explorer.planning.recipe_costs import CostModel
from explorer.pruning.decision import decide
from explorer.registry import ALLOCATORS
from explorer.signals.calibration import Calibration
from explorer.studies.sensitivity.scan import scan
from explorer.studies.sensitivity.values import ScanPlan
from explorer.values.choice import Choice
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe

SHAPES = {
    "conv1": ("conv", (8, 3, 3, 3)),
    "conv2": ("conv", (16, 8, 3, 3)),
    "conv3": ("conv", (16, 16, 1, 1)),
    "fc": ("linear", (10, 16)),
}
TARGETS = [0.0, 0.1, 0.3, 0.5, 0.7]


def weight_scores():
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(shape, generator=generator) for name, (_, shape) in SHAPES.items()}


def channel_scores():
    generator = torch.Generator().manual_seed(1)
    return {name: torch.rand(shape[0], generator=generator) for name, (_, shape) in SHAPES.items()}


def context(scores):
    """Parts, a cost that counts units, and losses that grow with the ratio."""
    units = {part: score.numel() for part, score in scores.items()}

    def cost(what, ratios):
        return sum(n - round(ratios.get(part, 0) * n) for part, n in units.items())

    losses = {
        part: [(r / 10, (i + 1) * (r / 10) ** 2) for r in range(1, 10)] for i, part in enumerate(scores)
    }
    return AllocationContext({part: Part(*SHAPES[part]) for part in SHAPES}, cost, losses)


def needs_no_data(traits) -> bool:
    return not traits["needs_scan"] and "scores_of" not in traits


GIVEN = {"weights": weight_scores(), "channels": channel_scores()}
CASES = [(name, kind) for name in ALLOCATORS for kind in GIVEN]


def total(ratios, scores):
    return sum(ratio * scores[part].numel() for part, ratio in ratios.items())


# --------------------------------------------------------------------------- the contract


@pytest.mark.parametrize("name", list(ALLOCATORS))
def test_traits_are_complete(name):
    traits = ALLOCATORS[name].traits
    assert (
        isinstance(traits["needs_scores"], bool)
        and isinstance(traits["needs_scan"], bool)
        and isinstance(traits["rank"], int)
    )
    assert ALLOCATORS[name].tooltip.endswith((".", ")"))


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("target", TARGETS)
def test_ratios_are_valid_cover_all_parts_and_meet_the_target(name, kind, target):
    scores = GIVEN[kind]
    ratios = ALLOCATORS[name](scores, target, context(scores))
    assert set(ratios) == set(scores)
    assert all(0 <= ratio < 1 for ratio in ratios.values())
    units = sum(score.numel() for score in scores.values())
    assert abs(total(ratios, scores) - target * units) <= 1


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_higher_target_removes_no_less(name, kind):
    scores = GIVEN[kind]
    found = [ALLOCATORS[name](scores, target, context(scores)) for target in TARGETS]
    for less, more in itertools.pairwise(found):
        assert total(less, scores) <= total(more, scores) + 1e-9
        if name != "sensitivity_budget":  # a better plan for more may spare what the plan for less took
            assert all(less[part] <= more[part] + 1e-9 for part in scores)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_an_unreachable_target_is_one_sentence_with_the_range(name, kind):
    scores = GIVEN[kind]
    if name == "uniform":
        assert set(ALLOCATORS[name](scores, 0.9999, context(scores)).values()) == {0.9999}, (
            "one ratio is always possible"
        )
        return
    with pytest.raises(TargetError, match="choose a target from 0 to") as caught:
        ALLOCATORS[name](scores, 0.9999, context(scores))
    assert "\n" not in str(caught.value) and 0 == caught.value.low < caught.value.high < 0.9999
    reached = ALLOCATORS[name](scores, caught.value.high, context(scores))
    assert total(reached, scores) >= caught.value.high * sum(s.numel() for s in scores.values()) - 1


@pytest.mark.parametrize("name", list(ALLOCATORS))
def test_nothing_to_allocate_is_nothing(name):
    assert ALLOCATORS[name]({}, 0.0, context({})) == {}


@pytest.mark.parametrize("model", ["chain", "residual", "depthwise", "fused_qkv"])
@pytest.mark.parametrize("granularity", ["channel", "weight"])
@pytest.mark.parametrize("name", [name for name, one in ALLOCATORS.items() if needs_no_data(one.traits)])
def test_what_was_allocated_is_what_is_cut(name, granularity, model):
    subject = odd(model)
    graph = graph_of(subject)
    try:
        recipe = allocate(Analysed(subject, graph), Recipe(), Allocation(Choice(name), 0.25, granularity))
    except TargetError as error:
        recipe = allocate(
            Analysed(subject, graph), Recipe(), Allocation(Choice(name), error.high, granularity)
        )
        assert name == "uniform_plus", "few small groups, the first of them spared"
    outcomes = decide(Analysed(subject, graph), recipe).outcomes
    asked = sum(recipe.ratios(granularity).get(o.name, 0) * o.units for o in outcomes)
    assert abs(sum(o.removed for o in outcomes) - asked) <= len(outcomes) / 2 + 1


def test_locked_parts_keep_their_ratio_and_do_not_count():
    subject = odd("chain")
    graph = graph_of(subject)
    start = Recipe(weights={"conv1": 0.6, "fc": 0.2})
    recipe = allocate(
        Analysed(subject, graph),
        start,
        Allocation(Choice("global_threshold"), 0.5, "weight", frozenset({"conv1"})),
    )
    assert recipe.weights["conv1"] == 0.6
    units = {name: layer.shape for name, layer in graph.profile.prunable_layers.items() if name != "conv1"}
    sizes = {name: torch.Size(shape).numel() for name, shape in units.items()}
    assert abs(sum(recipe.weights[n] * size for n, size in sizes.items()) - 0.5 * sum(sizes.values())) <= 1
    assert not allocate(
        Analysed(subject, graph), start, Allocation(Choice("uniform"), 0.0, "weight")
    ).weights, "nothing is locked, so nothing is kept"


def test_a_criterion_that_needs_data_is_not_asked_where_scores_are_not_needed():

    subject, recipe = odd("chain"), Recipe(criterion=Choice("wanda"))
    assert allocate(analyse(subject), recipe, Allocation(Choice("erk"), 0.5, "weight")).weights
    with pytest.raises(ExplorerError, match="training data"):
        allocate(analyse(subject), recipe, Allocation(Choice("lamp"), 0.5, "weight"))


def test_parameters_are_checked():
    subject = odd("chain")
    with pytest.raises(RecipeError, match="params, macs, bytes"):
        allocate(
            analyse(subject),
            Recipe(),
            Allocation(Choice("sensitivity_budget", {"saves": "watts"}), 0.5, "weight"),
        )
    with pytest.raises(UnknownNameError):
        allocate(
            analyse(subject), Recipe(), Allocation(Choice("uniform", {"saves": "params"}), 0.5, "weight")
        )


# --------------------------------------------------------------------------- meanings


def test_global_threshold_removes_the_lowest_wherever_they_are():
    scores = {"a": torch.tensor([[1.0, 2.0, 9.0]]), "b": torch.tensor([[3.0, 4.0, 5.0]])}
    ratios = ALLOCATORS["global_threshold"](scores, 0.5, AllocationContext())
    assert ratios == {"a": 2 / 3, "b": 1 / 3}


def test_a_part_that_is_low_altogether_keeps_its_best_unit_and_others_pay():
    values = {"low": torch.tensor([1.0, 2.0, 3.0]), "high": torch.tensor([10.0, 11.0, 12.0])}
    assert lowest("test", values, 0.5) == {"low": 2 / 3, "high": 1 / 3}


def test_channels_are_compared_after_division_by_their_groups_mean():
    scores = {"small": torch.tensor([0.1, 0.3]), "large": torch.tensor([10.0, 30.0])}
    assert ALLOCATORS["global_threshold"](scores, 0.5, AllocationContext()) == {"small": 0.5, "large": 0.5}


def test_lamp_is_the_papers_formula_on_weights():
    subject = odd("chain")
    graph = graph_of(subject)
    flat = {
        n: subject.model.get_parameter(la.weight).detach().flatten()
        for n, la in graph.profile.prunable_layers.items()
    }
    rated = {}
    for name, w in flat.items():
        ordered = sorted(w.tolist(), key=abs)
        rated[name] = [ordered[i] ** 2 / sum(v**2 for v in ordered[i:]) for i in range(len(ordered))]
    everything = sorted(v for values in rated.values() for v in values)
    threshold = everything[round(0.6 * len(everything)) - 1]
    expected = {name: sum(v <= threshold for v in values) / len(values) for name, values in rated.items()}
    recipe = allocate(Analysed(subject, graph), Recipe(), Allocation(Choice("lamp"), 0.6, "weight"))
    assert all(abs(recipe.weights[name] - expected[name]) < 1e-4 + 1 / len(flat[name]) for name in flat)


@pytest.mark.parametrize("granularity", ["channel", "weight"])
def test_fisher_takes_the_least_growth_of_the_loss_for_each_parameter(granularity):
    """Against a plain loop: gradients by batches of 16, squares, products, a sorted list."""
    model = analyse(load("digits-mlp"))
    rated = fisher_by_hand(model, granularity)
    everything = sorted(v for values in rated.values() for v in values)
    count = round(0.4 * len(everything))
    expected = {part: sum(v <= everything[count - 1] for v in values) for part, values in rated.items()}
    recipe = Recipe(criterion=Choice("l1"))
    chosen = allocate(model, recipe, Allocation(Choice("fisher"), 0.4, granularity))
    assert chosen.criterion == recipe.criterion, "the units are chosen by the recipe's own criterion"
    for part, values in rated.items():
        assert abs(chosen.ratios(granularity).get(part, 0.0) * len(values) - expected[part]) <= 1.001
    other = allocate(model, recipe, Allocation(Choice("global_threshold"), 0.4, granularity))
    assert other.ratios(granularity) != chosen.ratios(granularity)  # the negative control


def fisher_by_hand(model, granularity):
    """Part -> growth of the loss for each unit, divided by the parameters that half of its units save."""
    network = copy.deepcopy(model.subject.model)
    task, weights = model.subject.task, {}
    training = task.split("training")
    names = {name: layer.weight for name, layer in model.profile.prunable_layers.items()}
    squares = {name: torch.zeros(network.get_parameter(w).shape) for name, w in names.items()}
    samples = min(len(training), Calibration().samples)
    for start in range(0, samples, 16):
        stop = min(start + 16, samples)
        network.zero_grad()
        inputs = task.normalisation(training.inputs[start:stop])
        torch.nn.functional.cross_entropy(network(inputs), training.targets[start:stop]).backward()
        for name, weight in names.items():
            squares[name] += network.get_parameter(weight).grad ** 2 * (stop - start) ** 2
    for name, weight in names.items():
        weights[name] = network.get_parameter(weight).detach() ** 2 * squares[name] / samples / 2
    if granularity == "weight":
        return {name: rated.flatten().tolist() for name, rated in weights.items()}
    costs, rated = CostModel.of(model), {}
    for name in model.profile.free_groups:
        n = len(weights[name])
        saved = costs.cost(Recipe(), "params") - costs.cost(Recipe(channels={name: n // 2 / n}), "params")
        rated[name] = (weights[name].sum(1) / (saved / (n // 2))).tolist()
    return rated


def test_fisher_weighs_units_against_what_they_cost():
    scores = {"a": torch.tensor([1.0, 2.0, 3.0, 9.0]), "b": torch.tensor([4.0, 5.0, 6.0, 9.0])}

    def cost(what, ratios):
        return 100 - 4 * ratios.get("a", 0) - 400 * ratios.get("b", 0)  # a unit of b saves 100 times as much

    plan = AllocationContext({}, cost)
    assert ALLOCATORS["fisher"](scores, 0.375, plan) == {"a": 0.0, "b": 0.75}
    assert ALLOCATORS["fisher"](scores, 0.375, plan, per="unit") == {"a": 0.75, "b": 0.0}
    with pytest.raises(ExplorerError, match="per=unit"):
        ALLOCATORS["fisher"](scores, 0.375, AllocationContext())


def test_fisher_needs_training_data():
    with pytest.raises(ExplorerError, match="training data"):
        allocate(analyse(odd("chain")), Recipe(), Allocation(Choice("fisher"), 0.5, "weight"))


def test_erk_densities_follow_the_shapes():
    scores = weight_scores()
    ratios = ALLOCATORS["erk"](scores, 0.6, context(scores))
    raw = {name: sum(shape) / torch.Size(shape).numel() for name, (_, shape) in SHAPES.items()}
    factors = {
        name: (1 - ratios[name]) / raw[name]
        for name in SHAPES
        if 0 < ratios[name] < all_but_one(scores[name].numel())
    }
    assert len(factors) >= 2 and max(factors.values()) - min(factors.values()) < 1e-6
    assert ratios["fc"] < ratios["conv2"]


def test_erk_leaves_dense_what_would_get_more_than_it_has():
    parts = {"tiny": Part("linear", (2, 2)), "large": Part("linear", (40, 40))}
    scores = {"tiny": torch.ones(2, 2), "large": torch.ones(40, 40)}
    ratios = ALLOCATORS["erk"](scores, 0.5, AllocationContext(parts))
    assert ratios["tiny"] == 0 and abs(ratios["large"] * 1600 - 802) < 1e-6


def test_uniform_plus_spares_the_ends():
    scores = weight_scores()
    ratios = ALLOCATORS["uniform_plus"](scores, 0.85, context(scores))
    assert (
        ratios["conv1"] == 0
        and ratios["fc"] == pytest.approx(0.8)
        and ratios["conv2"] == pytest.approx(ratios["conv3"])
    )
    unlocked = {part: scores[part] for part in ("conv2", "fc")}
    assert ALLOCATORS["uniform_plus"](unlocked, 0.3, context(scores))["conv2"] == pytest.approx(0.3), (
        "the first is locked, not gone"
    )


@given(st.lists(st.integers(2, 60), min_size=1, max_size=6), st.floats(0.01, 0.9), st.integers(0, 1000))
def test_spread_meets_every_target_that_its_limits_allow(units, target, seed):
    generator = torch.Generator().manual_seed(seed)
    odds = {str(i): float(torch.rand((), generator=generator)) + 0.01 for i in range(len(units))}
    counts = {str(i): n for i, n in enumerate(units)}
    highest = {part: all_but_one(n) for part, n in counts.items()}
    try:
        ratios = spread("test", target, counts, odds, highest)
    except TargetError:
        assert target * sum(units) > sum(n - 1 for n in units) + 1
        return
    wanted = min(target * sum(units), sum(n - 1 for n in units))
    assert abs(sum(counts[p] * r for p, r in ratios.items()) - wanted) < 1e-6
    assert all(0 <= ratios[p] <= highest[p] for p in counts)


# --------------------------------------------------------------------------- the knapsack


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_knapsack_is_as_good_as_trying_everything(data):
    options = {}
    for part in "abcd"[: data.draw(st.integers(1, 4))]:
        steps = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=4))
        saves = list(itertools.accumulate(steps))
        growths = data.draw(st.lists(st.floats(-0.1, 5), min_size=len(saves), max_size=len(saves)))
        options[part] = [
            (0.0, 0.0, 0.0),
            *zip([(i + 1) / 10 for i in range(len(saves))], map(float, saves), growths, strict=True),
        ]
    most = sum(points[-1][1] for points in options.values())
    # savings are whole numbers and the budget's parts are finer, so that rounding down hides nothing
    saving = float(data.draw(st.sampled_from([s for s in (1, 2, 4, 5, 8, 10, 20, 25, 40, 50) if s <= most])))
    plan = knapsack(options, saving)

    def cost(choice):
        return sum(point[2] for point in choice)

    chosen = [next(point for point in options[part] if point[0] == plan[part]) for part in options]
    best = min(
        cost(choice)
        for choice in itertools.product(*options.values())
        if sum(point[1] for point in choice) >= saving
    )
    assert sum(point[1] for point in chosen) >= saving and cost(chosen) == pytest.approx(best)


def test_a_budget_needs_a_scan():
    scores = weight_scores()
    with pytest.raises(ExplorerError, match="run the scan first"):
        ALLOCATORS["sensitivity_budget"](scores, 0.5, replace(context(scores), losses=None))


def test_the_budget_takes_from_where_it_harms_least():
    scores = {"cheap": torch.ones(100), "dear": torch.ones(100)}

    def cost(what, ratios):
        return 200 - sum(round(100 * r) for r in ratios.values())

    losses = {"cheap": [(0.5, 0.1), (0.9, 0.3)], "dear": [(0.5, 2.0), (0.9, 9.0)]}
    plan = AllocationContext({part: Part("conv", (100, 1)) for part in scores}, cost, losses)
    assert ALLOCATORS["sensitivity_budget"](scores, 0.4, plan) == {"cheap": 0.8, "dear": 0.0}
    assert ALLOCATORS["sensitivity_budget"](scores, 0.6, plan) == {"cheap": 0.9, "dear": 0.3}
    with pytest.raises(TargetError, match="from 0 to 90 %"):
        ALLOCATORS["sensitivity_budget"](scores, 0.95, plan)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """A residual model with tuning data, and its channel scan."""
    subject = with_data("residual", samples=64)
    training = subject.task.split("training")
    subject = replace(subject, task=replace(subject.task, load_split=lambda which: training))
    graph = graph_of(subject)
    plan = ScanPlan("channel", ratios=(0.2, 0.4, 0.6, 0.8), tolerance=None)
    found = outcome(
        scan(Analysed(subject, graph), plan, Conditions(), folder=tmp_path_factory.mktemp("scans"))
    )
    return subject, graph, found


@pytest.mark.parametrize("saves", ["params", "macs", "bytes"])
def test_a_budget_from_a_real_scan_meets_the_cost_of_the_whole_model(scanned, saves):
    subject, graph, found = scanned
    losses = found.losses()
    recipe = allocate(
        Analysed(subject, graph),
        Recipe(),
        Allocation(Choice("sensitivity_budget", {"saves": saves}), 0.3, losses=losses),
    )
    model = CostModel.of(Analysed(subject, graph))
    dense = model.cost(Recipe(), saves)
    assert model.cost(recipe, saves) <= 0.7 * dense
    unit_less = [
        replace(
            recipe,
            channels={**recipe.channels, part: max(0.0, ratio - 1 / graph.profile.free_groups[part].units)},
        )
        for part, ratio in recipe.channels.items()
    ]
    assert unit_less and any(model.cost(less, saves) > 0.7 * dense for less in unit_less), (
        "no unit more than needed"
    )


def test_locked_parts_count_in_the_cost_of_a_budget(scanned):
    subject, graph, found = scanned
    start, losses = Recipe(channels={"stem": 0.5}), found.losses()
    recipe = allocate(
        Analysed(subject, graph),
        start,
        Allocation(Choice("sensitivity_budget"), 0.55, locked=frozenset({"stem"}), losses=losses),
    )
    assert recipe.channels["stem"] == 0.5 and recipe.channels["a"] > 0
    with pytest.raises(TargetError) as caught:
        allocate(
            Analysed(subject, graph),
            start,
            Allocation(Choice("sensitivity_budget"), 0.05, locked=frozenset({"stem"}), losses=losses),
        )
    assert caught.value.low > 0.3, "what is locked already saves that much"


# --------------------------------------------------------------------------- costs


def without_zeros(subject):
    """With parameters none of which is zero before pruning."""
    with torch.no_grad():
        for parameter in subject.model.parameters():
            parameter[parameter == 0] = 0.1
    return renamed(subject)


@pytest.mark.parametrize("name", list(ZOO))
@pytest.mark.parametrize("granularity", ["channel", "weight"])
def test_predicted_costs_are_those_of_the_pruned_model(name, granularity):
    subject = without_zeros(odd(name))
    graph = graph_of(subject)
    recipe = allocate(Analysed(subject, graph), Recipe(), Allocation(Choice("uniform"), 0.5, granularity))

    # on the meta device, since kernels of the cpu hide what attention multiplies
    def count(module):
        return count_macs(copy.deepcopy(module).to("meta"), subject.example[:1].to("meta"))

    pruned, model = (
        prepare(Analysed(subject, graph), recipe),
        CostModel.of(Analysed(subject, graph)),
    )
    assert model.cost(recipe, "params") == pruned.static.nonzero_params
    if granularity == "channel":
        assert model.cost(recipe, "macs") == pytest.approx(count(pruned.model))
        assert model.cost(recipe, "params") == pruned.static.params


def test_costs_know_hands_and_both_granularities_together():
    subject = without_zeros(odd("chain"))
    graph = graph_of(subject)
    recipe = Recipe(channels={"conv1": 0.25}, remove={"conv1": (0, 1, 2)}, weights={"fc": 0.5})
    counted = prepare(Analysed(subject, graph), recipe).static
    assert CostModel.of(Analysed(subject, graph)).cost(recipe, "params") == counted.nonzero_params


def test_bytes_of_zeros_only_shrink_once_a_bitmask_pays():
    subject = odd("no_bias")
    model = CostModel.of(Analysed(subject, graph_of(subject)))
    dense = model.cost(Recipe(), "bytes")
    assert dense == 4 * (63 + 36)
    assert model.cost(Recipe(weights={"a": 0.016}), "bytes") == dense, (
        "one zero of 63 saves 4 bytes, the mask costs 8"
    )
    assert model.cost(Recipe(weights={"a": 0.5}), "bytes") == dense - 32 * 4 + 8


def test_the_context_knows_the_first_maker_of_each_group():
    subject = odd("residual")
    found = context_for(Analysed(subject, graph_of(subject)), Recipe(), "channel").parts
    assert list(found) == ["stem", "a"] and found["stem"] == Part("conv", (8, 3, 3, 3))


# --------------------------------------------------------------------------- reach


@pytest.mark.parametrize("granularity", ["channel", "weight"])
@pytest.mark.parametrize("name", [name for name, one in ALLOCATORS.items() if needs_no_data(one.traits)])
def test_the_ends_of_what_can_be_met_are_met_and_what_lies_beyond_is_not(name, granularity):
    subject = odd("residual")
    graph, locked = graph_of(subject), frozenset({"stem"})
    start = Recipe(channels={"stem": 0.5}, weights={"stem": 0.5})
    low, high = reach(
        Analysed(subject, graph), start, Allocation(Choice(name), granularity=granularity, locked=locked)
    )
    assert low == 0 and 0 < high < 1
    assert (
        allocate(Analysed(subject, graph), start, Allocation(Choice(name), high, granularity, locked)).ratios(
            granularity
        )["stem"]
        == 0.5
    )
    if high < HIGHEST:
        with pytest.raises(TargetError):
            allocate(
                Analysed(subject, graph),
                start,
                Allocation(Choice(name), min(HIGHEST, high + 0.2), granularity, locked),
            )


def test_the_reach_is_known_before_anything_is_rated():
    subject, recipe = odd("chain"), Recipe(criterion=Choice("taylor"))  # which needs data that is not there
    assert reach(analyse(subject), recipe, Allocation(Choice("lamp"), granularity="weight"))[1] > 0.9
    with pytest.raises(ExplorerError, match="run the scan first"):
        reach(analyse(subject), recipe, Allocation(Choice("sensitivity_budget"), granularity="weight"))


# --------------------------------------------------------------------------- one threshold, against torch


def differing(graph, kept: dict[str, torch.Tensor], model: torch.nn.Module) -> int:
    """Weights that one of the two keeps and the other does not."""
    layers = graph.profile.prunable_layers
    theirs = {name: model.get_submodule(name).weight_mask.bool() for name in layers}
    return sum(int((kept.get(name, torch.ones_like(mask)) != mask).sum()) for name, mask in theirs.items())


@pytest.mark.parametrize("name", ["digits-cnn", "shapes-mobilenet", "shapes-resnet"])
@pytest.mark.parametrize("target", [0.3, 0.777, 0.9, 0.95])
def test_a_global_threshold_is_that_of_torch_to_the_last_weight(name, target):
    subject = load(name)
    graph = graph_of(subject)
    recipe = allocate(
        Analysed(subject, graph), Recipe(), Allocation(Choice("global_threshold"), target, "weight")
    )
    theirs = copy.deepcopy(subject.model)
    layers = [(theirs.get_submodule(layer), "weight") for layer in graph.profile.prunable_layers]
    torch_prune.global_unstructured(layers, torch_prune.L1Unstructured, amount=target)
    assert differing(graph, decide(Analysed(subject, graph), recipe).masks.weights, theirs) == 0
    if name == "shapes-resnet":  # the negative control: where parts are large, four decimals do not say it
        rough = replace(recipe, weights={part: round(ratio, 4) for part, ratio in recipe.weights.items()})
        assert differing(graph, decide(Analysed(subject, graph), rough).masks.weights, theirs) > 0
