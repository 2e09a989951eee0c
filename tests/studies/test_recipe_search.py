"""The search: every trial is a measured run, it goes on where it was stopped, and its winner is measured
again.
"""

import json
import resource
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import serving
import torch

from explorer.commands.main import main
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.figures.search_front import search_front
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.measuring.statistics import paired_drop
from explorer.planning.allocate import allocate
from explorer.planning.allocation import Allocation
from explorer.runs.store import Store
from explorer.studies.recipe_search import WITH_SCAN, WITHOUT_SCAN, search
from explorer.studies.search_journal import TAG, measured_of
from explorer.studies.search_trials import Search, SearchPlan, Trial
from explorer.studies.search_winner import check_winner
from explorer.studies.sensitivity.scan import scan
from explorer.studies.sensitivity.scan_run import ScanRun
from explorer.studies.sensitivity.values import ScanPlan
from explorer.values.choice import Choice
from explorer.values.progress import outcome, reached, values_of
from explorer.values.recipe import Recipe
from explorer.values.report import Drop, Measurement
from explorer.values.subject import Task

FEW = Conditions(samples=150, latency=False)
DROP = paired_drop(0, 0, 100)


@pytest.fixture(scope="module")
def mlp():
    subject = load("digits-mlp")
    return subject, graph_of(subject)


def trial(number, correct, cost, drop=DROP):
    measured = Measurement(correct / 100, samples=100, correct=correct)
    return Trial(number, Recipe(), "optimiser", cost, measured, 100, drop, "0" * 24)


def test_the_front_and_the_winner_by_hand():
    bad = paired_drop(20, 0, 100)
    trials = (
        trial(0, 90, 0.5),
        trial(1, 95, 0.8),
        trial(2, 89, 0.6),
        trial(3, 70, 0.2, bad),
        trial(4, 90, 0.5),
    )
    search_done = Search(SearchPlan(5), trials)
    assert [t.number for t in search_done.front] == [
        3,
        0,
        4,
        1,
    ]  # equals do not beat each other; trial 2 is beaten by trial 0
    assert search_done.winner.number == 0
    assert Search(SearchPlan(5), (trial(0, 70, 0.2, bad),)).winner is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "trials must be"),
        ({"cost": "time"}, "params or macs"),
        ({"largest_drop": 1.0}, "largest drop"),
        ({"cost": "macs", "granularity": "weight"}, "do not lower MACs"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(options, words):
    with pytest.raises(ExplorerError, match=words):
        SearchPlan(**options)


def searched(mlp, folder, trials, stop_after=None):
    steps = []
    running = search(
        Analysed(*mlp),
        Recipe(),
        SearchPlan(trials, largest_drop=0.3),
        FEW,
        folder=folder / "s",
        store=Store(folder),
    )
    for step in running:
        steps.append(step)
        now = step.progress
        within = now is not None and now.done == stop_after and steps[-2].value is not None
        if within:
            break
    running.close()
    return steps, outcome(iter(steps))


def test_trials_are_runs_a_stopped_search_goes_on_and_the_winner_is_measured_again(mlp, tmp_path):
    pytest.importorskip("optuna", reason="the optional package optuna is not installed")
    _, begun = searched(mlp, tmp_path, 6, stop_after=3)  # stopped within the fourth trial
    assert len(begun.trials) == 3 and begun.trials[0].origin == "uniform at 50 %"
    steps, result = searched(mlp, tmp_path, 6)
    assert (
        steps[0] == reached(0, 6, "Preparing")
        and result.trials[:3] == begun.trials
        and len(result.trials) == 6
    )
    assert any(t.origin == "optimiser" for t in result.trials)
    runs = {run.name: run for run in Store(tmp_path).runs()}
    for t in result.trials:
        assert runs[t.run].report.pruned.correct == t.measured.correct and runs[t.run].tags == (TAG,)
        measured = prune(Analysed(*mlp), t.recipe, FEW)
        assert measured.pruned.correct == t.measured.correct
        assert t.cost == measured.pruned.nonzero_params / measured.baseline.nonzero_params

    winner = result.winner
    assert winner is not None
    checked = outcome(check_winner(Analysed(*mlp), result, FEW, store=Store(tmp_path)))
    assert checked.split == "held_out" and checked.recipe == winner.recipe
    assert Store(tmp_path).held_out_openings(mlp[0].id) == 1 and any(
        "opened 1 time" in text for text in checked.notes
    )


def test_what_an_earlier_version_wrote_of_a_trial_is_read():
    about = {"correct": 90, "samples": 100}
    assert measured_of(about).value == 0.9 and measured_of(about).correct == 90
    assert measured_of({"measured": Measurement(0.5, samples=4).to_json()}) == Measurement(0.5, samples=4)


# --------------------------------------------------------------------------- other metrics


def error(number, value, cost):
    drop = Drop(1.0 - value, 1.0 - value, 1.0 - value, "different", 0.95, "mae", "m", "lower")
    measured = Measurement(metric="mae", value=value, unit="m", samples=100)
    return Trial(number, Recipe(), "optimiser", cost, measured, 100, drop, "0" * 24)


def test_a_lower_error_wins_where_lower_is_better():
    trials = (error(0, 1.04, 0.5), error(1, 1.00, 0.8), error(2, 1.30, 0.6), error(3, 2.0, 0.2))
    done = Search(SearchPlan(4, largest_drop=0.05), trials)
    assert [t.number for t in done.front] == [3, 0, 1] and done.winner.number == 0
    assert done.limit == "mean absolute error rises by at most 5 % of the dense model's"
    as_if_higher = [replace(t, drop=replace(t.drop, better="higher")) for t in trials]
    assert [t.number for t in Search(done.plan, tuple(as_if_higher)).front] == [3]  # the worst of all
    drawn = search_front(done)
    assert drawn.layout.yaxis.title.text == "Mean absolute error (m)"
    assert [shape.y0 for shape in drawn.layout.shapes] == pytest.approx([1.0, 1.05])


def test_a_search_minimises_the_error_of_a_regressor(mlp, tmp_path):
    pytest.importorskip("optuna", reason="the optional package optuna is not installed")
    subject = mlp[0]
    inputs = subject.task.normalisation(subject.task.split("tuning").inputs)[:100]
    with torch.inference_mode():
        targets = subject.model(inputs) + 1
    task = Task("angles", data={"tuning": (inputs, targets)}, metric="mae")
    model = Analysed(replace(subject, id="angles-mlp", task=task), mlp[1])
    plan, conditions = SearchPlan(5, largest_drop=0.5), Conditions(latency=False)
    done = outcome(search(model, Recipe(), plan, conditions, folder=tmp_path, store=Store(tmp_path)))
    assert len(done.trials) == 5 and {t.measured.metric for t in done.trials} == {"mae"}
    for t in done.trials:
        assert t.dense == pytest.approx(1.0, abs=1e-5)
        assert t.to_json()["value"] == t.value and "correct" not in t.to_json()
    cheapest, dearest = done.front[0], done.front[-1]
    assert cheapest.cost <= dearest.cost and dearest.value == min(t.value for t in done.trials)


# --------------------------------------------------------------------------- several processes

OTHER = """
import sys
from pathlib import Path
from explorer.engine.conditions import Conditions
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.runs.store import Store
from explorer.studies.recipe_search import SearchPlan, search
from explorer.values.recipe import Recipe
from explorer.values.report import Drop, Measurement
folder = Path(sys.argv[1])
plan, few = SearchPlan(int(sys.argv[2])), Conditions(samples=150, latency=False)
found = None
model, store = analyse(load("digits-mlp")), Store(folder)
for step in search(model, Recipe(), plan, few, folder=folder / "j", store=store):
    found = step.value or found
    print(len(found.trials) if found else "", "measuring" if step.progress else "", flush=True)
"""


def another(folder, trials):
    """A search with the same plan in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", OTHER, str(folder), str(trials)],
        stdout=subprocess.PIPE,
        text=True,
        env=serving.environment(),
    )


def states(folder):
    """State and ratios of every trial in the journal."""
    optuna = pytest.importorskip("optuna")
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(next((folder / "j").glob("*.log"))))
    )
    (study,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=study, storage=storage).get_trials()
    return [(trial.state.name, tuple(sorted(trial.params.items()))) for trial in trials]


def test_a_trial_of_a_killed_process_is_given_again(mlp, tmp_path):
    pytest.importorskip("optuna", reason="the optional package optuna is not installed")
    process = another(tmp_path, 5)
    assert process.stdout is not None
    for line in process.stdout:
        if line.split() == ["1", "measuring"]:  # within the second trial
            process.kill()
    process.wait()
    left = [ratios for state, ratios in states(tmp_path) if state == "RUNNING"]
    assert len(left) == 1  # the negative control: nobody has said that it failed
    found = outcome(
        search(Analysed(*mlp), Recipe(), SearchPlan(5), FEW, folder=tmp_path / "j", store=Store(tmp_path))
    )
    after = states(tmp_path)
    assert len(found.trials) == 5 and not [state for state, _ in after if state == "RUNNING"]
    assert ("FAIL", left[0]) in after and ("COMPLETE", left[0]) in after
    assert not list(tmp_path.glob("j/*.taken/[0-9]*"))


def test_two_searches_at_once_share_the_trials(mlp, tmp_path):
    pytest.importorskip("optuna", reason="the optional package optuna is not installed")
    how = {"folder": tmp_path / "j", "store": Store(tmp_path)}
    first = search(Analysed(*mlp), Recipe(), SearchPlan(6), FEW, **how)
    for step in first:
        if step.value is not None and len(step.value.trials) == 1:
            break
    next(first)  # within the second trial
    second = search(Analysed(*mlp), Recipe(), SearchPlan(6), FEW, **how)
    for step in second:  # it ends only once the first one's trial is there
        if step.progress and step.progress.label == "Waiting for other processes":
            break
    assert sorted(state for state, _ in states(tmp_path)) == [*["COMPLETE"] * 5, "RUNNING"]
    one, two = outcome(first), outcome(second)
    assert one.trials == two.trials and len(one.trials) == 6
    assert len({ratios for _, ratios in states(tmp_path)}) == 6


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    return tmp_path


def test_a_known_scan_seeds_the_search_with_the_sensitivity_budget(mlp, cache):
    pytest.importorskip("optuna", reason="the optional package optuna is not installed")
    known = outcome(scan(Analysed(*mlp), ScanPlan("channel"), FEW))
    _, result = searched(mlp, cache, 8)
    assert result.notes == (WITH_SCAN.format(parts="channels"),)
    first = result.trials[0]
    assert (
        first.origin == "sensitivity_budget at 50 %"
        and [t.origin.split()[0] for t in result.trials[:4]].count("uniform") == 1
    )
    wanted = allocate(
        Analysed(*mlp), Recipe(), Allocation(Choice("sensitivity_budget"), 0.5, losses=known.losses())
    )
    assert first.recipe.channels == wanted.channels
    steps, again = searched(mlp, cache, 8)
    assert again.trials == result.trials and len(steps) == 2  # nothing is measured a second time


@pytest.mark.parametrize("begun", [False, True], ids=["none", "stopped"])
def test_without_a_finished_scan_none_is_run_and_the_search_says_so(mlp, cache, begun, monkeypatch):
    pytest.importorskip("optuna", reason="the optional package optuna is not installed")
    if begun:
        running = scan(Analysed(*mlp), ScanPlan("channel"), FEW)
        next(scanned for scanned in values_of(running) if scanned.points)
        running.close()
    monkeypatch.setattr(ScanRun, "steps", lambda run: pytest.fail("a scan was run"))
    _, found = searched(mlp, cache, 4)
    assert found.notes == (WITHOUT_SCAN.format(parts="channels"),)
    assert not any("sensitivity_budget" in trial.origin for trial in found.trials)


def test_without_a_winner_held_out_data_stays_closed(mlp, tmp_path):
    with pytest.raises(ExplorerError, match="no winner"):
        next(check_winner(Analysed(*mlp), Search(SearchPlan(1), ()), store=Store(tmp_path)))
    assert Store(tmp_path).held_out_openings(mlp[0].id) == 0


def test_a_missing_package_is_said(mlp, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ExplorerError, match=r"pruning-explorer\[search\]"):
        next(search(Analysed(*mlp), Recipe(), SearchPlan(1), FEW, folder=tmp_path, store=Store(tmp_path)))


def test_the_command_shows_both_numbers_of_the_winner(tmp_path, monkeypatch, capsys):
    pytest.importorskip("optuna", reason="the optional package optuna is not installed")
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path))
    words = [
        "search",
        "digits-mlp",
        "--trials",
        "3",
        "--largest-drop",
        "0.5",
        "--samples",
        "200",
        "--device",
        "cpu",
    ]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert (
        "by which it was chosen" in out
        and "on held-out data, measured once" in out
        and "opened 1 time" in out
    )
    assert main([*words, "--json", "--no-held-out"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (
        len(answer["trials"]) == 3
        and answer["winner"]["number"] in answer["front"]
        and answer["held_out"] is None
    )


def test_a_search_that_cannot_be_kept_is_one_sentence(mlp, tmp_path):
    (tmp_path / "file").write_text("no folder can be made in it")
    with pytest.raises(
        ExplorerError, match=r"keeps what it tries in '.*', which cannot be written \(.*\); make"
    ):
        list(search(Analysed(*mlp), Recipe(), SearchPlan(2), FEW, folder=tmp_path / "file" / "searches"))


def test_a_disk_that_is_full_within_a_search_is_one_sentence(mlp, tmp_path):
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    steps = search(Analysed(*mlp), Recipe(), SearchPlan(3), FEW, folder=tmp_path, store=Store(tmp_path))
    next(values_of(steps))
    largest = max(file.stat().st_size for file in tmp_path.iterdir() if file.is_file())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 20, limits[1]))
    try:
        with pytest.raises(ExplorerError, match=r"cannot be written|could not be stored"):
            list(steps)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
