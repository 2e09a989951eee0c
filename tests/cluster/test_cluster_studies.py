"""Studies on workers have the numbers of one machine, bit for bit; what is known is not computed again."""

import asyncio
import json
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

import explorer
from explorer.cluster import worker
from explorer.cluster.address import ClusterAddress
from explorer.cluster.connection import Cluster
from explorer.cluster.result_store import ResultStore
from explorer.cluster.studies import HERE, ClusterStudies
from explorer.cluster.subject_source import SubjectSource
from explorer.cluster.work_item import WorkItem
from explorer.engine.conditions import Conditions
from explorer.errors import ExplorerError
from explorer.machine import paths
from explorer.machine.cache import free
from explorer.measuring.latency import TimingPlan
from explorer.recovery.recovery_table import TablePlan
from explorer.studies.accuracy_curves import by_chance, scaled
from explorer.studies.search_trials import SearchPlan
from explorer.studies.sensitivity.values import ScanPlan
from explorer.values.progress import PAUSE, Step, outcome, values_of
from explorer.values.recipe import Recipe

SOME = Conditions(300, latency=False)
RECIPE = Recipe(channels={"hidden1": 0.5, "hidden2": 0.25})


@pytest.fixture(scope="module")
def digits():
    return explorer.analyse(explorer.load("digits-cnn"))


@pytest.fixture(scope="module")
def small():
    """For the laws that hold for any model, as cheaply as they can be had."""
    return explorer.analyse(explorer.load("digits-mlp"))


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """Two workers as threads of this process: they speak the same protocol, and start in a moment."""
    distributed = pytest.importorskip("distributed")
    root = tmp_path_factory.mktemp("results")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as local:
        with Cluster(ClusterAddress.of("local"), ResultStore(root), started=local) as cluster:
            yield cluster


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as each worker
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def there(workers):
    return ClusterStudies(workers, lambda subject: SubjectSource(subject.name).of(subject))


def in_one_process(study, monkeypatch, tmp_path):
    """The last value of a study of this machine, which has never seen the other one's files."""
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path / "alone"))
    free()
    return outcome(study)


@pytest.mark.parametrize(
    "name, plan",
    [("digits", ScanPlan("channel", (0.01, 0.8), None)), ("small", ScanPlan("weight", (0.3, 0.9)))],
)
def test_a_scan_has_the_bits_of_one_machine(name, plan, there, request, monkeypatch, tmp_path):
    model = request.getfixturevalue(name)
    counted = outcome(there.scan(model, plan, Conditions()))
    assert counted == in_one_process(HERE.scan(model, plan, Conditions()), monkeypatch, tmp_path)
    assert counted.finished and len(counted.points) > 5


def test_a_curve_has_the_numbers_of_one_machine(there, small, monkeypatch, tmp_path):
    families = [scaled(RECIPE, (0, 0.5, 1)), by_chance(scaled(RECIPE, (0, 0.5, 1)))]
    seen = list(values_of(there.curves(small, families, SOME)))
    alone = in_one_process(HERE.curves(small, families, SOME), monkeypatch, tmp_path)
    assert seen[-1] == alone and len(seen) > 2


def test_a_search_gives_each_trial_once_and_other_processes_measure_the_same(there, small):
    found = outcome(there.search(small, Recipe(), SearchPlan(4), SOME))
    assert [trial.number for trial in found.trials] == [0, 1, 2, 3]
    for trial in found.trials[:2]:
        alone = explorer.prune(small, trial.recipe, SOME)
        assert (alone.pruned.correct, alone.drop) == (trial.measured.correct, trial.drop)


def test_criteria_rate_alike_and_say_why_they_cannot(there, small, monkeypatch, tmp_path):
    names = ["l1", "random", "bn_scale", "taylor"]
    ratings = outcome(there.rate(small, Recipe(), names))
    alone = in_one_process(HERE.rate(small, Recipe(), names), monkeypatch, tmp_path)
    assert ratings.left_out == alone.left_out
    for name, groups in alone.scores.items():
        assert all(torch.equal(groups[group], ratings.scores[name][group]) for group in groups), name


def test_the_recovery_table_is_that_of_one_machine(there, small, monkeypatch, tmp_path):
    plan = TablePlan((0.7,), 2, (0,), (0.01,), ("weight",))
    rows = outcome(there.recovery_table(small, Recipe(), plan, SOME))
    alone = in_one_process(HERE.recovery_table(small, Recipe(), plan, SOME), monkeypatch, tmp_path)
    assert [replace(row, measured=()) for row in rows] == [replace(row, measured=()) for row in alone]
    assert [[one.correct for one in row.measured] for row in rows] == [
        [one.correct for one in row.measured] for row in alone
    ]


def test_a_latency_is_measured_only_where_the_device_is_the_one_asked_about(there, workers, small):
    found = outcome(there.staircase(small, "hidden1", (32,), TimingPlan(1, 6, 5.0)))
    assert [step.kept for step in found.steps] == [32, 64] and found.rounds >= 1
    elsewhere = ClusterStudies(workers, lambda subject: SubjectSource(subject.name).of(subject), "Abacus 9")
    with pytest.raises(ExplorerError, match="No worker has the device 'Abacus 9'"):
        outcome(elsewhere.staircase(small, "hidden1"))


def test_what_is_known_is_free_and_a_result_lost_is_measured_again(workers, there, small, monkeypatch):
    family = [scaled(RECIPE, (0.3, 0.6))]
    first = outcome(there.curves(small, family, SOME))
    monkeypatch.setattr(workers, "_submit", lambda answer: pytest.fail("asked again"))
    assert outcome(there.curves(small, family, SOME)) == first
    with pytest.raises(pytest.fail.Exception):
        outcome(there.curves(small, [scaled(RECIPE, (0.31,))], SOME))


def test_another_model_of_the_same_name_is_refused(workers, small):
    source = replace(SubjectSource("digits-mlp").of(small.subject), subject="0123456789abcdef")
    item = WorkItem("report", source, {"recipe": RECIPE.to_json(), "conditions": {"samples": 64}})
    with pytest.raises(ExplorerError, match="loads another model as 'digits-mlp'"):
        outcome(values_as_work(workers.result(workers.ask(item))))


def values_as_work(steps):
    yield Step((yield from steps))


def test_stopping_a_study_reaches_the_workers(workers, there, small, monkeypatch):
    begun, stopped = threading.Event(), threading.Event()

    def endless(model, asked):
        begun.set()
        try:
            while True:
                time.sleep(0.01)
                yield PAUSE
        finally:
            stopped.set()

    monkeypatch.setitem(worker.KINDS, "report", endless)
    steps = there.curves(small, [scaled(RECIPE, (0.77,))], SOME)
    while not begun.is_set():
        next(steps)
    assert not stopped.wait(0.1)
    steps.close()
    assert stopped.wait(60)


def test_a_scheduler_that_is_lost_at_the_beginning_is_waited_for(workers, monkeypatch, tmp_path):
    asked, machines = [], Cluster.machines

    def lost_once(cluster):
        asked.append(cluster)
        if len(asked) == 1:
            raise OSError("in <TCP (closed)>: Stream is closed")
        return machines(cluster)

    monkeypatch.setattr("explorer.cluster.connection.RETRY_S", 0.01)
    monkeypatch.setattr(Cluster, "machines", lost_once)
    with Cluster(workers.address, ResultStore(tmp_path), started=workers._place.started) as again:
        assert len(asked) == 2 and again.workers == 2
    asked.clear()
    monkeypatch.setattr("explorer.cluster.connection.AWAY_S", -1.0)
    with pytest.raises(ExplorerError, match="does not answer any more"):
        Cluster(workers.address, ResultStore(tmp_path), started=workers._place.started)


def test_a_worker_that_is_lost_while_it_is_asked_what_it_is_does_not_matter(workers, monkeypatch):
    answers = {"a": {"explorer": "1"}, "b": OSError("in <TCP (closed)>: Stream is closed")}
    monkeypatch.setattr(workers._client, "run", lambda *_, **__: answers)
    assert workers.machines() == {"a": {"explorer": "1"}}
    answers["b"] = ModuleNotFoundError("No module named 'explorer'")
    monkeypatch.setattr(workers, "close", lambda: None)
    with pytest.raises(ExplorerError, match="A worker cannot run this program"):
        workers.machines()


def test_no_model_travels(small):
    source = SubjectSource("digits-mlp").of(small.subject)
    item = WorkItem("report", source, {"recipe": RECIPE.to_json(), "conditions": {}})
    text = json.dumps(item.to_json())
    assert len(text) < 2_000 and WorkItem.from_json(json.loads(text)) == item
    assert replace(item, asked={**item.asked, "seed": 1}).address != item.address
    elsewhere = replace(item, source=replace(source, checkpoint="/elsewhere/weights.safetensors"))
    assert elsewhere.address == item.address  # hashes decide, and not where files are


# --------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "text", ["", "locally", "local:0", "local:x", "tcp://host", "http://h:1", "tcp://h:99999"]
)
def test_an_address_that_is_none_is_refused(text):
    with pytest.raises(ExplorerError):
        ClusterAddress.of(text)


@pytest.mark.parametrize(
    "text, is_open",
    [
        ("local", False),
        ("tcp://127.0.0.1:8786", False),
        ("tcp://[::1]:8786", False),
        ("tcp://localhost:8786", False),
        ("tcp://node7:8786", True),
        ("tcp://10.0.0.7:8786", True),
        ("tls://node7:8786", False),
    ],
)
def test_only_a_plain_connection_to_another_machine_is_warned_about(text, is_open):
    assert ClusterAddress.of(text).is_open is is_open


def test_certificates_are_for_tls():
    files = ClusterAddress.of("tls://node7:8786", ca="ca.pem", certificate="c.pem", key="k.pem")
    assert (files.ca, files.certificate, files.key) == ("ca.pem", "c.pem", "k.pem")
    with pytest.raises(ExplorerError, match="Certificates are for tls"):
        ClusterAddress.of("local", ca="ca.pem")


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ExplorerError, match=r"pip install 'pruning-explorer\[cluster\]'"):
        Cluster(ClusterAddress.of("local"))


@pytest.mark.parametrize("is_notebook", [False, True])
def test_nobody_at_the_address_is_one_sentence(is_notebook, monkeypatch):
    monkeypatch.setattr("explorer.cluster.connection.START_S", 3.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    def ask() -> None:
        Cluster(ClusterAddress.of(f"tcp://127.0.0.1:{port}"))

    async def cell() -> None:
        ask()

    with pytest.raises(ExplorerError, match="No scheduler answers"):
        if is_notebook:
            with ThreadPoolExecutor(1) as apart:  # this thread has a loop where a browser test was before
                apart.submit(asyncio.run, cell()).result()
        else:
            ask()
