"""A small space and evaluators that any process can import: what tests of the search run on."""

import ctypes
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.search.controller.controller import Controller
from isozyme.search.exam.toy_search import PointsEvaluator
from isozyme.search.executors.protocol import Executor
from isozyme.search.journal.journal import Journal
from isozyme.search.objectives import Maximize, Minimize, Objective
from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import Algorithm, Proposal, RunningAlgorithm, Trial
from isozyme.search.rules import Rules
from isozyme.spaces.protocol import InvalidCandidate

Bits = tuple[int, ...]

OBJECTIVES = (Maximize(metric="fitness", reference=0.0), Minimize(metric="ones", reference=100.0))


@dataclass(frozen=True)
class BitStrings:
    """Strings of `size` bits that behave like the number of ones in either half, the last `dead` bits aside.

    The canonical form leaves out the dead bits, so that strings that differ there are static twins; strings that are
    permuted within a half are numeric twins.
    """

    size: int = 12
    dead: int = 2
    start: Bits | None = None
    forbidden_ones: int | None = None
    """Strings with so many ones are invalid; mutation may run into them."""
    version: str = "bits-1"

    @property
    def references(self) -> Mapping[str, Bits]:
        return {"start": self.start or (0,) * self.size, "ones": (1,) * self.size}

    def initial(self, rng: np.random.Generator) -> Bits:
        return self.random(rng) if self.start is None else self.start

    def random(self, rng: np.random.Generator) -> Bits:
        return tuple(rng.integers(2, size=self.size).tolist())

    def mutate(self, candidate: Bits, rng: np.random.Generator) -> Bits:
        place = int(rng.integers(self.size))
        return candidate[:place] + (1 - candidate[place],) + candidate[place + 1 :]

    def validate(self, candidate: Bits) -> str | None:
        if len(candidate) != self.size:
            return f"{len(candidate)} bits instead of {self.size}"
        return f"{self.forbidden_ones} ones are forbidden" if sum(candidate) == self.forbidden_ones else None

    def canonical(self, candidate: Bits) -> bytes:
        return bytes(candidate[: self.size - self.dead])

    def behaviour(self, candidate: Bits) -> tuple[int, int]:
        live = candidate[: self.size - self.dead]
        return sum(live[: len(live) // 2]), sum(live[len(live) // 2 :])

    def probe(self, candidate: Bits) -> Sequence[np.ndarray]:
        return [np.array(self.behaviour(candidate), np.float64)]

    def form(self, candidate: Bits) -> Mapping[str, float]:
        return {"ones": float(sum(candidate))}

    def lower(self, candidate: Bits) -> np.ndarray:
        return np.array(candidate, np.int32)

    def to_source(self, candidate: Bits) -> str:
        return "".join(map(str, candidate))

    def from_source(self, text: str) -> Bits:
        if not set(text) <= {"0", "1"}:
            raise InvalidCandidate(f"{text!r} is not a string of bits")
        return tuple(map(int, text))

    def export(self, candidate: Bits) -> Mapping[str, str]:
        return {"bits.txt": self.to_source(candidate)}


@dataclass(frozen=True)
class UniqueBitStrings(BitStrings):
    """The same strings without any twins: every question for a key has an answer of its own."""

    asked: list[None] = field(default_factory=list)

    def canonical(self, candidate: Bits) -> bytes:
        self.asked.append(None)
        return len(self.asked).to_bytes(8, "little")

    def probe(self, candidate: Bits) -> Sequence[np.ndarray]:
        return [*super().probe(candidate), np.array([len(self.asked)], np.float64)]


def _sleep() -> None:
    while True:
        time.sleep(60.0)


def _sleep_deaf() -> None:
    """Sleeps and takes no notice of alarms."""
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM})
    _sleep()


def _hold_interpreter() -> None:
    """Sleeps in native code, which lets no other thread of Python run."""
    ctypes.PyDLL(None).sleep(3600)


def _fill_memory() -> None:
    """Takes 5 GB, writes to all of it, and holds it."""
    kept = [os.urandom(2**20) * 64 for _ in range(75)]
    time.sleep(20.0)
    del kept


FATAL: dict[str, Callable[[], object]] = {
    "exit": lambda: os._exit(3),
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "kill the worker": lambda: os.kill(os.getppid(), signal.SIGKILL),
    "sleep": _sleep,
    "sleep, deaf": _sleep_deaf,
    "sleep in native code": _hold_interpreter,
    "wait for another process": lambda: subprocess.run(["sleep", "3600"]),
    "fill memory": _fill_memory,
}
"""What a process does not survive, or not without help."""


class Gate(NamedTuple):
    """A file that holds evaluations up while it exists, so that a test waits for events and not for time.

    Attributes:
      path: of the file, which holds the name of the node that waits; an empty file holds up every node.
    """

    path: Path

    def close(self, node: str = "") -> None:
        """Holds up evaluations in processes whose variable ISOZYME_TEST_NODE is `node`; '' holds up all."""
        self._reached.unlink(missing_ok=True)
        made = self.path.with_suffix(".new")
        made.write_text(node)
        made.replace(self.path)

    def open(self) -> None:
        """Lets all evaluations go on."""
        self.path.unlink(missing_ok=True)

    def is_reached(self) -> bool:
        """Whether an evaluation has been held up since the gate was closed."""
        return self._reached.exists()

    def pass_through(self) -> None:
        """Waits while the gate is closed; called by an evaluator."""
        with suppress(FileNotFoundError):
            while self.path.read_text() in ("", os.environ.get("ISOZYME_TEST_NODE")):
                self._reached.touch()
                time.sleep(0.01)

    @property
    def _reached(self) -> Path:
        return self.path.with_suffix(".reached")


@dataclass
class BitEvaluator:
    """Scores the behaviour of bit strings: the short loss first, the fitness in the second stage.

    Attributes:
      trouble: what goes wrong, by behaviour: 'raise', 'memory', 'exhausted', 'diverge', 'interrupt', or one of
        `FATAL`, which take a worker process along (and raise in the process that made the evaluator).
      troubled_from: the first stage that goes wrong.
      delay: longest random delay of an evaluation, in seconds.
      log: a file that gets one line for each evaluation, from whichever process.
      gate: holds evaluations up, after they have been logged.
      condition: what metrics depend on besides the candidate.
      evaluated: jobs that this copy of the evaluator was given.
    """

    stages: ClassVar[int] = 2

    trouble: dict[tuple[int, int], str] = field(default_factory=dict)
    troubled_from: int = 0
    delay: float = 0.0
    log: Path | None = None
    gate: Gate | None = None
    condition: str = "bits"
    evaluated: list[Job] = field(default_factory=list)
    home: int = field(default_factory=os.getpid)

    def prepare(self) -> None:
        pass

    def setup(self, space: BitStrings, seed: int) -> None:
        self.space, self.seed = space, seed

    def conditions(self, split: str) -> str:
        return f"{self.condition}, {split}"

    @property
    def begun(self) -> list[Bits]:
        """Candidates whose evaluation was begun here: first stages of the search, and closing assessments."""
        return [job.candidate for job in self.evaluated if job.stage == 0 or job.split != "search"]

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        return [self._evaluate(job) for job in jobs]

    def _evaluate(self, job: Job) -> Outcome:
        self.evaluated.append(job)
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{self.space.to_source(job.candidate)} {job.split} {job.stage}\n")
        if self.gate is not None:
            self.gate.pass_through()
        if self.delay:
            time.sleep(self.delay * random.random())
        first, second = self.space.behaviour(job.candidate)
        trouble = self.trouble.get((first, second))
        if trouble is not None and job.stage >= self.troubled_from:
            return self._fail(trouble)
        if job.stage == 0:
            return Outcome(Status.OK, None, {"short_loss": 20.0 - 2 * first + second})
        rng = np.random.default_rng([self.seed, first, second, job.evaluation])
        return Outcome(Status.OK, None, {"fitness": (3 * first + 2 * second + rng.normal(0.0, 0.5)) / 10})

    def _fail(self, trouble: str) -> Outcome:
        if trouble in FATAL and os.getpid() != self.home:
            FATAL[trouble]()
        if trouble == "memory":
            raise MemoryError("no room for 9 GB")
        if trouble == "exhausted":
            raise RuntimeError("RESOURCE_EXHAUSTED: out of device memory\nmore lines")
        if trouble == "interrupt":
            raise KeyboardInterrupt
        if trouble == "diverge":
            return Outcome(Status.DIVERGED, "loss is nan after step 7", {})
        raise RuntimeError(f"trouble: {trouble}")


class UnreadyEvaluator(BitEvaluator):
    """Cannot be set up; with the condition 'dies' its process dies of it."""

    def setup(self, space: BitStrings, seed: int) -> None:
        if self.condition == "dies":
            os.abort()
        raise OSError("no such data set\nmore lines")


def short_loss(metrics: Mapping[str, float]) -> float:
    """The cost that hurdles look at."""
    return metrics["short_loss"]


# A search of TRIALS trials on SPACE with these settings meets all kinds of failures and twins.
SPACE = BitStrings(size=16, forbidden_ones=11)
TROUBLE = {(5, 5): "raise", (6, 3): "memory", (4, 5): "diverge", (5, 4): "exhausted", (7, 7): "exit"}
SEED, LAG, TRIALS = 0, 5, 60
STATUSES = {Status.OK, Status.INVALID, Status.HURDLE, Status.DIVERGED, Status.OUT_OF_MEMORY, Status.CRASHED}


class Runs:
    """Settings of an algorithm that start runs by a function, and keep them to be looked at."""

    def __init__(self, begin: Callable[[Any, Sequence[Objective], int], RunningAlgorithm]) -> None:
        self._begin = begin
        self.started: list[Any] = []

    def start(self, space: Any, objectives: Sequence[Objective], stages: int = 1) -> RunningAlgorithm:
        self.started.append(self._begin(space, objectives, stages))
        return self.started[-1]


class Passing:
    """A run that passes everything on to another one; what is to be seen on the way is for others to add."""

    def __init__(self, inner: RunningAlgorithm) -> None:
        self.inner = inner

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        return self.inner.propose(number, rng)

    def feedback(self, trial: Trial) -> None:
        self.inner.feedback(trial)

    def snapshot(self) -> Any:
        return self.inner.snapshot()

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        self.inner.restore(snapshot, trial)


class Scripted:
    """An algorithm that proposes given candidates, one after the other; its runs have no state."""

    def __init__(self, candidates: Sequence[Bits]) -> None:
        self.candidates = candidates

    def start(self, space: object, objectives: object, stages: int = 1) -> "Scripted":
        return self

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        del rng
        return Proposal(self.candidates[number])

    def feedback(self, trial: Trial) -> None:
        pass

    def snapshot(self) -> None:
        pass

    def restore(self, snapshot: object, trial: object) -> None:
        raise AssertionError("it has no snapshots")


def run_search(
    folder: Path, rules: Rules, algorithm: Algorithm, executor: Executor, trials: int, **options: Any
) -> tuple[Progress, list[Trial]]:
    """Runs a search in a folder, or goes on with it; returns its progress and all trials in its journal."""
    folder.mkdir(exist_ok=True)
    with closing(Journal.open(folder)) as journal:
        progress = Controller(rules, algorithm, journal, executor, **options).run(trials)
        return progress, list(journal.trials(rules.space.from_source))


def trace(trial: Trial) -> dict[str, object]:
    """All of a trial that a seed and a lag determine: everything but times."""
    return {
        "number": trial.number,
        "candidate": "".join(map(str, trial.candidate)),
        "parents": list(trial.parents),
        "status": str(trial.status),
        "reason": trial.reason,
        "metrics": trial.metrics,
        "static_key": trial.keys.static,
        "key": trial.keys.behaviour,
        "cached_from": trial.cached_from,
        "hit": trial.hit,
        "taken": trial.taken,
        "stages": list(trial.stages),
        "operator": trial.proposal.operator,
    }


@dataclass
class Dawdling(PointsEvaluator):
    """The toy search's evaluator, which takes a while here, and never the same."""

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        time.sleep(0.003 * random.random())
        return super().evaluate(jobs)
