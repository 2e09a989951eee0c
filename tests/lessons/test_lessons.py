"""Lessons: every file is sound and runs; every rule gives each of its verdicts; numbers made by hand come out
as they must.
"""

import copy
import json
import random
import re
import tomllib
from dataclasses import replace
from functools import cache

import pytest
import torch

from explorer.commands.main import main
from explorer.errors import ExplorerError
from explorer.figures.class_front import class_front
from explorer.figures.lesson_comparisons import lesson_agreement
from explorer.figures.lesson_costs import lesson_costs
from explorer.figures.lesson_curve import lesson_curve
from explorer.figures.lesson_layers import lesson_layers
from explorer.figures.lesson_magnitudes import lesson_magnitudes, threshold
from explorer.figures.lesson_matrices import lesson_matrices
from explorer.figures.lesson_sizes import lesson_sizes
from explorer.figures.lesson_spread import lesson_spread
from explorer.figures.lesson_times import lesson_times
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.lessons import class_file, evidence_files, weights_shown, wording
from explorer.lessons.attendance import AWAY_S, MOST_SEATS, Attendance
from explorer.lessons.claim_tables import possible, xs_of
from explorer.lessons.class_board import (
    MOST_POINTS,
    Board,
    BoardError,
    BoardPoint,
    Classroom,
    clean_name,
    front,
    point_of,
)
from explorer.lessons.evidence import ArmPoint, Evidence
from explorer.lessons.experiment import masked_by_hand, run
from explorer.lessons.lesson_files import CONTENT, TEMPLATE, course, lessons, parse, read
from explorer.lessons.prediction_scores import score
from explorer.lessons.recipes import fits, recipe_for
from explorer.lessons.toml_table import LessonError, Table
from explorer.lessons.values import (
    BY_HAND,
    COSTS,
    MATCHES,
    PICTURES,
    PREDICTIONS,
    QUANTITIES,
    ROLES,
    VERDICTS,
    VIEWS,
    Case,
    Experiment,
)
from explorer.lessons.verdicts import CaseComparison, answer, interval, judge, verdict_of
from explorer.loaders.model_text import load
from explorer.measuring.statistics import paired_drop
from explorer.recovery.regularisation import EDGES
from explorer.ui.learn.class_teacher import as_csv
from explorer.values.granularity import GRANULARITIES
from explorer.values.progress import outcome, values_of
from explorer.values.recipe import Recipe
from explorer.values.report import Measurement
from explorer.words import GLOSSARY

LESSONS = lessons()
TRAINED = {name for name, one in LESSONS.items() if any(arm.training for arm in one.experiment.arms)}
SLOW = {name for name, one in LESSONS.items() if any(arm.model for arm in one.experiment.arms)}


@cache
def opened(name):
    subject = load(name)
    return subject, graph_of(subject)


def shortened(experiment: Experiment) -> Experiment:
    """The same experiment with little training and few pictures."""
    little = {"penalty_epochs": 1, "rounds": 2, "rewind_epoch": 1}

    def briefly(training: dict) -> dict:
        epochs = {"epochs": 1 if training.get("method") in ("finetune", "scratch") else 2}
        return {name: (little | epochs).get(name, value) for name, value in training.items()}

    arms = [replace(arm, training=briefly(arm.training)) for arm in experiment.arms]
    return replace(experiment, arms=tuple(arms), samples=min(experiment.samples or 128, 128))


@cache
def measured(name: str) -> Evidence:
    """A lesson's experiment on its default model, shortened where it trains."""
    experiment = LESSONS[name].experiment
    return outcome(
        run(
            shortened(experiment) if name in TRAINED else experiment,
            experiment.model,
            lambda name: Analysed(*opened(name)),
        )
    )


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


# --------------------------------------------------------------------------- every lesson


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.heavy if name == "depth_or_width" else ())
        for name in sorted(set(LESSONS) - SLOW)
    ],
)
def test_the_experiment_runs_on_its_default_model_and_is_judged(name):
    lesson, evidence = LESSONS[name], measured(name)
    assert evidence.finished
    assert set(evidence.points) == {
        (arm.name, x) for arm in lesson.experiment.arms for x in lesson.experiment.points_of(arm)
    }
    finding = judge(lesson, evidence)
    assert finding is not None
    said = [found.said for found in finding.comparisons]
    assert finding.verdict in (verdict_of(said, [found.case for found in finding.comparisons]), "open")
    assert finding.verdict == "open" or finding.stability >= 0.95
    text = wording.explanation(lesson, finding)
    assert "{" not in text


@pytest.mark.parametrize("name", LESSONS)
def test_recipes_fit_every_model_that_is_offered(name):
    experiment = LESSONS[name].experiment
    assert experiment.model in experiment.models
    for model in set(experiment.models) & {"digits-cnn", "digits-mlp"}:
        subject, graph = opened(model)
        assert fits(graph, experiment) is None
        for arm in experiment.arms:
            if not arm.model:
                assert not recipe_for(
                    Analysed(subject, graph), experiment, arm, experiment.points_of(arm)[0]
                ).is_empty


def test_roles_that_are_one_part_are_not_offered():
    experiment = LESSONS["sensitivity"].experiment
    assert fits(opened("digits-mlp")[1], experiment) is not None
    with pytest.raises(ExplorerError, match="needs a third one"):
        next(run(experiment, "digits-mlp", lambda name: Analysed(*opened(name))))


@pytest.mark.parametrize("name", LESSONS)
def test_every_verdict_of_a_lesson_can_come_out_and_has_its_text(name):
    lesson = LESSONS[name]
    cases = [case for case in lesson.claim.cases for _ in xs_of(case, lesson.experiment)]
    outcomes = {"holds": ["yes"] * len(cases), "fails": ["no"] * len(cases), "open": ["open"] * len(cases)}
    if len(cases) > 1:
        outcomes["conditional"] = ["yes", *["no"] * (len(cases) - 1)]
    assert set(lesson.claim.explain) == set(outcomes) == set(possible(len(cases)))
    for verdict, said in outcomes.items():
        assert verdict_of(said, cases) == verdict
    for case in cases:
        assert {answer(*ends, case) for ends in hand_made(case)} >= {"yes", "no"}


def hand_made(case: Case) -> list[tuple[float, float]]:
    """Intervals within the bounds of a case, outside of them, and across."""
    if case.quantity == "told_apart":
        return [(0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1)]
    low = case.above if case.above > -1e9 else case.below - 2
    high = case.below if case.below < 1e9 else case.above + 2
    middle, width = (low + high) / 2, (high - low) / 10
    return [
        (middle - width, middle + width),
        (low - 2, low - 1),
        (high + 1, high + 2),
        (low - width, high + width),
    ]


@pytest.mark.parametrize("name", sorted(TRAINED | SLOW))
def test_long_lessons_come_with_a_measured_result_whose_verdict_is_its_own(name):
    lesson = LESSONS[name]
    evidence = evidence_files.shipped(lesson, lesson.experiment.model)
    assert evidence is not None, (
        f"measure it with: pruning-explorer lessons {name} --keep explorer/lessons/measured"
    )
    assert judge(lesson, evidence) is not None
    assert evidence.environment["torch"]
    assert evidence_files.shipped(lesson, "another model") is None


GENERAL = {"part", "norm"}  # also words of every day, and a piece of "batch norm"


@pytest.mark.parametrize("name", LESSONS)
def test_every_word_of_the_trade_has_its_tooltip(name):
    lesson, explain = LESSONS[name], LESSONS[name].claim.explain
    texts = [s.text for s in lesson.sections] + [
        lesson.prediction.question,
        lesson.claim.text,
        *explain.values(),
    ]
    text = " ".join(texts).casefold()
    terms = {term for section in lesson.sections for term in section.terms}
    used = {
        term for term in set(GLOSSARY) - GENERAL if re.search(rf"\b{re.escape(term.casefold())}s?\b", text)
    }
    assert used <= terms, used - terms


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_has_figures_of_others_and_sources(name):
    lesson = LESSONS[name]
    assert lesson.published and lesson.sources
    assert all(other.name.startswith(("Theirs", "Elsewhere")) for other in lesson.published)
    assert all(
        len(other.name) <= 72 for other in lesson.published if other.x
    )  # or a legend is cut off where the page is narrow
    assert all(answer.reason for answer in lesson.check.answers)


def test_a_sentence_without_its_list_is_left_out():
    lesson = one_point(name="better", quantity="accuracy", against="b", above=0.0)
    explain = {
        "holds": "It does: {yes}. Not certain: {open}. So it is.",
        "fails": "No: {no}.",
        "open": "Open: {open}.",
    }
    lesson = replace(lesson, claim=replace(lesson.claim, explain=explain))
    found = judge(lesson, made_up({"a": [True] * 200, "b": [False] * 80 + [True] * 120}, [True] * 200))
    assert wording.explanation(lesson, found) == "It does: better (at 50 %). So it is."


def test_comparisons_are_listed_with_their_places_unless_they_came_out_alike():
    case, other = Case("all", "accuracy", "a", above=0.0), Case("some", "accuracy", "a", above=0.0)
    found = [CaseComparison(one, x, 0.0, 0.0, 0.0, "yes") for one in (case, other) for x in (0.2, 0.5)]
    assert wording.listed(found[:3], found) == "all; some (at 20 %)"


def test_evidence_survives_its_file():
    evidence = measured("speed_or_accuracy")
    back = evidence_files.from_json(json.loads(json.dumps(evidence_files.to_json(evidence))))
    one, other = judge(LESSONS["speed_or_accuracy"], evidence), judge(LESSONS["speed_or_accuracy"], back)
    assert one == other
    with pytest.raises(LessonError, match="damaged"):
        evidence_files.from_json({"points": []})


# --------------------------------------------------------------------------- facts that lessons rest on


def test_masks_by_hand_equal_the_compact_model_only_if_they_reach_everything():
    found = judge(LESSONS["masks_and_coupling"], measured("masks_and_coupling"))
    said = {(one.case.arm, one.case.quantity): one.said for one in found.comparisons}
    assert said == {
        ("weights_by_hand", "agreement"): "yes",
        ("forgotten", "agreement"): "no",
        ("everywhere", "agreement"): "yes",
        ("weights", "dense"): "no",
        ("channels", "dense"): "yes",
    }


def test_masking_by_hand_leaves_the_shared_model_alone():
    subject, graph = opened("digits-cnn")
    before = copy.deepcopy(subject.model.state_dict())
    made = masked_by_hand(Analysed(subject, graph), Recipe(channels={"conv1": 0.5}), everywhere=True)
    assert not made.training
    assert all(torch.equal(before[name], tensor) for name, tensor in subject.model.state_dict().items())
    assert int((made.get_parameter("conv1.weight").flatten(1).abs().sum(1) == 0).sum()) == 8


@pytest.mark.parametrize("name", ["speed_or_accuracy", "combining"])
def test_arms_of_equal_size_have_equal_size(name):
    evidence, experiment = measured(name), LESSONS[name].experiment
    for x in experiment.points:
        sizes = [evidence.at(arm.name, x).measured.nonzero_params for arm in experiment.arms]
        assert max(sizes) - min(sizes) <= 0.002 * evidence.dense[experiment.arms[0].name].measured.params + 1


def test_random_seeds_cut_different_weights():
    points = [measured("noise").at(f"random_{which}", 0.5) for which in "abc"]
    assert len({tuple(point.correct.tolist()) for point in points}) == 3


# --------------------------------------------------------------------------- rules on numbers made by hand

ABOVE = Case("arm", "accuracy", "arm", above=0.02)


def test_the_interval_of_a_difference_is_that_of_bonett_and_price():
    flips = torch.tensor([1.0] * 30 + [-1.0] * 10 + [0.0] * 960).double()
    low, high = interval(ABOVE, flips[None], 0.95)
    expected = paired_drop(30, 10, 1000)
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_nothing_flipped_still_has_a_width():
    low, high = interval(ABOVE, torch.zeros(1, 100).double(), 0.95)
    assert float(low) < 0 < float(high)


def test_the_median_of_few_rounds_is_not_known():
    case = Case("fast", "speed", "arm", above=1.1)
    low, high = interval(case, torch.full((1, 5), 2.0).double(), 0.95)
    assert answer(float(low), float(high), case) == "open"
    low, high = interval(case, torch.full((1, 20), 2.0).double(), 0.95)
    assert (float(low), float(high)) == (2.0, 2.0)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (["yes"], "holds"),
        (["no"], "fails"),
        (["open"], "open"),
        (["yes", "no", "open"], "conditional"),
        (["yes", "open"], "holds"),
        (["yes", "open", "open"], "open"),
        (["no", "no", "open"], "fails"),
    ],
)
def test_verdicts_follow_from_answers(said, verdict):
    assert verdict_of(said) == verdict


def test_a_part_of_the_claim_that_is_not_backed_leaves_it_open():
    assert verdict_of(["yes", "yes", "open"], ["accuracy", "accuracy", "speed"]) == "open"


def made_up(right: dict[str, list[bool]], dense: list[bool]) -> Evidence:
    """Evidence of a one-point lesson from flags."""

    def point(arm: str, flags: list[bool]) -> ArmPoint:
        n = len(flags)
        measured = Measurement(sum(flags) / n, 0.0, 1.0, 0.0, n, sum(flags), 100, 50, 1000)
        return ArmPoint(arm, 0.5, Recipe(), measured, torch.tensor(flags), torch.zeros(n, dtype=torch.long))

    points = {(arm, 0.5): point(arm, flags) for arm, flags in right.items()}
    return Evidence(
        "made up", {arm: point("dense", dense) for arm in right}, points, {}, len(dense), len(right), {}, True
    )


def one_point(**case: object) -> object:
    """A lesson with two arms at 50 %, and one case."""
    claim = {"cases": [{"arm": "a", **case}]}
    data = tomllib.loads((CONTENT / "combining.toml").read_text(encoding="utf-8"))
    data["experiment"] |= {
        "points": [0.5],
        "arms": [{"name": n, "label": n, "granularity": "weight"} for n in ("a", "b")],
    }
    data["prediction"] |= {"x": 0.5}
    data["try"] |= {"arm": "a", "x": 0.5}
    explain = dict.fromkeys(possible(len(claim["cases"])), "{yes}|{no}|{open}")
    data["claim"] = {"text": "A claim.", "explain": explain} | claim
    return parse("made_up", data)


def test_losses_that_add_up_and_losses_that_do_not():
    lesson = one_point(name="sum", quantity="joint", sum_of=["b"], above=-0.05, below=0.05)
    right, dense = [True] * 300 + [False] * 100, [True] * 400
    assert judge(lesson, made_up({"a": right, "b": right}, dense)).verdict == "holds"
    assert judge(lesson, made_up({"a": right, "b": dense}, dense)).verdict == "fails"


def test_a_verdict_that_other_pictures_would_turn_is_withdrawn():
    lesson = one_point(name="better", quantity="accuracy", against="b", above=0.0)
    barely = made_up({"a": [True] * 200, "b": [False] * 8 + [True] * 192}, [True] * 200)
    clearly = made_up({"a": [True] * 200, "b": [False] * 80 + [True] * 120}, [True] * 200)
    found = judge(lesson, barely)
    assert found.comparisons[0].said == "yes"
    assert found.verdict == "open"
    assert judge(lesson, clearly).verdict == "holds"


def test_a_missing_measurement_gives_no_verdict():
    lesson = one_point(name="better", quantity="accuracy", against="b", above=0.0)
    assert judge(lesson, made_up({"a": [True, False]}, [True, True])) is None


# --------------------------------------------------------------------------- scores


def test_a_perfect_curve_scores_full_and_a_flat_one_does_not():
    lesson, evidence = LESSONS["what_pruning_is"], measured("what_pruning_is")
    exact = {point.x: point.measured.accuracy for point in evidence.of("smallest")}
    assert score(lesson, exact, evidence, None).points == 100
    assert score(lesson, dict.fromkeys(exact, 0.5), evidence, None).points < 50


def test_numbers_verdicts_and_arms_are_scored():
    size = LESSONS["file_size"]
    assert score(size, 1.0, measured("file_size"), None).points >= 99
    assert score(size, 0.1, measured("file_size"), None).points == 0
    coupling = LESSONS["masks_and_coupling"]
    finding = judge(coupling, measured("masks_and_coupling"))
    right = [option.verdict for option in coupling.prediction.options].index(finding.verdict)
    assert score(coupling, right, measured("masks_and_coupling"), finding).points == 100
    assert score(coupling, (right + 1) % 3, measured("masks_and_coupling"), finding).points == 0
    layers = LESSONS["sensitivity"]
    points = [
        measured("sensitivity").at(option.arm, 0.5).measured.accuracy for option in layers.prediction.options
    ]
    assert score(layers, points.index(min(points)), measured("sensitivity"), None).points == 100
    assert score(layers, points.index(max(points)), measured("sensitivity"), None).points < 100


# --------------------------------------------------------------------------- the file


def data_of(name: str = "combining") -> dict:
    return tomllib.loads((CONTENT / f"{name}.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.pop("title"), "lacks 'title'"),
        (lambda d: d.update(minutes="five"), "'minutes' must be a whole number from 1 to 60"),
        (lambda d: d.update(colour="red"), "no key 'colour'"),
        (lambda d: d["sections"][0].update(terms=["magic"]), "no term named 'magic'"),
        (
            lambda d: d["experiment"]["arms"][0].update(recipe={"keep": {"a": [1]}}),
            "ratios of a recipe come from the points",
        ),
        (lambda d: d["experiment"]["arms"][0].update(recipe={"pattern": "4:2"}), "Pattern must be"),
        (lambda d: d["experiment"]["arms"][0].update(parts="middle"), "no role named 'middle'"),
        (lambda d: d["experiment"]["arms"][0].update(training={"epochs": -1}), "'epochs' must be"),
        (lambda d: d["experiment"].update(points=[1.5]), "a list of numbers from 0 to 0.99"),
        (lambda d: d["experiment"].update(views=["hologram"]), "no view named 'hologram'"),
        (lambda d: d["claim"]["cases"][0].update(arm="nobody"), "no arm named 'nobody'"),
        (lambda d: d["claim"]["cases"][0].update(quantity="beauty"), "'quantity' must be one of"),
        (lambda d: d["claim"]["cases"][0].pop("above"), "needs 'above'"),
        (lambda d: d["claim"]["cases"][0].update(quantity="speed"), "is not timed"),
        (lambda d: d["claim"]["explain"].pop("open"), "lacks 'open'"),
        (lambda d: [a.update(right=True) for a in d["check"]["answers"]], "exactly one answer must be right"),
        (lambda d: d["try"].update(x=0.123), "has no point 0.123"),
        (lambda d: d["experiment"]["arms"][2].update(by_hand="producers"), "arm 'both' is masked by hand"),
        (lambda d: d["sources"][0].update(url="javascript:alert(1)"), "must begin with https://"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(change, reason):
    data = data_of()
    change(data)
    with pytest.raises(LessonError) as caught:
        parse("combining", data)
    assert reason in str(caught.value)


def test_mangled_files_are_refused_and_never_crash():
    chance = random.Random(0)
    strange = [None, [], {}, -1, "", "x" * 5000, [[]], {"a": 1}, True, 1e300]
    for _ in range(300):
        data = data_of(chance.choice(sorted(LESSONS)))
        place = data
        for _ in range(chance.randint(0, 3)):
            values = place.values() if isinstance(place, dict) else place
            inner = [value for value in values if isinstance(value, dict | list) and value]
            place = chance.choice(inner) if inner else place
        key = chance.choice(list(place)) if isinstance(place, dict) else chance.randrange(len(place))
        place[key] = chance.choice(strange)
        try:
            parse("mangled", data)
        except LessonError as error:
            assert "Lesson 'mangled'" in str(error)


def test_two_lessons_of_one_number_are_refused(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(
            (CONTENT / "combining.toml").read_text(encoding="utf-8"), encoding="utf-8"
        )
    with pytest.raises(LessonError, match="both have the number 11"):
        lessons(tmp_path)


def test_the_template_is_a_sound_lesson_that_explains_every_key(monkeypatch, tmp_path, capsys):
    assert main(["lessons", "--new", str(tmp_path / "mine.toml")]) == 0
    text = (tmp_path / "mine.toml").read_text(encoding="utf-8")
    assert text == TEMPLATE.read_text(encoding="utf-8")
    known, done = set(), Table.done

    def noted(self: Table) -> None:
        known.update(self._read)
        done(self)

    monkeypatch.setattr(Table, "done", noted)
    parse("mine", tomllib.loads(text))
    for key in known - set(possible(2)):
        assert re.search(rf"\b{key}( =|\]|\.)", text), key
    for choices in (
        VIEWS,
        ROLES,
        MATCHES,
        QUANTITIES,
        PREDICTIONS,
        PICTURES,
        GRANULARITIES,
        BY_HAND[1:],
        VERDICTS.values(),
    ):
        assert all(choice.casefold() in text.casefold() for choice in choices), choices
    assert main(["lessons", "--folder", str(tmp_path), "--json", "--device", "cpu"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "fails"
    for again in ("mine.toml", "mine.txt"):
        assert main(["lessons", "--new", str(tmp_path / again)]) == 2
        assert "must be a new file whose name ends in .toml" in capsys.readouterr().err


def test_a_course_is_the_programs_lessons_and_ones_own(tmp_path):
    empty, own = tmp_path / "empty", tmp_path / "own"
    empty.mkdir(), own.mkdir()
    for folder in (empty, tmp_path / "nowhere"):
        with pytest.raises(LessonError, match="is not a folder with lessons"):
            course(folder)
    (own / "mine.toml").write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    changed = (CONTENT / "noise.toml").read_text(encoding="utf-8").replace("Is it noise?", "Luck?")
    (own / "noise.toml").write_text(changed, encoding="utf-8")
    assert list(course()) == list(LESSONS)
    assert list(course(own)) == [*LESSONS, "mine"] and course(own)["noise"].title == "Luck?"


@pytest.mark.parametrize("verb", [[], ["class", "digits-mlp"]])
def test_the_page_does_not_start_with_a_damaged_lesson(tmp_path, capsys, verb):
    (tmp_path / "broken.toml").write_text("number = 30", encoding="utf-8")
    assert main([*verb, "--lessons", str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip() == "Lesson 'broken' lacks 'experiment'."


def test_a_teachers_own_lesson_is_measured_by_the_command_line(tmp_path, capsys):
    text = (CONTENT / "file_size.toml").read_text(encoding="utf-8").replace("number = 4", "number = 40")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    assert main(["lessons", "mine", "--folder", str(tmp_path), "--json", "--device", "cpu"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "conditional"
    assert main(["lessons", "yours", "--folder", str(tmp_path)]) == 2
    assert "No lesson named 'yours'. Available: mine." in capsys.readouterr().err


# --------------------------------------------------------------------------- figures


def test_figures_show_what_was_measured():
    lesson, evidence = LESSONS["speed_or_accuracy"], measured("speed_or_accuracy")
    drawn = lesson_curve(lesson.experiment, evidence, {0.3: 0.9}, LESSONS["what_pruning_is"].published)
    first = evidence.of("channels")
    assert list(drawn.data[0].y) == [100 * point.measured.accuracy for point in first]
    assert [trace.name for trace in drawn.data if trace.name.startswith("Theirs")]
    assert list(next(trace for trace in drawn.data if trace.name == "your prediction").y) == [90]
    assert len(lesson_times(lesson.experiment, evidence).data[0].y) == 5
    assert all(
        0 < share <= 100 for bar in lesson_costs(lesson.experiment, evidence, 0.7).data for share in bar.x
    )
    sizes = lesson_sizes(LESSONS["file_size"].experiment, measured("file_size"))
    assert all(value == pytest.approx(100) for value in sizes.data[0].y)
    found = judge(LESSONS["masks_and_coupling"], measured("masks_and_coupling")).comparisons
    agreeing = [one for one in found if one.case.quantity == "agreement"]
    assert sum(len(trace.x) for trace in lesson_agreement(agreeing).data) == len(agreeing)


def test_figures_without_evidence_are_empty_and_titled():
    experiment = LESSONS["what_pruning_is"].experiment
    empty = [
        lesson_curve(experiment, None),
        lesson_sizes(experiment, None),
        lesson_costs(experiment, None, 0.5),
        lesson_times(experiment, None),
        lesson_agreement(()),
        class_front(()),
        lesson_layers({}),
    ]
    assert all(not drawn.data and drawn.layout.title.text for drawn in empty)


def test_the_spread_of_a_penalty_is_drawn_in_shares_and_kept_on_disk():
    experiment, bins = LESSONS["penalties"].experiment, len(EDGES) - 1

    def counts(place):
        return tuple(8 if i == place else 2 if i == bins - 1 else 0 for i in range(bins))

    spread = {"l1": (counts(40), counts(0)), "l2": (counts(40), counts(30))}
    points = {
        (arm.name, 0.8): ArmPoint(
            arm.name,
            0.8,
            Recipe(),
            Measurement(0.5, 0.4, 0.6, 1.0, 4, 2),
            torch.ones(4).bool(),
            torch.zeros(4),
            spread.get(arm.name, ()),
        )
        for arm in experiment.arms
    }
    evidence = Evidence("digits-mlp", {}, points, samples=4)
    drawn = lesson_spread(experiment, evidence)
    first, second = drawn.data
    assert (
        [row[1] for row in first.z if row[1]] == [80.0, 20.0]
        and first.z[0][1] == 80.0
        and second.z[0][1] == 0.0
    )
    assert list(first.x) == [0, 1] and len(first.y) == bins
    again = evidence_files.from_json(json.loads(json.dumps(evidence_files.to_json(evidence))))
    assert again.points["l1", 0.8].spread == spread["l1"] and again.points["plain", 0.8].spread == ()
    assert not lesson_spread(experiment, Evidence("digits-mlp")).data


def test_pictures_of_the_weights():
    lesson = LESSONS["weights_and_channels"]
    subject, graph = opened("digits-cnn")
    layer, shown = weights_shown.matrices(Analysed(subject, graph), lesson.experiment, 0.5)
    assert [image.shape for _, image in shown] == [(32, 16, 3, 3), (32, 16, 3, 3), (16, 8, 3, 3)]
    assert len(lesson_matrices(shown, layer).data) == 3
    assert weights_shown.layers(graph) == {"conv1": 144, "conv2": 4608, "conv3": 9216, "fc": 320}
    assert list(lesson_layers(weights_shown.layers(graph)).data[0].text) == ["1 %", "32 %", "65 %", "2 %"]
    histogram = weights_shown.magnitudes(Analysed(subject, graph))
    assert sum(lesson_magnitudes(histogram).data[0].y) == sum(
        layer.weights - layer.zeros for layer in histogram.layers
    )
    assert threshold([1, 1, 8], [0.0, 1.0, 2.0, 3.0], 0.2) == 2.0


@pytest.mark.parametrize("quantity", ["accuracy", "joint", "speed", "agreement", "told_apart", *COSTS])
def test_every_quantity_has_words(quantity):
    case = Case("an arm", quantity, "weights", above=0.5, batch=8)
    found = CaseComparison(case, 0.5, 0.9, 0.8, 1.0, "yes")
    assert wording.value(found) and wording.wanted(found)


# --------------------------------------------------------------------------- the class


def student(name: str, left: float, accuracy: float) -> BoardPoint:
    return BoardPoint(name, "digits-cnn", left, accuracy, accuracy - 0.02, accuracy + 0.02, 450, "")


def test_a_nickname_holds_one_point_and_belongs_to_its_session():
    board = Board()
    board.put(student("Ada", 0.5, 0.9), "one")
    board.put(student("Ada", 0.4, 0.9), "one")
    assert [point.left for point in board.points()] == [0.4]
    with pytest.raises(BoardError, match="is taken"):
        board.put(student("ADA", 0.1, 0.9), "two")
    board.put(student("Grace", 0.3, 0.9), "one")
    assert [point.nickname for point in board.points()] == ["Grace"]


def test_the_board_is_bounded():
    board = Board()
    for number in range(MOST_POINTS):
        board.put(student(f"s{number}", 0.5, 0.9), str(number))
    with pytest.raises(BoardError, match="full"):
        board.put(student("late", 0.5, 0.9), "late")
    board.put(student("s0", 0.2, 0.9), "0")
    assert len(board.points()) == MOST_POINTS


def test_the_front_holds_what_nobody_beats():
    made = {"a": (0.2, 0.7), "b": (0.3, 0.6), "c": (0.5, 0.9), "d": (0.5, 0.8), "e": (0.9, 0.9)}
    points = [student(name, *place) for name, place in made.items()]
    assert [point.nickname for point in front(points)] == ["a", "c"]


@pytest.mark.parametrize("name", ["", "   ", "\u200b\n", "x" * 25])
def test_nicknames_are_short_and_visible(name):
    with pytest.raises(BoardError):
        clean_name(name)


def test_foreign_names_do_no_harm():
    nasty = "<img src=x> %{x}"
    assert "<img" not in class_front([student(nasty, 0.5, 0.9)]).data[1].text[0]
    assert as_csv([student("=1+1", 0.5, 0.9)]).splitlines()[1].startswith("'=1+1,")


def test_codes_are_checked_and_differ():
    one, other = Classroom(), Classroom()
    assert one.admits(one.code) and not one.admits(other.code) and not one.admits("") and not one.admits("ä")
    assert one.trusts(one.token) and not one.trusts(one.code)


def test_a_class_goes_on_with_its_links_and_points_after_a_restart(tmp_path):
    path = tmp_path / "class.json"
    before = class_file.opened(path)
    for left in (0.5, 0.4):
        before.board.put(replace(student("Ada", left, 0.9), recipe=Recipe().to_url()), "one")
    class_file.save(before, path)
    after = class_file.opened(path)
    assert (after.code, after.token) == (before.code, before.token)
    assert after.board.points() == before.board.points() and after.board.tries() == before.board.tries()
    assert [point.left for point in after.board.tries()["Ada"]] == [0.5, 0.4]
    assert path.stat().st_mode & 0o077 == 0  # the token is the teacher's
    after.board.put(after.board.points()[0], "another session")  # the old one ended with the program
    with pytest.raises(BoardError, match="is taken"):
        after.board.put(after.board.points()[0], "a third one")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 1, "code": "short", "token": "", "points": []}']
)
def test_a_file_that_is_of_no_class_is_refused_and_stays(text, tmp_path):
    path = tmp_path / "class.json"
    path.write_text(text)
    with pytest.raises(ExplorerError, match="no file of a class"):
        class_file.opened(path)
    assert path.read_text() == text


def test_thirty_recipes_are_on_one_curve():
    points = [student(f"s{number}", (number + 1) / 31, 0.5 + number / 100) for number in range(30)]
    drawn = class_front(points)
    assert {name for trace in drawn.data for name in trace.text or ()} >= {point.nickname for point in points}


def test_a_teacher_sees_who_is_where_until_they_are_long_gone():
    now = [0.0]
    room = Attendance(clock=lambda: now[0])
    room.note("one", "Prune")
    now[0] = 100.0
    room.note("two", "Learn: lesson 2, Predict")
    assert [(seat.owner, seat.seconds) for seat in room.seats()] == [("two", 0.0), ("one", 100.0)]
    now[0] = 1 + AWAY_S
    assert [seat.owner for seat in room.seats()] == ["two"]
    for number in range(MOST_SEATS):
        room.note(f"s{number}", "Prune")
    assert len(room.seats()) == MOST_SEATS and "two" not in {seat.owner for seat in room.seats()}


def test_only_finished_measurements_go_on_the_board():
    from explorer.engine.conditions import Conditions
    from explorer.engine.measure import prune, stream

    subject, graph = opened("digits-mlp")
    recipe = Recipe(weights={"hidden1": 0.5})
    done = prune(Analysed(subject, graph), recipe, Conditions(latency=False))
    point = point_of(" Ada ", done)
    assert (point.nickname, point.samples, point.left) == (
        "Ada",
        450,
        done.pruned.nonzero_params / done.baseline.params,
    )
    with pytest.raises(BoardError, match="still being measured"):
        point_of("Ada", next(values_of(stream(Analysed(subject, graph), recipe))))


@pytest.mark.parametrize("digits", ["9" * 6000, "0x" + "f" * 6000])
def test_a_number_of_thousands_of_digits_is_one_sentence(digits, tmp_path):
    file = tmp_path / "long.toml"
    file.write_text(f"number = {digits}")
    with pytest.raises(LessonError, match=r"Lesson .long\.toml. is not valid TOML"):
        read(file)
    file.write_text("number = 0xff")
    with pytest.raises(LessonError, match="lacks 'experiment'"):
        read(file)
