"""A small proxy as stands before servers in the wild: it strips a prefix of the path, and passes on the rest.

Everything else it refuses, so a page that asks beside its prefix is seen.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PREFIX = "/tool"


class Proxy:
    """One that listens on 127.0.0.1.

    Args:
        port: of the server behind it.
        refused: a path with this in it is answered with 404, as by a proxy that lets only some pass.
        keeps: the prefix is passed on, for a server that knows it as its base path.
    """

    def __init__(self, port: int, *, refused: str = "", keeps: bool = False):
        self._behind, self._refused, self._keeps = port, refused, keeps
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.strays: list[str] = []  # paths that were asked for beside the prefix

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _pass_on(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                more = client.recv(65536)
                if not more:
                    return
                head += more
            line, _, rest = head.partition(b"\r\n")
            method, path, version = line.decode("latin-1").split(" ")
            inner = path if self._keeps else path.removeprefix(PREFIX)
            if not path.startswith(f"{PREFIX}/") or (self._refused and self._refused in path):
                if not path.startswith(f"{PREFIX}/"):
                    self.strays.append(path)
                client.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            if b"upgrade: websocket" not in rest.lower():  # one connection for each request
                rest = b"Connection: close\r\n" + rest
            with socket.create_connection(("127.0.0.1", self._behind)) as server:
                server.sendall(f"{method} {inner} {version}\r\n".encode("latin-1") + rest)
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def standing_before(port: int, **how: object) -> Iterator[Proxy]:
    """A proxy until the end of the block."""
    proxy = Proxy(port, **how)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
