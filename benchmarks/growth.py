"""What a trial costs, in time and in memory, as a run grows, and how long a long run takes to resume.

    python benchmarks/growth.py [--quick]

One search of a million trials (--quick: a hundred thousand), with the journal on, in this process: regularized
evolution on 20 four-way decisions. The evaluator's scores are a digest of the candidate, so that the search never
settles and nearly all behaviours are new, which is the worst case for keys and memory. The cost at 10^3 trials is the
mean over the thousand after them in fresh runs, before and after the long one; at 10^4 and more it is the mean over the
tenth that leads there. (The first thousand would flatter: half of it is proposed before anything is known.) Memory is
what the process holds of the machine's (resident set). Resuming is opening the journal, restoring the search, and
proposing and finishing one more trial.
"""

import argparse
import gc
import hashlib
import json
import platform
import tempfile
import time
from pathlib import Path

import psutil
import pyglove as pg
from rich.console import Console
from rich.table import Table

from isozyme.evaluators import Outcome, Status
from isozyme.search import Controller, Journal, Maximize, Progress, RegularizedEvolution, Trial
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.rules import Rules
from isozyme.spaces.template import TemplateSpace

_LAG = 512
_SHORT, _REPEATS = 1_000, 10
_OBJECTIVES = [Maximize("score", 0.0)]


class Rugged:
    """Scores a candidate by a digest of its choices."""

    def prepare(self) -> None:
        """Needs no data."""

    def setup(self, space: object, seed: int) -> None:
        """Needs no set-up."""

    def conditions(self, split: str) -> str:
        """Nothing that scores depend on changes."""
        return f"rugged-1/{split}"

    def evaluate(self, jobs: list) -> list[Outcome]:
        """Digests."""
        return [Outcome(Status.OK, None, {"score": self._score(job.candidate)}) for job in jobs]

    def _score(self, choices: tuple[int, ...]) -> float:
        return float(int.from_bytes(hashlib.blake2b(bytes(choices), digest_size=4).digest(), "little"))


class Marks:
    """A listener that notes the time and the memory at given numbers of trials."""

    def __init__(self, numbers: set[int]) -> None:
        self._numbers = numbers
        self.times: dict[int, float] = {}
        self.memory: dict[int, int] = {}
        self.unique = 0

    def __call__(self, trial: Trial, progress: Progress) -> None:
        """Called with every finished trial."""
        done = trial.number + 1
        self.unique = progress.unique
        if done in self._numbers:
            self.times[done] = time.perf_counter()
            gc.collect()
            self.memory[done] = psutil.Process().memory_info().rss


def search(folder: Path, trials: int, marks: Marks) -> float:
    """Runs a search in `folder` up to `trials`; returns its wall time in seconds, opening the journal included."""
    began = time.perf_counter()
    rules = Rules(TemplateSpace([pg.oneof([0, 1, 2, 3]) for _ in range(20)]), _OBJECTIVES, lag=_LAG)
    journal = Journal.open(folder)
    executor = InProcessExecutor(Rugged(), rules)  # pyright: ignore[reportArgumentType]
    algorithm = RegularizedEvolution(100, 10)
    Controller(rules, algorithm, journal, executor, listeners=[marks]).run(trials)
    seconds = time.perf_counter() - began
    journal.close()
    return seconds


def short_cost(scratch: Path, name: str) -> list[float]:
    """Seconds a trial after the first `_SHORT` in fresh runs; the first run, which imports things, does not count."""
    costs = []
    for i in range(_REPEATS + 1):
        folder = scratch / f"{name}{i}"
        folder.mkdir()
        marks = Marks({_SHORT, 2 * _SHORT})
        search(folder, 2 * _SHORT + _LAG, marks)  # The last `_LAG` trials cost less: nothing is proposed any more.
        costs.append((marks.times[2 * _SHORT] - marks.times[_SHORT]) / _SHORT)
    return costs[1:]


def main() -> None:
    """Measures, prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the trials")
    trials = 100_000 if parser.parse_args().quick else 1_000_000
    sizes = [n for n in (10_000, 100_000, 1_000_000) if n <= trials]
    marks = Marks({_SHORT, *sizes, *(n - n // 10 for n in sizes)})
    with tempfile.TemporaryDirectory(prefix="isozyme-growth-", dir=".") as scratch:
        short = short_cost(Path(scratch), "before")
        folder = Path(scratch) / "long"
        folder.mkdir()
        search(folder, trials, marks)
        size = (folder / "trials.db").stat().st_size
        short += short_cost(Path(scratch), "after")
        resume = search(folder, trials + 1, Marks(set()))
    costs = {_SHORT: sum(short) / len(short)}
    costs |= {n: (marks.times[n] - marks.times[n - n // 10]) / (n // 10) for n in sizes}
    title = f"{platform.machine()}, one process, seed 0, lag {_LAG}; {2 * _REPEATS} short runs, one long one"
    table = Table("trials", "µs a trial", "resident MB", title=title)
    for n, cost in costs.items():
        table.add_row(f"{n:,}", f"{cost * 1e6:.1f}", f"{marks.memory[n] / 1e6:.1f}")
    Console().print(table)
    print(f"short runs: {min(short) * 1e6:.1f} to {max(short) * 1e6:.1f} µs a trial")
    print(f"{marks.unique / trials:.0%} of the trials own their behaviour")
    print(f"journal: {size / trials:.0f} bytes a trial; resumed after {resume:.2f} s")
    print(
        json.dumps(
            {
                "trials": trials,
                "cost_last_over_first": costs[trials] / costs[_SHORT],
                "memory_last_over_first": marks.memory[trials] / marks.memory[_SHORT],
                "resume_s": resume,
                "us_a_trial": {str(n): cost * 1e6 for n, cost in costs.items()},
                "resident_mb": {str(n): marks.memory[n] / 1e6 for n in costs},
            }
        )
    )


if __name__ == "__main__":
    main()
