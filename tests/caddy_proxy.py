"""Caddy before a server, with TLS of its own: as compose.yaml has it, or with a prefix that it strips."""

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError

import serving
import yaml

CADDY = shutil.which("caddy")
BASE = "pruning"  # as compose.yaml has it without further settings
PATIENCE_S = 30.0
SETTINGS = """
{{
  admin off
  skip_install_trust
  auto_https disable_redirects
  storage file_system {folder}/certificates
}}
"""
STRIPS = """
{site} {{
  handle_path /{base}/* {{
    reverse_proxy {behind}
  }}
}}
"""


def as_composed(port: int, behind: int) -> str:
    """The Caddyfile in compose.yaml with the defaults of its settings, for another port and server."""
    text = yaml.safe_load((serving.ROOT / "compose.yaml").read_text(encoding="utf-8"))
    given = text["configs"]["caddyfile"]["content"]
    filled = given.replace("${EXPLORER_HOST:-localhost}", f"localhost:{port}")
    return filled.replace("${EXPLORER_PATH:-pruning}", BASE).replace("explorer:8501", f"127.0.0.1:{behind}")


def stripping(port: int, behind: int) -> str:
    """A Caddyfile that strips the base path."""
    return STRIPS.format(site=f"localhost:{port}", base=BASE, behind=f"127.0.0.1:{behind}")


def refusing(text: str, path: str) -> str:
    """The same Caddyfile, where addresses that end so are answered with 404."""
    head, _, rest = text.strip().partition("{\n")
    return f"{head}{{\n  @refused path *{path}\n  route {{\n    respond @refused 404\n{rest}\n}}\n"


@contextmanager
def caddy(folder: Path, port: int, text: str) -> Iterator[str]:
    """Run it until the end of the block; the value is its address."""
    settings = folder / "Caddyfile"
    settings.write_text(SETTINGS.format(folder=folder) + text, encoding="utf-8")
    command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(settings)]
    with (folder / "caddy.txt").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=serving.environment())
        try:
            _wait(port, process, folder / "caddy.txt")
            yield f"https://localhost:{port}"
        finally:
            process.terminate()
            process.wait(20)


def _wait(port: int, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        try:  # plain HTTP to a port of TLS is refused with 400, but by Caddy
            urllib.request.urlopen(f"http://localhost:{port}/", timeout=5)
        except HTTPError:
            return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"Caddy did not start:\n{log.read_text(encoding='utf-8')}")
