"""Start the page. Everything that it needs is imported only after the arguments have been parsed."""

import argparse
import re
import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments.cluster import add_cluster, shared_studies
from .arguments.data import add_data
from .arguments.task import add_task

if TYPE_CHECKING:  # it imports torch, for which a server does not wait
    from ..values.subject import Subject

FIRST_PORT, TRIED = 8501, 20
SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(kB|MB|GB)", re.IGNORECASE | re.ASCII)
UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9}
MOST_BYTES = 10**12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="models in the page's list (default: all trained samples)"
    )
    add_data(parser, several=True)
    add_task(parser)
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="weights (.safetensors) for the one MODEL that is named"
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help=f"default: the first free one from {FIRST_PORT}"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="default: 127.0.0.1, this machine only"
    )
    add_proxy(parser)
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto, cpu, cuda or mps (default: auto)"
    )
    add_cluster(parser)
    parser.add_argument(
        "--auth",
        metavar="FILE",
        help="visitors sign in with the provider of this secrets.toml, and runs are kept for each person",
    )
    add_lessons(parser)
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    parser.add_argument(
        "--job-log", action="store_true", help="print a line for each background job that has ended"
    )


def add_proxy(parser: argparse.ArgumentParser) -> None:
    """How browsers reach the page where something is before it."""
    parser.add_argument(
        "--trusted-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name by which browsers reach the page, such as that of a proxy; can be repeated",
    )

    parser.add_argument(
        "--base-path",
        default="",
        metavar="PATH",
        help="what all addresses of the page begin with, such as lab/pruning, if a proxy passes that on",
    )
    parser.add_argument(
        "--quota",
        type=quota_bytes,
        metavar="SIZE",
        help="what the uploads of one visitor, and with --auth the kept runs of a person, may take, such as "
        "200MB (default: 2GB of uploads for all together)",
    )


def quota_bytes(text: str) -> int:
    """Return the bytes of a size such as "200MB".

    >>> quota_bytes("200MB"), quota_bytes("1.5 GB")
    (200000000, 1500000000)

    Raises:
        argparse.ArgumentTypeError: it is none, or nothing could be uploaded.
    """
    form = SIZE.fullmatch(text)
    size = int(float(form[1]) * UNITS[form[2].lower()]) if form else 0
    if not 0 < size <= MOST_BYTES:
        raise argparse.ArgumentTypeError(
            f"a size is a number with kB, MB or GB, such as 200MB, got {text[:40]!r}"
        )
    return size


def add_lessons(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lessons", metavar="FOLDER", help="your own lessons (.toml), in addition to those on the Learn page"
    )


def own_lessons(given: str | None) -> Path | None:
    """Return the folder of the user's own lessons after reading them.

    Raises:
        ExplorerError: the folder does not exist, or a lesson is not valid.
    """
    if given is None:
        return None
    from ..lessons.lesson_files import course

    folder = Path(given)
    course(folder)
    return folder


def run(arguments: argparse.Namespace) -> None:
    """Serve until interrupted.

    Raises:
        ExplorerError: an unknown model or device, a lesson or a file for sign-in that is not valid, or a port
            that is taken.
    """
    from ..ui.server import serve
    from ..ui.shared.settings import Settings
    from ..ui.shared.sign_in import read_sign_in

    _check(arguments)
    sign_in = read_sign_in(arguments.auth) if arguments.auth else None
    lessons, port = own_lessons(arguments.lessons), free_port(arguments.host, arguments.port)
    if arguments.job_log:
        from ..background import job_log

        job_log.show()
    with shared_studies(arguments) as cluster:
        serve(
            Settings(
                tuple(arguments.models),
                arguments.device,
                partial(_loaded, arguments),
                own_lessons=lessons,
                cluster=cluster,
                quota=arguments.quota,
                sign_in=sign_in,
            ),
            host=arguments.host,
            port=port,
            open_browser=not arguments.no_browser,
            trusted_hosts=arguments.trusted_host,
            base_path=arguments.base_path,
        )


def _check(arguments: argparse.Namespace) -> None:
    """Refuse models and a device that cannot be; what is sure to be there is not looked up, since that
    imports torch, for which the page would have to wait.

    Raises:
        ExplorerError: an unknown model or device.
    """
    from ..machine import paths

    shipped = {path.stem for path in (paths.sample_models() / "weights").glob("*.safetensors")}
    if arguments.checkpoint or arguments.device not in ("auto", "cpu") or set(arguments.models) - shipped:
        from .arguments.model import check_names, set_up

        check_names(arguments.models, arguments.checkpoint)
        set_up(arguments.device)


def _loaded(arguments: argparse.Namespace, model: str) -> "Subject":
    from .arguments.model import loaded

    return loaded(model, arguments)


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str, wanted: int | None) -> int:
    """Return the wanted port if it is free, or the first free port if none is wanted.

    Raises:
        ExplorerError: the host is another machine, or the wanted port (or every port tried) is taken or not
            allowed.
    """
    from ..errors import ExplorerError

    if wanted is not None and not 1 <= wanted <= 65535:
        raise ExplorerError(f"A port must be from 1 to 65535, got {wanted}.")
    if not _is_free(host, 0):  # the system would find a port there
        use = "127.0.0.1 (for this machine only) or 0.0.0.0 (for its network, too)"
        raise ExplorerError(f"{host!r} is not an address of this machine; use {use}.")
    for port in range(FIRST_PORT, FIRST_PORT + TRIED) if wanted is None else [wanted]:
        if _is_free(host, port):
            return port
    taken = f"{FIRST_PORT} to {FIRST_PORT + TRIED - 1} are" if wanted is None else f"{wanted} is"
    raise ExplorerError(
        f"Port {taken} not free on {host!r}; choose another one with --port, or end the program that uses it."
    )
