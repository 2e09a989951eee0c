"""A scheduler and a worker as processes of their own, which talk over TLS; each refusal is one sentence."""

import socket
import ssl
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest
import serving
import torch

import explorer
from explorer.cluster.address import ClusterAddress
from explorer.cluster.connection import Cluster
from explorer.cluster.result_store import ResultStore
from explorer.cluster.studies import HERE, ClusterStudies
from explorer.cluster.subject_source import SubjectSource
from explorer.engine.conditions import Conditions
from explorer.errors import ExplorerError
from explorer.machine import paths
from explorer.machine.cache import free
from explorer.studies.sensitivity.values import ScanPlan
from explorer.values.progress import outcome

pytest.importorskip("distributed")
certificates = pytest.importorskip("certificates")  # needs cryptography


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Name -> the options of a client: those of the scheduler's authority, and others."""
    ours, theirs = (
        certificates.Authority(tmp_path_factory.mktemp(name), name) for name in ("ours", "theirs")
    )
    own, other, old = ours.pair("client"), theirs.pair("client"), ours.pair("old", days=-1)

    def options(ca, pair):
        return {"ca": ca, "certificate": pair[0], "key": pair[1]}

    return {
        "right": options(ours.ca, own),
        "signed by another": options(ours.ca, other),
        "expired": options(ours.ca, old),
        "of another authority": options(theirs.ca, own),
        "missing": options(ours.ca + ".gone", own),
        "no PEM": options(__file__, own),
        "key of another": options(ours.ca, (own[0], other[1])),
        "none": {},
        "of the scheduler": options(ours.ca, ours.pair("scheduler")),
    }


@pytest.fixture(scope="module")
def address(files, tmp_path_factory):
    """The address of a scheduler with one worker, each a process."""
    place, own = tmp_path_factory.mktemp("machines"), files["of the scheduler"]
    address = f"tls://127.0.0.1:{serving.free_port()}"
    tls = ["--tls-ca-file", own["ca"], "--tls-cert", own["certificate"], "--tls-key", own["key"]]
    words = {
        "dask_scheduler": ["--host", address],
        "dask_worker": [address, "--nthreads", "1", "--no-nanny"],
    }
    environment = {**serving.environment(), paths.CACHE_VARIABLE: str(place)}
    with ExitStack() as stack:
        log = stack.enter_context((place / "log.txt").open("w"))
        for module, more in words.items():
            command = [sys.executable, "-m", f"distributed.cli.{module}", *more, "--no-dashboard", *tls]
            process = subprocess.Popen(command, cwd=place, env=environment, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
        _answers(address, own)
        yield address


def _answers(address: str, own: dict[str, str]) -> None:
    """Wait until a scheduler has begun, as long as the test may take."""
    context = ssl.create_default_context(cafile=own["ca"])
    context.load_cert_chain(own["certificate"], own["key"])
    host, port = address.removeprefix("tls://").split(":")
    pause = threading.Event()
    while not pause.wait(0.1):
        try:
            with socket.create_connection((host, int(port))) as plain:
                context.wrap_socket(plain, server_hostname=host).close()
                return
        except OSError:
            continue


def test_a_scan_over_tls_has_the_bits_of_one_machine(address, files, monkeypatch, tmp_path):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path / "here"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the worker
    try:
        model, plan = explorer.analyse(explorer.load("digits-mlp")), ScanPlan("weight", (0.3, 0.9))
        with Cluster(ClusterAddress.of(address, **files["right"]), ResultStore(tmp_path)) as cluster:
            there = ClusterStudies(cluster, lambda subject: SubjectSource(subject.name).of(subject))
            counted = outcome(there.scan(model, plan, Conditions()))
        monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path / "alone"))
        free()
        assert counted == outcome(HERE.scan(model, plan, Conditions()))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("signed by another", "do not accept each other's certificates"),
        ("expired", "do not accept each other's certificates"),
        ("of another authority", "do not accept each other's certificates"),
        ("missing", r"There is no file .*gone'; give the certificates"),
        ("no PEM", "cannot be read .* PEM form"),
        ("key of another", "the key must be that of the certificate"),
        ("none", "needs certificates; give them with --cluster-ca"),
    ],
)
def test_a_wrong_certificate_is_one_sentence(name, sentence, address, files):
    with pytest.raises(ExplorerError, match=sentence):
        Cluster(ClusterAddress.of(address, **files[name]))


def test_each_side_says_that_the_other_one_talks_otherwise(address, files):
    with pytest.raises(ExplorerError, match=r"use tls:// if it has certificates"):
        Cluster(ClusterAddress.of(address.replace("tls://", "tcp://")))
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            with plain.accept()[0] as asking:
                asking.recv(1)
                asking.sendall(b"no TLS here, but more than a header\n")

        threading.Thread(target=answer, daemon=True).start()
        port = plain.getsockname()[1]
        with pytest.raises(ExplorerError, match=r"does not use TLS .*start it with certificates"):
            Cluster(ClusterAddress.of(f"tls://127.0.0.1:{port}", **files["right"]))
