"""What every space offers. Structural: a space inherits nothing from here."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np


class InvalidCandidate(ValueError):
    """Says that a candidate or a text is outside the space; the message says why, in one line."""


class Space(Protocol):
    """Is a set of candidates. Candidates are small immutable values, hashable and free of code.

    What a space may offer besides stands in `abilities.py`.
    """

    @property
    def version(self) -> str:
        """Changes whenever the meaning of a candidate does."""
        ...

    @property
    def references(self) -> Mapping[str, Any]:
        """Names candidates that the winner is compared with."""
        ...

    def initial(self, rng: np.random.Generator) -> Any:
        """Returns where a search starts: a member of the first population."""
        ...

    def random(self, rng: np.random.Generator) -> Any:
        """Returns a random candidate."""
        ...

    def mutate(self, candidate: Any, rng: np.random.Generator) -> Any:
        """Returns a valid neighbour of `candidate`."""
        ...

    def validate(self, candidate: Any) -> str | None:
        """Says why a candidate is invalid, or returns None; runs nothing."""
        ...

    def canonical(self, candidate: Any) -> bytes:
        """Returns a form that equal candidates share, found without running them."""
        ...

    def probe(self, candidate: Any) -> Sequence[np.ndarray] | None:
        """Returns the behaviour on fixed inputs, float64; None where only the canonical form tells candidates apart."""
        ...

    def form(self, candidate: Any) -> Mapping[str, float]:
        """Measures how a candidate is written rather than what it does: lengths, sizes. Never cached."""
        ...

    def lower(self, candidate: Any) -> Any:
        """Returns what an evaluator takes, such as the arrays of its executable."""
        ...

    def to_source(self, candidate: Any) -> str:
        """Writes a readable text that `from_source` reads back without loss."""
        ...

    def from_source(self, text: str) -> Any:
        """Reads a candidate and executes nothing; raises `InvalidCandidate`."""
        ...

    def export(self, candidate: Any) -> Mapping[str, str | bytes]:
        """Returns the candidate as something usable: texts and bytes, such as weights, by file name."""
        ...
