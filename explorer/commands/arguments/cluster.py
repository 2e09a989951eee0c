"""--cluster and its files: from arguments to studies that run here or on workers."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..printing.output import note
from .data import data_of

if TYPE_CHECKING:  # these import torch, and --help has to be quick
    from ...cluster.address import ClusterAddress
    from ...cluster.studies import Studies
    from ...cluster.subject_source import SubjectSource
    from ...values.subject import Subject


VARIABLE = "PRUNING_EXPLORER_CLUSTER"  # what --cluster is where it is not given


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add --cluster and the files for tls."""
    add = parser.add_argument
    add(
        "--cluster",
        metavar="WHERE",
        default=os.environ.get(VARIABLE) or None,
        help="run it on local (a process for each core), local:N, or a Dask scheduler: tcp://HOST:PORT, "
        "tls://HOST:PORT",
    )
    for name, what in (
        ("ca", "the certificate that the scheduler's is signed with"),
        ("certificate", "your own certificate"),
        ("key", "the key of your own certificate"),
    ):
        add(
            f"--cluster-{name}",
            metavar="FILE",
            default="",
            help=f"for tls: {what} (default: as Dask's configuration says)",
        )


def address_of(arguments: argparse.Namespace) -> "ClusterAddress | None":
    """Return where the cluster is, after a warning if the connection is open; None if none is asked for.

    Raises:
        ExplorerError: it is no address.
    """
    from ...cluster.address import ClusterAddress
    from ...errors import ExplorerError

    files = {name: getattr(arguments, f"cluster_{name}") for name in ("ca", "certificate", "key")}
    if arguments.cluster is None:
        if any(files.values()):
            raise ExplorerError(
                "--cluster-ca, --cluster-certificate and --cluster-key need --cluster tls://."
            )
        return None
    ca, certificate, key = files.values()
    address = ClusterAddress.of(arguments.cluster, ca=ca, certificate=certificate, key=key)
    if address.warning:
        note(address.warning)
    return address


@contextmanager
def studies_of(arguments: argparse.Namespace, device_name: str = "") -> Iterator["Studies"]:
    """Yield the studies of this machine, or of the cluster that is asked for, whose processes end afterwards.

    Args:
        device_name: that latencies are asked about; "" = this machine's.
    Raises:
        ExplorerError: the cluster cannot be used.
    """
    from ...cluster.connection import Cluster
    from ...cluster.studies import HERE, ClusterStudies

    address = address_of(arguments)
    if address is None:
        yield HERE
        return
    source = _source(arguments, arguments.model)
    with Cluster(address) as cluster:
        yield ClusterStudies(cluster, source.of, device_name)


@contextmanager
def shared_studies(arguments: argparse.Namespace) -> Iterator["Studies | None"]:
    """Yield the studies of a page with any of its models on the cluster that is asked for, None if there is
    none; those of models that a browser uploads stay on this machine.

    Raises:
        ExplorerError: the cluster cannot be used.
    """
    address = address_of(arguments)
    if address is None:
        yield None
        return

    from ...cluster.connection import Cluster
    from ...cluster.studies import ClusterStudies
    from ...registry import SAMPLES

    def source_of(subject: "Subject") -> "SubjectSource | None":
        is_offered = subject.name in (arguments.models or SAMPLES)
        return _source(arguments, subject.name).of(subject) if is_offered else None

    with Cluster(address) as cluster:
        yield ClusterStudies(cluster, source_of)


def _source(arguments: argparse.Namespace, model: str) -> "SubjectSource":
    from ...cluster.subject_source import SubjectSource

    words = (arguments.checkpoint, data_of(model, arguments), arguments.task, arguments.metric)
    return SubjectSource(model, *words).anywhere
