"""What every space offers. Structural: a space inherits nothing from here."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np


class InvalidCandidate(ValueError):
    """A candidate or a text outside the space; the message says why, in one line."""


class Space(Protocol):
    """A set of candidates. Candidates are small immutable values, hashable and free of code.

    What a space may offer besides stands in `abilities.py`.
    """

    @property
    def version(self) -> str:
        """Changes whenever the meaning of a candidate does."""
        ...

    @property
    def references(self) -> Mapping[str, Any]:
        """Candidates that the winner is compared with, by name."""
        ...

    def initial(self, rng: np.random.Generator) -> Any:
        """Where a search starts: a member of the first population."""
        ...

    def random(self, rng: np.random.Generator) -> Any:
        """A random candidate."""
        ...

    def mutate(self, candidate: Any, rng: np.random.Generator) -> Any:
        """A valid neighbour of `candidate`."""
        ...

    def validate(self, candidate: Any) -> str | None:
        """The reason why a candidate is invalid, or None; runs nothing."""
        ...

    def canonical(self, candidate: Any) -> bytes:
        """A form that equal candidates share, found without running them."""
        ...

    def probe(self, candidate: Any) -> Sequence[np.ndarray] | None:
        """Behaviour on fixed inputs, float64; None where nothing but the canonical form tells candidates apart."""
        ...

    def form(self, candidate: Any) -> Mapping[str, float]:
        """Metrics of how a candidate is written rather than of what it does: lengths, sizes. Never cached."""
        ...

    def lower(self, candidate: Any) -> Any:
        """The arrays that an evaluator's executable takes."""
        ...

    def to_source(self, candidate: Any) -> str:
        """A readable text that `from_source` reads back without loss."""
        ...

    def from_source(self, text: str) -> Any:
        """Reads a candidate and executes nothing; raises `InvalidCandidate`."""
        ...

    def export(self, candidate: Any) -> Mapping[str, str | bytes]:
        """Returns the candidate as something usable: texts and bytes, such as weights, by file name."""
        ...
