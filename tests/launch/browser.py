"""A real TensorBoard and a real browser, for tests and benchmarks of the tab *Pareto*."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from launch_helpers import environment

PLUGIN = "isozyme_pareto"
PATIENCE = 60  # seconds; nothing here takes a fifth of it


def missing_plugin() -> str | None:
    """Why TensorBoard would not show the tab, or None."""
    if not any(entry.name == PLUGIN for entry in entry_points(group="tensorboard_plugins")):
        return "the installed isozyme has no tab: pip install -e ."
    return None


def missing() -> str | None:
    """Why no browser test can run here, or None."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"no {program}: apt-get install chromium chromium-driver"
    return missing_plugin()


def screenshots() -> Path:
    """Where pictures of the page are kept."""
    folder = Path(os.environ.get("ISOZYME_SCREENSHOTS") or Path(__file__).parents[2] / ".scratch" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def tensorboard(logdir: Path, log: Path) -> Iterator[str]:
    """`tensorboard --logdir` on a free port of the loopback, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("w") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir)]
            + ["--host", "127.0.0.1", "--port", str(port), "--load_fast", "false"],
            env=environment(PYTHONWARNINGS="ignore"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                fetch(f"{address}/data/plugins_listing")
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        yield address
    finally:
        child.kill()
        child.wait()


def fetch(address: str) -> bytes:
    """What a server answers."""
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
        return answer.read()


def ask(address: str, route: str, **query: Any) -> Any:
    """The JSON that a route of the plugin answers to a query, whose lists become repeated arguments."""
    words = urllib.parse.urlencode(query, doseq=True)
    return json.loads(fetch(f"{address}/data/plugin/{PLUGIN}/{route}?{words}"))


@contextmanager
def chromium(width: int = 1500, height: int = 1000) -> Iterator[Any]:
    """A headless Chromium that records the addresses it asks for."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", f"window-size={width},{height}"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(shutil.which("chromedriver"))))
    try:
        yield driver
    finally:
        driver.quit()


class Tab:
    """The tab *Pareto* of a TensorBoard, in a browser."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver, self.address = driver, address

    def open(self) -> None:
        """Opens TensorBoard at the tab, and enters its frame."""
        self.driver.get("about:blank")  # Else another fragment of the same page would be the same page.
        self.driver.get(f"{self.address}/#{PLUGIN}")
        self.wait(lambda: self.script("return document.querySelector('iframe') !== null"))
        self._enter()

    def reload(self) -> None:
        """Loads the frame anew, and leaves the page around it."""
        self.script("window.isOld = true; location.reload()")
        self.driver.switch_to.default_content()
        self.wait(lambda: self.script("return !document.querySelector('iframe').contentWindow.isOld"))
        self._enter()

    def _enter(self) -> None:
        self.driver.switch_to.default_content()
        self.driver.switch_to.frame(self.driver.find_element("css selector", "iframe"))
        self.wait(lambda: self.script("return Boolean(window.isozymePareto?.state().ready)"))
        self.settle()

    def state(self) -> dict[str, Any]:
        """What the tab says is drawn."""
        return self.script("return isozymePareto.state()")

    def script(self, text: str, *arguments: Any) -> Any:
        """The value of a script in the tab's frame."""
        return self.driver.execute_script(text, *arguments)

    def run(self, name: str) -> dict[str, Any]:
        """What is drawn of one run."""
        (found,) = [run for run in self.state()["runs"] if run["name"] == name]
        return found

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Returns the first true value of a condition."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, self.driver.get_log("browser")
            time.sleep(0.02)
        return found

    def find(self, selector: str) -> Any:
        """An element of the tab."""
        return self.driver.find_element("css selector", selector)

    def finds(self, selector: str) -> list[Any]:
        """All such elements of the tab."""
        return self.driver.find_elements("css selector", selector)

    def settle(self) -> None:
        """Waits until what was asked for is here and drawn."""
        self.driver.execute_async_script("isozymePareto.settled().then(arguments[0])")

    def click_trial(self, run: str, trial: int) -> None:
        """Moves the pointer to where a trial is drawn, and presses it."""
        from selenium.webdriver import ActionChains

        place = self.script("return isozymePareto.where(arguments[0], arguments[1])", run, trial)
        stage = self.find(".stage")
        box = self.script(
            "const b = arguments[0].getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]", stage
        )
        actions = ActionChains(self.driver)
        actions.move_to_element_with_offset(
            stage, round(place["x"] - box[0]), round(place["y"] - box[1])
        ).click().perform()

    def press(self, *keys: str) -> None:
        """Sends keys to whatever has the focus."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def picture(self, name: str) -> None:
        """Keeps a picture of the window."""
        self.driver.save_screenshot(str(screenshots() / f"{name}.png"))

    def requests(self) -> list[str]:
        """Addresses that the browser has asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
