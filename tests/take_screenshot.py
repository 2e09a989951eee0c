"""Takes the README's picture again: `python tests/take_screenshot.py`. Needs Chromium."""

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from explorer.commands.app import free_port
from explorer.values.recipe import Recipe

TARGET = Path(__file__).with_name("screenshot.png")
COMMAND = "import sys; from explorer.commands.main import main; sys.exit(main())"
RATIOS = {
    "layer1.0.conv1": 0.1,
    "layer1.1.conv1": 0.2,
    "layer2.0.conv1": 0.25,
    "layer2.1.conv1": 0.35,
    "layer2.2.conv1": 0.3,
    "layer3.0.conv1": 0.4,
    "layer3.1.conv1": 0.5,
    "layer3.2.conv1": 0.6,
}
PATIENCE = 300_000  # ms


def wait_for(address: str, seconds: float = 90) -> None:
    """Until the server answers.

    Raises:
        TimeoutError: it does not.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise TimeoutError(f"No server answered at {address} within {seconds} s.")


def take(browser: Browser, address: str) -> None:
    """Open a recipe by its link, wait for the final number and the curve, and take the picture."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, device_scale_factor=1)
    recipe = Recipe(channels=RATIOS, after="bn_recalibration")
    page.goto(f"{address}/?model=shapes-resnet&recipe={recipe.to_url()}")
    page.get_by_text("Final: measured").first.wait_for(timeout=PATIENCE)
    page.wait_for_timeout(20_000)  # the curve and the latency come after the first number
    page.screenshot(path=TARGET)


def main() -> None:
    port = free_port("127.0.0.1", None)
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "--no-browser", "--port", str(port), "--device", "cpu"]
    )
    try:
        wait_for(address)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            take(browser, address)
            browser.close()
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    main()
