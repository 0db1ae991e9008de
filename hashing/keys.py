"""The keys of a candidate, from the cheapest to the fullest."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from isozyme.hashing.digest import digest, fingerprint


class Keyed(Protocol):
    """What a space tells about behaviour."""

    @property
    def version(self) -> str:
        """Changes whenever the meaning of a candidate does."""
        ...

    def canonical(self, candidate: Any) -> bytes:
        """A form that equal programs share, found without running them."""
        ...

    def probe(self, candidate: Any) -> Sequence[np.ndarray] | None:
        """Behaviour on fixed inputs, float64."""
        ...


def static_key(space: Keyed, candidate: Any) -> bytes:
    """Key of the candidate's canonical form; nothing runs. Equal keys mean equal behaviour up to rounding."""
    return digest(b"static", space.version.encode(), space.canonical(candidate))


def numeric_key(space: Keyed, candidate: Any) -> bytes | None:
    """Key of the candidate's behaviour on the space's probe, to 24 mantissa bits (arXiv 2302.05433).

    None where the space has no probe: its static keys say all that can be said.
    """
    behaviour = space.probe(candidate)
    return None if behaviour is None else digest(b"numeric", space.version.encode(), fingerprint(behaviour))


def behaviour_key(behaviour: bytes, conditions: str) -> bytes:
    """The full key: a behaviour under the conditions that its metrics depend on.

    Args:
      behaviour: the numeric key, or the static key where there is none.
      conditions: task, split, seed set, budget, evaluator version, backend, precision and thread count, as one text.
    """
    return digest(b"behaviour", behaviour, conditions.encode())
