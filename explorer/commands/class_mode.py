"""Start the page for a class: an anonymous board that all browsers share, a join link, and a token for the
teacher.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .app import add_lessons, add_proxy, free_port, own_lessons
from .arguments.data import add_data, data_of
from .printing.output import note

if TYPE_CHECKING:  # this imports torch, and --help has to be quick
    from ..lessons.class_board import Classroom


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="what the class prunes, such as digits-cnn"
    )
    add_data(parser, several=True)
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="default: 127.0.0.1; your address, to let others in"
    )
    parser.add_argument("--port", type=int, metavar="N", help="default: the first free one from 8501")
    parser.add_argument(
        "--keep",
        metavar="FILE",
        help="keep board and links in this file, for the next start of the program (default: in memory only)",
    )
    add_proxy(parser)
    add_lessons(parser)
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto, cpu, cuda or mps (default: auto)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the links, then serve until interrupted.

    Raises:
        ExplorerError: an unknown model or device, a file that is of no class, or a port that is taken.
    """
    from ..lessons.class_board import Classroom
    from ..lessons.class_file import opened
    from ..loaders.model_text import load
    from ..ui.server import serve
    from ..ui.shared.settings import Settings
    from .arguments.model import check_names, set_up

    check_names(arguments.models, None)
    set_up(arguments.device)
    kept = Path(arguments.keep).expanduser() if arguments.keep else None
    room = opened(kept) if kept else Classroom()
    settings = Settings(
        tuple(arguments.models),
        arguments.device,
        lambda name: load(name, data=data_of(name, arguments)),
        classroom=room,
        class_file=kept,
        own_lessons=own_lessons(arguments.lessons),
        quota=arguments.quota,
    )
    port = free_port(arguments.host, arguments.port)
    for line in console_lines(room, arguments.host, port, arguments.base_path):
        note(line)
    serve(
        settings,
        host=arguments.host,
        port=port,
        open_browser=False,
        trusted_hosts=arguments.trusted_host,
        base_path=arguments.base_path,
    )


def console_lines(room: "Classroom", host: str, port: int, base_path: str = "") -> list[str]:
    """Return the text that the teacher reads on the console."""
    shown = f"[{host}]" if ":" in host else host
    address = "/".join(filter(None, [f"http://{shown}:{port}", base_path.strip("/"), "learn"]))
    reach = ["Only this machine can open it; start again with --host and your address to let the class in."]
    return [
        f"For the class:   {address}?join={room.code}",
        f"For you alone:   {address}?join={room.code}&teacher={room.token}",
        *(reach if host in ("127.0.0.1", "localhost", "::1") else []),
    ]
