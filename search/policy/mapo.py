"""MAPO's memory of rewarding candidates and its systematic exploration: Liang et al., NeurIPS 2018, arXiv 1807.02322.

What belongs to the paper's program language is not here: its typed decoding, its rule against unused variables and its
split into actors and a learner.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.spaces.choices import DEAD, Decision

Row = tuple[int, ...]
Prefix = tuple[int, ...]


@pg.members(
    [
        ("threshold", pg.typing.Float(), "Admits what is rewarded more: 0.5 in the paper, of 0 and 1."),
        ("size", pg.typing.Int(16, min_value=1), "Candidates that stay; of more the most probable ones."),
        ("alpha", pg.typing.Float(0.1, min_value=0.0, max_value=1.0), "α: the least weight of the memory, if any."),
        ("explore", pg.typing.Bool(True), "Whether every second trial is one that has never been, if any."),
    ],
    serialization_key="isozyme.MAPO",
)
class MAPO(pg.Object):
    """Lets `PolicyGradient` learn from a memory, too."""

    threshold: float
    size: int
    alpha: float
    explore: bool


class Memory:
    """Keeps rewarding candidates by behaviour: those that behave alike share an entry, whose mass is that of them all.

    The objective does not depend on how candidates are put together, only what is kept does.

    Attributes:
      size: the most candidates that stay.
      entries: for each key its candidates, as {row: whatever goes with it}; in order of arrival.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.entries: dict[str, dict[Row, Any]] = {}

    def __contains__(self, row: Row) -> bool:
        return any(row in entry for entry in self.entries.values())

    def __len__(self) -> int:
        return sum(map(len, self.entries.values()))

    def rows(self) -> list[tuple[str, Row, Any]]:
        """Lists everything kept: key, row and what goes with it."""
        return [(key, row, item) for key, entry in self.entries.items() for row, item in entry.items()]

    def admit(self, key: str, row: Row, item: Any, log_probability: Callable[[list[Row]], Sequence[float]]) -> bool:
        """Takes in a rewarding candidate, unless it is there; if it is one too many, the least probable one leaves.

        Args:
          key: of its behaviour; where none is known, anything that is its own.
          row: the candidate.
          item: kept with it.
          log_probability: of rows, under the present policy; asked only if something has to leave.

        Returns:
          Whether it is new.
        """
        if row in self:
            return False
        self.entries.setdefault(key, {})[row] = item
        if len(self) > self.size:
            self._truncate(log_probability)
        return True

    def _truncate(self, log_probability: Callable[[list[Row]], Sequence[float]]) -> None:
        """Keeps the behaviours of the greatest mass, and of the last one of them the most probable candidates."""
        everything = self.rows()
        p = np.exp(np.asarray(log_probability([row for _, row, _ in everything]), float))
        mass = {key: sum(p[i] for i, one in enumerate(everything) if one[0] == key) for key in self.entries}
        order = sorted(range(len(everything)), key=lambda i: (-mass[everything[i][0]], -p[i], i))
        kept = {everything[i][1] for i in order[: self.size]}
        remaining = {k: {row: item for row, item in e.items() if row in kept} for k, e in self.entries.items()}
        self.entries = {key: entry for key, entry in remaining.items() if entry}


class Exploration:
    """Draws from a policy what it has never drawn; an exact set in place of the paper's Bloom filter.

    A candidate is spelled as the choices at the points that it reaches, in order. A prefix is explored once nothing
    new begins with it; then it stands for all that do. The empty prefix is explored when everything is.

    Attributes:
      explored: the shortest explored prefixes.
    """

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._decisions = decisions
        self.explored: set[Prefix] = set()

    @property
    def exhausted(self) -> bool:
        """Says whether there is nothing new."""
        return () in self.explored

    def draw(self, log_p: np.ndarray, rng: np.random.Generator) -> Row:
        """Draws a new candidate: at each point by the policy's probabilities, renormalised over what is not explored.

        Args:
          log_p: [decisions, candidates], of `Policy.log_softmax`.
          rng: decides.

        Raises:
          ValueError: everything is explored.
        """
        if self.exhausted:
            raise ValueError("everything is explored")
        row, spelled = [DEAD] * len(self._decisions), ()
        for number, (size, parent, trigger) in enumerate(self._decisions):
            if parent >= 0 and row[parent] != trigger:
                continue
            p = self.probabilities(spelled, log_p[number, :size])
            index = int(np.searchsorted(np.cumsum(p), rng.random(), side="right"))
            row[number] = min(index, int(np.flatnonzero(p)[-1]))  # All together may fall short of 1.
            spelled = (*spelled, row[number])
        return tuple(row)

    def probabilities(self, prefix: Prefix, log_p: np.ndarray) -> np.ndarray:
        """Returns those of the next choice, [candidates]: of what is not explored, and adding up to 1."""
        new = np.array([(*prefix, index) not in self.explored for index in range(len(log_p))])
        p = np.where(new, np.exp(log_p - log_p[new].max()), 0.0)
        return p / p.sum()

    def add(self, row: Row) -> None:
        """Marks a candidate, and every prefix that has nothing new left."""
        points = [number for number, index in enumerate(row) if index != DEAD]
        spelled = tuple(row[number] for number in points)
        if any(spelled[:length] in self.explored for length in range(len(spelled) + 1)):
            return
        self.explored.add(spelled)
        for length in range(len(spelled) - 1, -1, -1):
            prefix = spelled[:length]
            children = {(*prefix, index) for index in range(self._decisions[points[length]].size)}
            if not children <= self.explored:
                break
            self.explored -= children
            self.explored.add(prefix)
