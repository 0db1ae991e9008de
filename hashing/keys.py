"""The keys of a candidate, from the cheapest to the fullest."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from isozyme.hashing.digest import MANTISSA_BITS, digest, fingerprint


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
    return static_key_function(space)(candidate)


def static_key_function(space: Keyed) -> Callable[[Any], bytes]:
    """Returns a function that computes static keys of one space, whose version it asks for once."""
    version, canonical = space.version.encode(), space.canonical
    return lambda candidate: digest(b"static", version, canonical(candidate))


def numeric_key(space: Keyed, candidate: Any, mantissa_bits: int = MANTISSA_BITS) -> bytes | None:
    """Key of the candidate's behaviour on the space's probe (arXiv 2302.05433).

    None where the space has no probe: its static keys say all that can be said.
    """
    return next(iter(numeric_keys(space, candidate, mantissa_bits)), None)


def numeric_keys(
    space: Keyed, candidate: Any, mantissa_bits: int = MANTISSA_BITS, shifted: bool = False
) -> tuple[bytes, ...]:
    """The numeric key; where `shifted`, also the one that is rounded on a grid half a step away; () without a probe.

    Equality on either grid is not transitive, so the first one alone is a behaviour's name. The second one is a second
    chance to find an earlier behaviour from which rounding noise has split a candidate.
    """
    behaviour = space.probe(candidate)
    if behaviour is None:
        return ()
    version = f"{space.version}/{mantissa_bits}".encode()
    key = digest(b"numeric", version, fingerprint(behaviour, mantissa_bits))
    if not shifted:
        return (key,)
    return key, digest(b"numeric, shifted", version, fingerprint(behaviour, mantissa_bits, shifted=True))


def behaviour_key(behaviour: bytes, conditions: str) -> bytes:
    """The full key: a behaviour under the conditions that its metrics depend on.

    Args:
      behaviour: the numeric key, or the static key where there is none.
      conditions: task, split, seed set, budget, evaluator version, backend, precision and thread count, as one text.
    """
    return digest(b"behaviour", behaviour, conditions.encode())
