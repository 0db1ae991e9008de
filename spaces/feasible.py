"""A space within a limit, so that a search starts feasible and what is not is refused before it costs anything."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.spaces.limits import Limit
from isozyme.spaces.protocol import Space

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]
_TRIES = 100_000


@pg.members(
    [
        ("space", _ANY, "Any space."),
        ("limit", pg.typing.Object(Limit), "What a candidate may cost."),
    ],
    serialization_key="isozyme.FeasibleSpace",
)
class FeasibleSpace(pg.Object):
    """Leaves of a space the candidates that cost no more than a limit; in all else it is that space.

    Starting points and random candidates are drawn until one is feasible, so they have the space's distribution given
    that. Others are invalid. `mutate`, `cross` and the operators are the space's own: `FeasibleOnly` keeps the children
    within the limit, whatever makes them.
    """

    space: Any
    limit: Limit

    leaves_itself = True  # Children may cost more.

    def _on_bound(self) -> None:
        super()._on_bound()
        self._space: Space = self.space
        self._limit: Limit = self.limit

    @property
    def wrapped(self) -> Space:
        """Names the space whose candidates are limited."""
        return self._space

    @property
    def references(self) -> Mapping[str, Any]:
        """Names the references of the space that are within the limit."""
        return {name: one for name, one in self._space.references.items() if self._limit.allows(one)}

    def initial(self, rng: np.random.Generator) -> Any:
        """Returns a feasible starting point; raises `ValueError` where none is found."""
        return self._drawn(self._space.initial, rng)

    def random(self, rng: np.random.Generator) -> Any:
        """Returns a feasible random candidate; raises `ValueError` where none is found."""
        return self._drawn(self._space.random, rng)

    def validate(self, candidate: Any) -> str | None:
        """Says why a candidate is outside the space or the limit, or returns None. Takes anything."""
        return self._space.validate(candidate) or self._limit.refusal(candidate)

    def __getattr__(self, name: str) -> Any:
        """Passes on what else the space offers."""
        if name.startswith("_"):  # Not bound yet, or being copied.
            raise AttributeError(name)
        return getattr(self._space, name)

    def _drawn(self, draw: Any, rng: np.random.Generator) -> Any:
        for _ in range(_TRIES):
            candidate = draw(rng)
            if self._limit.allows(candidate):
                return candidate
        raise ValueError(f"none of {_TRIES:,} candidates costs at most {self.limit.limit:.10g}")
