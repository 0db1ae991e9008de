"""What an algorithm is asked and told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Objective
from isozyme.spaces.protocol import Space


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate to try and the trials it descends from."""

    candidate: Any
    parents: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """A finished trial.

    Attributes:
      number: counts proposals from 0.
      candidate: what was tried.
      parents: numbers of the trials it descends from.
      status: how it ended; a twin takes its owner's status.
      reason: one line for every status but OK.
      metrics: of behaviour (a twin takes its owner's) and of form (its own).
      static_key, key: hexadecimal; empty for an invalid candidate.
      cached_from: the trial that owns the behaviour, if this one is its twin.
      hit: which key found the owner, 'static' or 'numeric'.
      seconds: wall time of the evaluation; 0 for a twin.
      finished: seconds since the epoch.
    """

    number: int
    candidate: Any
    parents: tuple[int, ...]
    status: Status
    reason: str | None
    metrics: dict[str, float] = field(default_factory=dict)
    static_key: str = ""
    key: str = ""
    cached_from: int | None = None
    hit: str | None = None
    seconds: float = 0.0
    finished: float = 0.0


class Algorithm(Protocol):
    """Proposes candidates and learns from trials; usable without the controller.

    Proposals change nothing: all state comes from feedback, so that replaying a journal's trials rebuilds it.
    """

    def setup(self, space: Space, objectives: Sequence[Objective]) -> None:
        """Starts afresh on a space. The first objective is the one to optimise."""
        ...

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """The proposal of trial `number`; `rng` is made from (seed, number)."""
        ...

    def feedback(self, trial: Trial) -> None:
        """Takes in a finished trial; called in the order of their numbers."""
        ...
