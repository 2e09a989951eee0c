"""The page behind nginx with TLS, a name of its own and a base path.

Needs nginx and openssl:  PYTHONPATH=tests python tests/ui/real_proxy.py --nginx /usr/sbin/nginx
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import serving
from playwright.sync_api import sync_playwright
from signs import Signs

NAME, BASE = "lab.example", "lab/pruning"
PATIENCE = 240_000  # ms
SETTINGS = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.txt warn;
events {{ }}
http {{
  access_log {folder}/access.txt;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port} ssl;
    server_name {name};
    ssl_certificate {folder}/own.pem; ssl_certificate_key {folder}/own.key;
    location /{base}/ {{
      proxy_pass http://127.0.0.1:{behind};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }}
  }}
}}
"""


@contextmanager
def nginx(program: str, folder: Path, behind: int) -> Iterator[int]:
    """Run nginx before a server until the end of the block; the value is its port."""
    words = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={NAME} -keyout own.key -out own.pem".split()
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    port, settings = serving.free_port(), folder / "nginx.conf"
    settings.write_text(SETTINGS.format(folder=folder, port=port, behind=behind, name=NAME, base=BASE))
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(settings)])
    try:
        yield port
    finally:
        process.terminate()
        process.wait(20)


def visit(port: int, log: Path) -> None:
    """Open the page, move a fader, open a deep link; what goes wrong raises."""
    found = shutil.which("chromium")
    with sync_playwright() as play:
        rules = ["--no-sandbox", f"--host-resolver-rules=MAP {NAME} 127.0.0.1"]
        browser = play.chromium.launch(executable_path=found, args=rules)
        context = browser.new_context(ignore_https_errors=True, viewport={"width": 1400, "height": 900})
        context.set_default_timeout(PATIENCE)
        signs = Signs(f"https://{NAME}:{port}", log)
        signs.watch(context)
        page = context.new_page()
        page.goto(f"https://{NAME}:{port}/{BASE}/?model=digits-mlp")
        final = page.get_by_text("Final: measured on the model").first
        final.wait_for()
        page.locator(".strip [role=slider]").first.focus()
        page.keyboard.press("PageUp")
        page.wait_for_url("**recipe=**")
        final.wait_for()
        print("a move and its last number: there")
        query = page.url.partition("?")[2]
        page = context.new_page()  # the deep link, as somebody else opens it
        page.goto(f"https://{NAME}:{port}/{BASE}/structure?{query}")
        page.wait_for_selector("input[aria-label=Model]", state="attached")
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        page.get_by_role("link", name="Prune").first.click()
        final = page.get_by_text("Final: measured on the model").first
        final.wait_for()
        assert "recipe=" in page.url, page.url
        print("a deep link and its recipe: there")
        browser.close()
        signs.check()


def main(program: str, folder: Path) -> None:
    port = serving.free_port()
    words = ["--base-path", BASE, "--trusted-host", NAME, "--no-browser"]
    command = [sys.executable, "-m", "explorer", "digits-mlp", "--port", str(port), *words]
    health = f"/{BASE}/_stcore/health"
    with serving.started(folder, command, port, folder / "outward.txt", health=health) as server:
        with nginx(program, folder, server.port) as before:
            visit(before, server.log)
        assert "Traceback" not in server.log.read_text(), server.log.read_text()[-2000:]
    refused = [
        line for line in (folder / "access.txt").read_text().splitlines() if '" 4' in line or '" 5' in line
    ]
    assert not refused, refused[:5]
    print("nothing was refused, and no error logged")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nginx", default=shutil.which("nginx") or "/usr/sbin/nginx")
    with tempfile.TemporaryDirectory() as made:
        main(parser.parse_args().nginx, Path(made))
