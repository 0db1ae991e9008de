"""A small space and evaluators that any process can import: what tests of the search run on."""

import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.search.objectives import Maximize, Minimize
from isozyme.search.protocol import Proposal, Trial
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


@dataclass
class BitEvaluator:
    """Scores the behaviour of bit strings.

    Attributes:
      trouble: what goes wrong, by behaviour: 'raise', 'memory', 'exhausted', 'diverge', 'interrupt', or 'exit', which
        kills a worker process (and raises in the process that made the evaluator).
      delay: longest random delay of an evaluation, in seconds.
      log: a file that gets one line for each evaluation, from whichever process.
      condition: what metrics depend on besides the candidate.
      evaluated: jobs that this copy of the evaluator was given.
    """

    trouble: dict[tuple[int, int], str] = field(default_factory=dict)
    delay: float = 0.0
    log: Path | None = None
    condition: str = "bits"
    evaluated: list[Job] = field(default_factory=list)
    home: int = field(default_factory=os.getpid)

    def prepare(self) -> None:
        pass

    def setup(self, space: BitStrings, seed: int) -> None:
        self.space, self.seed = space, seed

    def conditions(self, split: str) -> str:
        return f"{self.condition}, {split}"

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        return [self._evaluate(job) for job in jobs]

    def _evaluate(self, job: Job) -> Outcome:
        self.evaluated.append(job)
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{self.space.to_source(job.candidate)} {job.split}\n")
        began = time.perf_counter()
        if self.delay:
            time.sleep(self.delay * random.random())
        first, second = self.space.behaviour(job.candidate)
        trouble = self.trouble.get((first, second))
        if trouble is not None:
            outcome = self._fail(trouble)
        else:
            rng = np.random.default_rng([self.seed, first, second])
            fitness = (3 * first + 2 * second + rng.normal(0.0, 0.5)) / 10
            short = 20.0 - 2 * first + second
            if job.hurdle is not None and short > job.hurdle:
                return Outcome(Status.HURDLE, f"short_loss {short} is over {job.hurdle}", {"short_loss": short})
            outcome = Outcome(Status.OK, None, {"fitness": fitness, "short_loss": short})
        return Outcome(outcome.status, outcome.reason, outcome.metrics, time.perf_counter() - began)

    def _fail(self, trouble: str) -> Outcome:
        if trouble == "exit" and os.getpid() != self.home:
            os._exit(3)
        if trouble == "memory":
            raise MemoryError("no room for 9 GB")
        if trouble == "exhausted":
            raise RuntimeError("RESOURCE_EXHAUSTED: out of device memory\nmore lines")
        if trouble == "interrupt":
            raise KeyboardInterrupt
        if trouble == "diverge":
            return Outcome(Status.DIVERGED, "loss is nan after step 7", {})
        raise RuntimeError(f"trouble: {trouble}")


# A search of TRIALS trials on SPACE with these settings meets all kinds of failures and twins.
SPACE = BitStrings(size=16, forbidden_ones=11)
TROUBLE = {(5, 5): "raise", (6, 3): "memory", (4, 5): "diverge", (5, 4): "exhausted", (7, 7): "exit"}
SEED, LAG, TRIALS = 2, 5, 60
STATUSES = {Status.OK, Status.INVALID, Status.HURDLE, Status.DIVERGED, Status.OUT_OF_MEMORY, Status.CRASHED}


class Scripted:
    """An algorithm that proposes given candidates, one after the other."""

    def __init__(self, candidates: Sequence[Bits]) -> None:
        self._candidates = candidates

    def setup(self, space: object, objectives: object) -> None:
        pass

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        del rng
        return Proposal(self._candidates[number])

    def feedback(self, trial: Trial) -> None:
        pass


def trace(trial: Trial) -> dict[str, object]:
    """All of a trial that a seed and a lag determine: everything but times."""
    return {
        "number": trial.number,
        "candidate": "".join(map(str, trial.candidate)),
        "parents": list(trial.parents),
        "status": str(trial.status),
        "reason": trial.reason,
        "metrics": trial.metrics,
        "static_key": trial.static_key,
        "key": trial.key,
        "cached_from": trial.cached_from,
        "hit": trial.hit,
    }
