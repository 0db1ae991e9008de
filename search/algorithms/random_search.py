"""Random search: the control of every experiment."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.search.objectives import Objective
from isozyme.search.protocol import Proposal, Trial
from isozyme.spaces.protocol import Space


@pg.members([], serialization_key="isozyme.RandomSearch")
class RandomSearch(pg.Object):
    """Proposes independent random candidates."""

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningRandomSearch":
        """Returns a run, which has no state."""
        return RunningRandomSearch(space)


class RunningRandomSearch:
    """A run of `RandomSearch` on a space."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns a random candidate; for trial 0 the space's starting point, to compare with."""
        if number == 0:
            return Proposal(self._space.initial(rng), operator="initial")
        return Proposal(self._space.random(rng), operator="random")

    def feedback(self, trial: Trial) -> None:
        """Learns nothing."""

    def snapshot(self) -> dict[str, Any]:
        """Returns an empty state."""
        return {}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Takes nothing in."""
