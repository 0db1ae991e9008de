"""The first hour as a script: python tests/newcomer.py, or make newcomer.

A fresh clone of what is committed, and nothing to go by but README and docs/: the demo, the tab in a real TensorBoard,
a space of one's own (the very blocks of docs/define_a_space.md) on two workers, killed with `kill -9` and resumed, and
its winner exported. Each step is printed with the time it took; the first one that fails ends the script with exit code
1.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pages

_PATIENCE = 1800.0  # seconds for any step; installing takes most of it where nothing is cached
_OWN_TRIALS = "--config.budget.trials=200000"  # Enough to be killed in the middle of.


class Failed(Exception):
    """A step that did not do what the pages say."""


class Hour:
    """Where a newcomer works: a clone, and a folder of files of their own beside it."""

    def __init__(self, folder: Path) -> None:
        self.clone, self.own = folder / "isozyme", folder / "mine"
        self.own.mkdir()
        self.page = self.clone / "docs" / "define_a_space.md"

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the project that may be installed here, and the clone's Python in front."""
        ours = ("PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL")
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        return kept | {"PATH": f"{self.clone / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def run(self, command: list[str], folder: Path | None = None) -> str:
        """Output of a command, which has to succeed."""
        done = subprocess.run(
            command, cwd=folder or self.clone, env=self.environment, capture_output=True, text=True, timeout=_PATIENCE
        )
        if done.returncode != 0:
            raise Failed(
                f"{shlex.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        return done.stdout

    def said(self, module: str) -> list[list[str]]:
        """Commands of the page that run a module, as words."""
        found = [words for words in pages.commands(self.page) if words[:3] == ["python", "-m", module]]
        if not found:
            raise Failed(f"{self.page}: says no command with {module}")
        return found


def see(condition: bool, text: str) -> None:
    """Fails with a text unless a condition holds."""
    if not condition:
        raise Failed(text)


def clone(hour: Hour) -> str:
    """git clone"""
    hour.run(["git", "clone", "--quiet", str(pages.ROOT), str(hour.clone)], hour.own)
    return hour.run(["git", "log", "-1", "--format=%h %s"]).strip()


def demo(hour: Hour) -> str:
    """make demo, as README says"""
    see("make demo" in (hour.clone / "README.md").read_text(), "README does not say make demo")
    out = hour.run(["make", "demo"])
    see("winner: trial" in out, "the demo prints no winner")
    see((hour.clone / "runs" / "demo" / "best" / "optimizer.py").is_file(), "the demo leaves no best/optimizer.py")
    return next(line for line in out.splitlines() if line.startswith("winner"))


def tab(hour: Hour) -> str:
    """.venv/bin/tensorboard --logdir runs, with a tab for fronts"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [".venv/bin/tensorboard", "--logdir", "runs", "--port", str(port)]
    with _background(hour, command, hour.clone) as server:
        listing = _listing(server, f"http://127.0.0.1:{port}/data/plugins_listing")
    tabs = [found for found in listing if "pareto" in found.lower()]
    see(bool(tabs), f"TensorBoard has no tab for fronts, only {sorted(listing)}")
    return f"{tabs[0]} among {len(listing)}"


def _listing(server: subprocess.Popen[bytes], address: str) -> dict[str, Any]:
    """What plugins a TensorBoard has, once it answers."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return json.load(answer)
        except OSError:
            time.sleep(0.5)
    raise Failed(f"TensorBoard does not answer at {address}")


def own_space(hour: Hour) -> str:
    """docs/define_a_space.md: the file, and the exam"""
    pages.write_files(hour.page, hour.own)
    out = hour.run(hour.said("isozyme.launch.exam")[0], hour.own)
    see(out.count(": passes") == 2, f"the exam says {out}")
    return out.replace("\n", "; ").strip("; ")


def kill_and_resume(hour: Hour) -> str:
    """Run it on two workers, kill -9, and resume it"""
    command = [*hour.said("isozyme.launch.run")[0], _OWN_TRIALS]
    see("--workers" in command and command[command.index("--workers") + 1] == "2", f"{command} is not for two workers")
    with _background(hour, command, hour.own) as search:
        _trials(hour, search, 1_000)
        search.kill()
        search.wait()
    before = _rows(hour)
    killed_at = len(before)
    out = hour.run([*command[:-1], f"--config.budget.trials={killed_at + 1000}"], hour.own)
    after = _rows(hour)
    done = len(after)
    see(done == killed_at + 1000, f"{killed_at} trials at the kill, {done} in the end")
    see(before <= after, "trials that were there at the kill are others in the end")
    see("winner: trial" in out, f"the resumed run prints no winner: {out}")
    return f"killed after {killed_at} trials, {done} in the end"


def _trials(hour: Hour, search: subprocess.Popen[bytes], enough: int) -> None:
    """Returns as soon as there are enough trials."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and search.poll() is None:
        if len(_rows(hour)) >= enough:
            return
        time.sleep(0.1)
    raise Failed(f"{len(_rows(hour))} trials, and then the run ended with exit code {search.poll()}")


def _rows(hour: Hour) -> set[tuple[Any, ...]]:
    """All trials of the run so far, as the journal has them."""
    journal = hour.own / "runs" / "formulas" / "trials.db"
    if not journal.exists():
        return set()
    try:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
            return set(connection.execute("SELECT trial, status, candidate, key, metrics FROM trials"))
    except sqlite3.OperationalError:
        return set()  # Not there yet.


def export(hour: Hour) -> str:
    """Export the winner, and call it"""
    best = hour.own / "runs" / "formulas" / "best"
    winner = json.loads((best / "card.json").read_text())["trial"]
    words = next(words for words in hour.said("isozyme.launch.report") if "export" in words)
    words = [str(winner) if re.fullmatch(r"\d+", word) else word for word in words]
    hour.run(words, hour.own)
    exported = hour.own / "winner" / "formula.py"
    see(exported.read_text() == (best / "formula.py").read_text(), "the export is not what best/ holds")
    used = "from formula import formula; print(float(formula(bmi=1.0, pressure=0.5, sugar=0.2)))"
    value = hour.run([str(hour.clone / ".venv" / "bin" / "python"), "-c", used], hour.own / "winner")
    return f"trial {winner}, formula(1.0, 0.5, 0.2) = {value.strip()}"


STEPS: tuple[Callable[[Hour], str], ...] = (clone, demo, tab, own_space, kill_and_resume, export)


@contextmanager
def _background(hour: Hour, command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process, with a group of its own, that does not outlive the block."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=folder, env=hour.environment, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main() -> int:
    """Goes through all steps; 0 if all is as the pages say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave clone and runs where they are")
    kept = parser.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="newcomer-"))
    hour, began = Hour(folder), time.monotonic()
    try:
        for step in STEPS:
            start = time.monotonic()
            try:
                text = step(hour)
            except (Failed, OSError, subprocess.TimeoutExpired, StopIteration) as error:
                print(f"{step.__doc__}: FAILED after {time.monotonic() - start:.0f} s: {error}", flush=True)
                return 1
            print(f"{step.__doc__}: {time.monotonic() - start:.0f} s; {text}", flush=True)
    finally:
        if kept:
            print(f"{folder} is kept")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"all in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
