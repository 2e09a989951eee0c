"""Opens the first page of a running server as a browser does: `python -m explorer.ui.first_page PORT`.

It ends once the server has sent the whole page, with every fader, so that the start can be timed.
"""

import sys
import time

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

WAIT_S, AGAIN_S = 90.0, 0.02
LARGEST = 64 * 2**20  # bytes of one message
PROTOCOL = Subprotocol("streamlit")


def open_page(port: int, seconds: float = WAIT_S) -> int:
    """Return how many elements the first page has, as soon as the server has sent them all.

    Raises:
        TimeoutError: it did not within this time.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            return _opened(port, until)
        except (OSError, WebSocketException):  # it does not listen yet
            time.sleep(AGAIN_S)
    raise TimeoutError(f"The first page was not there within {seconds:.0f} s.")


def _opened(port: int, until: float) -> int:
    address, origin = f"ws://127.0.0.1:{port}/_stcore/stream", Origin(f"http://127.0.0.1:{port}")
    with connect(address, origin=origin, subprotocols=[PROTOCOL], max_size=LARGEST) as way:
        ask = BackMsg()
        ask.rerun_script.query_string = ""
        way.send(ask.SerializeToString())
        elements = 0
        while True:
            sent = way.recv(timeout=max(0.01, until - time.monotonic()))
            message = ForwardMsg.FromString(sent if isinstance(sent, bytes) else sent.encode())
            elements += message.WhichOneof("type") == "delta"
            if message.WhichOneof("type") == "script_finished" and elements:
                return elements


if __name__ == "__main__":
    open_page(int(sys.argv[1]))
