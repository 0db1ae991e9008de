"""Random search: the control of every experiment."""

from collections.abc import Sequence

import numpy as np
import pyglove as pg

from isozyme.search.objectives import Objective
from isozyme.search.protocol import Proposal, Trial
from isozyme.spaces.protocol import Space


class RandomSearch(pg.Object):
    """Proposes independent random candidates."""

    def setup(self, space: Space, objectives: Sequence[Objective]) -> None:
        """Starts afresh."""
        del objectives
        self._space = space

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """A random candidate; for trial 0 the space's starting point, to compare with."""
        return Proposal(self._space.random(rng) if number else self._space.initial(rng))

    def feedback(self, trial: Trial) -> None:
        """Learns nothing."""
        del trial
