"""The tab *Pareto* with 100,000 trials beside one with 1,000: a real TensorBoard in a real headless Chromium.

    python benchmarks/pareto_tab.py [--quick] [--trials=100000]

Needs Debian's chromium and chromium-driver. Times are from the page's own clock. *First picture* is since the tab's
frame began to load, from a TensorBoard that has not read the run yet; *opened again* is the same once it has. An
interaction is timed from the event to the second frame after it, when its picture is on the screen; *drawing* is what
of it the page's own code takes. A frame takes 17 ms, so two of them are the least there is.
"""

import argparse
import contextlib
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from isozyme.evaluators.protocol import Status
from isozyme.search.journal.journal import Journal
from isozyme.search.protocol import Effort, Keys, Proposal, Trial

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "launch"))
import browser  # pyright: ignore[reportMissingImports]

SMALL = 1_000  # trials
BATCH = 10_000
NEW = 100  # trials that arrive together while the tab is open
ARRIVALS = 8
_TIMED = """
const [prepare, count, done] = [new Function('k', arguments[0]), arguments[1], arguments[2]];
const frame = () => new Promise(requestAnimationFrame), times = [], drawings = [];
(async () => {
  for (let k = 0; k < count; k++) {
    await frame();
    const began = performance.now();
    prepare(k);
    await frame();
    await frame();
    times.push(performance.now() - began);
    drawings.push(isozymePareto.state().times.drawing);
  }
  done([times, drawings]);
})();
"""
_SLIDER = """
const slider = document.getElementById('time');
slider.value = Math.round(slider.max * (1 + k % 20) / 21);
slider.dispatchEvent(new Event('input'));
"""
_HOVER = """
const stage = document.querySelector('.stage'), box = stage.getBoundingClientRect();
const [x, y] = [box.x + box.width * (0.1 + 0.04 * (k % 20)), box.y + box.height * (0.2 + 0.03 * (k % 17))];
stage.dispatchEvent(new PointerEvent('pointermove', {clientX: x, clientY: y}));
"""
_WALK = "document.querySelector('.stage').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}))"
_ASIDE = (
    "document.querySelector('.stage').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowUp', shiftKey: true}))"
)
_ZOOM = "document.querySelector('.stage').dispatchEvent(new KeyboardEvent('keydown', {key: k % 2 ? '-' : '+'}))"
_INTERACTIONS = {
    "slider": _SLIDER,
    "hover": _HOVER,
    "walk along the front": _WALK,
    "step to the nearest": _ASIDE,
    "zoom": _ZOOM,
}


class Measured(NamedTuple):
    """Figures of one run, in milliseconds."""

    trials: int
    figures: dict[str, float]


def trials(first: int, count: int, rng: np.random.Generator) -> Iterator[Trial]:
    """Trials of a search that gets better: three metrics, one in five without them, a text of some 400 letters."""
    progress = np.log1p(np.arange(first, first + count)) / 12
    length = rng.uniform(2.0, 60.0, count)
    loss = 0.2 + rng.lognormal(-1.0, 0.8, count) / (1.0 + progress * length / 20.0)
    accuracy = 1.0 / (1.0 + loss * rng.uniform(0.8, 1.2, count))
    kinds = rng.choice([Status.OK, Status.DIVERGED, Status.INVALID], count, p=[0.8, 0.1, 0.1])
    for i in range(count):
        number, ok = first + i, kinds[i] == Status.OK
        metrics = {"loss": float(loss[i]), "length": float(length[i]), "accuracy": float(accuracy[i])} if ok else {}
        reason = None if ok else f"loss/{('digits', 'letters', 'text')[number % 3]} is nan"
        text = "\n".join(f"    u = {name}(u, {loss[i]:.6f})" for name in ("scale", "add", "clip", "decay") * 4)
        key = f"{number:016x}"
        yield Trial(
            number,
            Proposal(text, (number // 2,) if number else (), "mutate"),
            Status(str(kinds[i])),
            reason,
            metrics,
            keys=Keys(key, key),
            effort=Effort(0.1, 0.1, attempts=1, worker="worker-0"),
            finished=1e9 + 0.05 * number,
            stages=(metrics,),
            stage_seconds=(0.1,),
        )


def write(folder: Path, count: int) -> None:
    """Makes a run folder of `count` trials."""
    folder.mkdir(parents=True)
    objectives = [["minimize", "loss", 2.0], ["minimize", "length", 60.0]]
    record = {"format": 1, "identity": {}, "seed": 0, "objectives": objectives, "commit": None}
    (folder / "experiment.json").write_text(json.dumps(record))
    rng = np.random.default_rng(0)
    with contextlib.closing(Journal.open(folder)) as journal:
        for first in range(0, count, BATCH):
            journal.add(list(trials(first, min(BATCH, count - first), rng)), str)


def measure(folder: Path, count: int, repeats: int) -> Measured:
    """Opens the tab on one run, and uses it."""
    with browser.tensorboard(folder, folder.parent / f"{folder.name}.log") as address, browser.chromium() as driver:
        tab = browser.Tab(driver, address)
        tab.open()
        figures = {"first picture": tab.state()["times"]["first"], "all trials": tab.state()["times"]["all"]}
        assert tab.state()["runs"][0]["loaded"] == count
        tab.open()
        figures["opened again, first picture"] = tab.state()["times"]["first"]
        figures["opened again, all trials"] = tab.state()["times"]["all"]
        for name, script in _INTERACTIONS.items():
            elapsed, drawings = driver.execute_async_script(_TIMED, script, repeats)
            figures[f"{name}, median"] = float(np.median(elapsed))
            figures[f"{name}, 95 %"] = float(np.quantile(elapsed, 0.95))
            if name == "slider":
                figures["drawing, median"] = float(np.median(drawings))
        figures["card opened"] = _card(tab)
        figures["new trials shown, mean"] = _arrival(tab, folder / "run", count)
    return Measured(count, figures)


def _card(tab: Any) -> float:
    script = """
    const done = arguments[0], began = performance.now();
    document.querySelector('.front .link').click();
    const look = () => (isozymePareto.state().card ? done(performance.now() - began) : setTimeout(look, 2));
    look();
    """
    return float(tab.driver.execute_async_script(script))


def _arrival(tab: Any, folder: Path, count: int) -> float:
    """From the commit of a few trials to their being shown, in the mean of some times: the tab asks every 1.5 s."""
    elapsed, rng = [], np.random.default_rng(1)
    with contextlib.closing(Journal.open(folder)) as journal:
        for first in range(count, count + ARRIVALS * NEW, NEW):
            journal.add(list(trials(first, NEW, rng)), str)
            began = time.perf_counter()
            tab.wait(lambda last=first + NEW: tab.state()["runs"][0]["loaded"] == last)
            elapsed.append(time.perf_counter() - began)
            time.sleep(rng.uniform(0.0, 1.5))
    return 1e3 * float(np.mean(elapsed))


def main() -> None:
    """Measures, and prints a table and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20,000 trials, fewer repeats")
    parser.add_argument("--trials", type=int, help="of the large run")
    options = parser.parse_args()
    if (reason := browser.missing()) is not None:
        print(f"skipped: {reason}")
        print(json.dumps({"benchmark": "pareto_tab", "skipped": reason}))
        return
    large = options.trials or (20_000 if options.quick else 100_000)
    repeats = 20 if options.quick else 60
    with tempfile.TemporaryDirectory() as scratch:
        measured = []
        for count in (SMALL, large):
            write(Path(scratch) / str(count) / "run", count)
            measured.append(measure(Path(scratch) / str(count), count, repeats))
    small, big = measured
    table = Table("milliseconds", f"{small.trials:,} trials", f"{big.trials:,} trials", "ratio")
    for name, value in big.figures.items():
        table.add_row(name, f"{small.figures[name]:.0f}", f"{value:.0f}", f"{value / small.figures[name]:.1f}")
    Console().print(table)
    figures = {str(one.trials): {name: round(value, 1) for name, value in one.figures.items()} for one in measured}
    machine = platform.processor() or platform.machine()
    print(json.dumps({"benchmark": "pareto_tab", "milliseconds": figures, "repeats": repeats, "machine": machine}))


if __name__ == "__main__":
    main()
