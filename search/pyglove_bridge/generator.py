"""Our algorithms as a `pg.DNAGenerator`."""

import math
import threading
from collections.abc import Sequence
from typing import Any

import pyglove as pg

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Maximize, Objective
from isozyme.search.protocol import Algorithm, Exhausted, Proposal, RunningAlgorithm, Trial
from isozyme.search.pyglove_bridge.spec import space_of
from isozyme.search.randomness import Streams

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]


@pg.members(
    [
        ("algorithm", _ANY, "Who proposes: an `isozyme.search.Algorithm`."),
        ("objectives", pg.typing.List(pg.typing.Object(Objective), min_size=1), "What for; one for each reward."),
        ("seed", pg.typing.Int(0, min_value=0), "All random numbers derive from it and from the number of a trial."),
        ("stages", pg.typing.Int(1, min_value=1), "How many budgets a loop body knows; see `generator`."),
    ],
    serialization_key="isozyme.AlgorithmGenerator",
)
class AlgorithmGenerator(pg.DNAGenerator):
    """One of our algorithms, for `pg.sample`: see `generator`."""

    algorithm: Any
    objectives: list[Objective]
    seed: int
    stages: int

    @property
    def multi_objective(self) -> bool:
        """Whether a reward is a tuple."""
        return len(self.objectives) > 1

    def _on_bound(self) -> None:
        super()._on_bound()
        self._lock = threading.RLock()

    def setup(self, dna_spec: pg.DNASpec) -> None:
        """Starts afresh; of several threads that begin at once, nobody gets a proposal before it is done."""
        with self._lock:
            super().setup(dna_spec)

    def _setup(self) -> None:
        assert self.dna_spec is not None
        self._space = space_of(self.dna_spec)
        self._running: RunningAlgorithm = self.algorithm.start(self._space, tuple(self.objectives), self.stages)
        self._random = Streams(self.seed)
        self._number = 0

    def _propose(self) -> pg.DNA:
        """Returns a DNA whose metadata say all that is needed when its trial is fed back or replayed."""
        with self._lock:
            try:
                proposal = self._running.propose(self._number, self._random.of(self._number))
            except Exhausted as error:
                raise StopIteration from error
            dna = self._space.to_dna(proposal.candidate)
            facts = {"trial": self._number, "parents": list(proposal.parents), "operator": proposal.operator}
            for key, value in {**facts, "stages": proposal.stages, "note": proposal.note}.items():
                dna.set_metadata(key, value)
            self._number += 1
        return dna

    def _feedback(self, dna: pg.DNA, reward: float | tuple[float, ...]) -> None:
        facts = dna.metadata
        if "trial" not in facts:
            raise ValueError(f"{dna} does not come from this generator: its metadata name no trial")
        values = reward if isinstance(reward, tuple) else (reward,)
        metrics = dict(zip((o.metric for o in self.objectives), map(float, values), strict=True))
        wrong = next((f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)), None)
        if wrong is not None:
            status, metrics = Status.DIVERGED, {}
        else:
            status = Status.OK if (facts.get("stages") or self.stages) >= self.stages else Status.PARTIAL
        candidate, parents = self._space.from_dna(dna), tuple(facts.get("parents", ()))
        proposal = Proposal(candidate, parents, facts.get("operator", ""), facts.get("stages"), facts.get("note", ""))
        trial = Trial(facts["trial"], proposal, status, wrong, metrics)
        with self._lock:
            self._running.feedback(trial)

    def _replay(self, trial_id: int, dna: pg.DNA, reward: float | tuple[float, ...] | None) -> None:
        self._number = max(self._number, dna.metadata.get("trial", -1) + 1)
        if reward is not None:
            self._feedback(dna, reward)


def generator(
    algorithm: Algorithm, objectives: Sequence[Objective] = (), seed: int = 0, stages: int = 1
) -> AlgorithmGenerator:
    """Returns one of our algorithms for `pg.sample`, with any backend.

    Trials are numbered in the order of their proposals and fed back in that of their arrival. A reward that is not a
    finite number is a failure. `recover` rebuilds everything, random numbers included.

    Args:
      algorithm: who proposes.
      objectives: one for each reward, in the order of `metrics_to_optimize`; a `Minimize` takes the numbers as they
        are. By default there is one reward, which is maximised.
      seed: of all random numbers.
      stages: how many budgets the loop body knows. What algorithms like `SuccessiveHalving` ask for, from 1 to so many,
        is then found under 'stages' in the metadata of the DNA; None there is the full budget.
    """
    return AlgorithmGenerator(algorithm, list(objectives or [Maximize("reward", 0.0)]), seed, stages)
