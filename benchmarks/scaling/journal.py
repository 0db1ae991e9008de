"""Where the journal saturates, and what a second one brings."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

from isozyme.benchmarks.scaling.landscape import Workers, scratch, simulate, space
from isozyme.search import Journal, RegularizedEvolution, Trial
from isozyme.search.executors.simulated import exponential
from isozyme.search.journal.journal import FILE

BATCHES = {1: 20_000, 10: 30_000, 100: 30_000, 1_000: 30_000}  # trials written, by trials a commit
SEARCH = 10_000  # trials of a whole search
_SOURCE = 1_000  # trials of a real search, which are journalled again and again under new numbers


class Part(NamedTuple):
    """What one process did: when, in seconds of the machine's clock, its longest commit, and the size of a trial."""

    began: float
    ended: float
    longest: float = 0.0
    bytes_a_trial: float = 0.0


class Rate(NamedTuple):
    """Of one journal or of two at once: trials a second, one a repeat; longest commit in seconds; size of a trial."""

    journals: int
    batch: int
    rates: list[float]
    longest: float
    bytes_a_trial: float


class Figures(NamedTuple):
    """Journals alone, and whole searches: trials a second of one and of two at once, one a repeat."""

    journals: list[Rate]
    searches: dict[int, list[float]]

    def gains(self, most: Callable[[list[float]], float]) -> dict[int, float]:
        """Trials a second of two journals over those of one, by trials a commit.

        Args:
          most: makes one figure of all repeats: a median, or the best, which a machine with others on it needs.
        """
        rates = {(rate.journals, rate.batch): most(rate.rates) for rate in self.journals}
        return {batch: rates[2, batch] / rates[1, batch] for batch in BATCHES}

    def search_gain(self, most: Callable[[list[float]], float]) -> float:
        """Trials a second of two searches over those of one."""
        return most(self.searches[2]) / most(self.searches[1])


def write(batch: int, count: int, seed: int) -> Part:
    """Commits `count` trials in batches, to a journal on the disk of the current folder."""
    kept: list[Trial] = []
    _simulate(_SOURCE, seed, lambda trial, _: kept.append(trial))
    trials = [replace(kept[number % _SOURCE], number=number) for number in range(count)]
    source, longest = space().to_source, 0.0
    with scratch() as folder:
        opened = Journal.open(folder)
        began = before = time.perf_counter()
        for first in range(0, count, batch):
            opened.add(trials[first : first + batch], source)
            now = time.perf_counter()
            longest, before = max(longest, now - before), now
        opened.close()
        return Part(began, before, longest, (folder / FILE).stat().st_size / count)


def search(count: int, seed: int) -> Part:
    """A whole search that never waits for its workers, with its journal on the disk of the current folder."""
    began = time.perf_counter()
    _simulate(count, seed)
    return Part(began, time.perf_counter())


def _simulate(count: int, seed: int, *listeners: Callable[[Trial, object], None]) -> None:
    workers = Workers(1_000, exponential(0.01), 2_000, asynchronous=True)
    simulate(workers, RegularizedEvolution(2_000, 2), count, seed, None, listeners)


def _in_turns(pool: Executor, task: Callable[[int], Part], repeats: int) -> dict[int, list[list[Part]]]:
    """Runs a task in one process, then in two at once, and so on, so that drifts of the machine meet both alike."""
    found: dict[int, list[list[Part]]] = {1: [], 2: []}
    for _ in range(repeats):
        for number, results in found.items():
            results.append(list(pool.map(task, range(number))))
    return found


def _rate(parts: list[Part], trials: int) -> float:
    """Trials a second, all in all, from the first beginning to the last end."""
    return len(parts) * trials / (max(part.ended for part in parts) - min(part.began for part in parts))


def measure(quick: bool) -> Figures:
    """Measures; with `quick` a tenth of the trials, once."""
    share, repeats = (10, 1) if quick else (1, 7)
    journals: list[Rate] = []
    searches: dict[int, list[float]] = {}
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(partial(search, 100), range(4)))  # Both import what they need.
        for batch, whole in BATCHES.items():
            count = whole // share
            for number, found in _in_turns(pool, partial(write, batch, count), repeats).items():
                parts = [part for one in found for part in one]
                longest, size = max(part.longest for part in parts), parts[0].bytes_a_trial
                journals.append(Rate(number, batch, [_rate(one, count) for one in found], longest, size))
        count = SEARCH // share
        for number, found in _in_turns(pool, partial(search, count), repeats).items():
            searches[number] = [_rate(one, count) for one in found]
    return Figures(journals, searches)
