"""Variation and a tabu list that go by behaviour: Gillard et al., "Unified functional hashing in automatic machine
learning", 2023, arXiv 2302.05433. The cache spares twins their evaluation; these two spare the search the twins."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.hashing.keys import numeric_key, static_key
from isozyme.search.algorithms.variation import Mutation, Parent, RunningVariation
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Proposal, RunningAlgorithm, Trial
from isozyme.spaces.protocol import Space

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]
_VARIATION: Any = pg.typing.Any(Mutation())  # pyright: ignore[reportCallIssue]
_PARENTS = 1_000  # whose keys are remembered
_KEPT = 100_000  # behaviours, and static keys, on the tabu list: as many as in AutoML-Zero's cache


class _Keys:
    """Keys of a candidate, each computed when it is first asked for."""

    def __init__(self, space: Space, candidate: Any) -> None:
        self._space, self._candidate = space, candidate

    @cached_property
    def valid(self) -> bool:
        return self._space.validate(self._candidate) is None

    @cached_property
    def static(self) -> bytes:
        return static_key(self._space, self._candidate)

    @cached_property
    def numeric(self) -> bytes | None:
        return numeric_key(self._space, self._candidate)

    def same(self, other: "_Keys") -> bool:
        """Returns whether both, valid ones, behave alike."""
        return self.static == other.static or (self.numeric is not None and self.numeric == other.numeric)


@pg.members(
    [
        ("variation", _VARIATION, "Makes the children."),
        ("tries", pg.typing.Int(100, min_value=1), "Children that are made before one goes out that changes nothing."),
    ],
    serialization_key="isozyme.FunctionChanging",
)
class FunctionChanging(pg.Object):
    """Functionality-changing mutation (FCM): varies the parents until the child behaves like none of them.

    Every try starts from the parents, so that the child is one step away from them; going on from the last child would
    pile up dead code, one step upon the other. Where all steps are too small to matter, the last child goes out: a
    twin, which costs no evaluation, and from which the search can go on. An invalid child does nothing, and is made
    again as well. A copy is a twin too: `Mutation(identity=…)` has no effect in here.
    """

    variation: Any
    tries: int

    def start(self, space: Space) -> "RunningFunctionChanging":
        """Returns the variation of a space, which knows no keys yet."""
        return RunningFunctionChanging(space, self.variation.start(space), self.tries)


class RunningFunctionChanging:
    """`FunctionChanging` in one space; remembers the keys of the latest parents.

    Args:
      space: of the parents.
      variation: makes the children.
      tries: children that are made before one goes out that changes nothing.
    """

    def __init__(self, space: Space, variation: RunningVariation, tries: int) -> None:
        self._space, self._vary, self._tries = space, variation, tries
        self.parents = variation.parents
        self._known: OrderedDict[Any, _Keys] = OrderedDict()  # By candidate, the latest parent last.

    def __call__(self, parents: Sequence[Parent], rng: np.random.Generator) -> Proposal:
        """Returns a valid child whose static and numeric keys no parent has; the last one if there is none."""
        known = [keys for keys in (self._keys(parent.candidate) for parent in parents) if keys.valid]
        proposal = self._vary(parents, rng)
        for _ in range(self._tries - 1):
            child = _Keys(self._space, proposal.candidate)
            if child.valid and not any(child.same(parent) for parent in known):
                break
            proposal = self._vary(parents, rng)
        return proposal

    def _keys(self, candidate: Any) -> _Keys:
        keys = self._known.get(candidate) or _Keys(self._space, candidate)
        _remember(self._known, candidate, keys, _PARENTS)
        return keys


@pg.members(
    [
        ("algorithm", _ANY, "Who proposes."),
        ("limit", pg.typing.Int(min_value=1), "Trials of one behaviour, from which on it is refused."),
        ("tries", pg.typing.Int(20, min_value=1), "How often the algorithm is asked again for one proposal."),
    ],
    serialization_key="isozyme.Tabu",
)
class Tabu(pg.Object):
    """Refuses what has been explored too often, and asks the algorithm inside again.

    What counts are trials fed back, twins included, not those under way. A proposal is looked up by its static key: a
    numeric twin in a form that is new goes through, is counted with its behaviour, and is known from then on. An
    algorithm that insists to the end of all tries gets its way: starting points, migrants and promotions, which owe
    nothing to chance, are twins on purpose. Invalid proposals are refused from the first: they would be all that is
    left where everything valid has been explored.
    """

    algorithm: Any
    limit: int
    tries: int

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningTabu":
        """Returns a run with an empty list."""
        return RunningTabu(space, self.algorithm.start(space, objectives, stages), self.limit, self.tries)


class RunningTabu:
    """A run of `Tabu`.

    Args:
      space: what is searched.
      inner: who proposes.
      limit: trials of one behaviour, from which on it is refused.
      tries: how often the algorithm is asked again for one proposal.
    """

    def __init__(self, space: Space, inner: RunningAlgorithm, limit: int, tries: int) -> None:
        self._space, self._inner, self._limit, self._tries = space, inner, limit, tries
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._behaviours: OrderedDict[str, str] = OrderedDict()

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns the algorithm's first proposal that is not refused, or its last one."""
        proposal = self._inner.propose(number, rng)
        for _ in range(self._tries):
            if not self._refuses(proposal.candidate):
                break
            proposal = self._inner.propose(number, rng)  # The random numbers have moved on.
        return proposal

    def _refuses(self, candidate: Any) -> bool:
        if self._space.validate(candidate) is not None:
            return True
        behaviour = self._behaviours.get(static_key(self._space, candidate).hex())
        return behaviour is not None and self._counts.get(behaviour, 0) >= self._limit

    def feedback(self, trial: Trial) -> None:
        """Counts the trial, and passes it on."""
        static = trial.keys.static
        if not static and self._space.validate(trial.candidate) is None:  # Not made by a controller.
            static = static_key(self._space, trial.candidate).hex()
        if static:
            behaviour = trial.keys.behaviour or static
            _remember(self._behaviours, static, behaviour, _KEPT)
            _remember(self._counts, behaviour, self._counts.get(behaviour, 0) + 1, _KEPT)
        self._inner.feedback(trial)

    def snapshot(self) -> dict[str, Any] | None:
        """Returns the list, oldest first, and the algorithm's own."""
        inner = self._inner.snapshot()
        if inner is None:
            return None
        return {"counts": dict(self._counts), "behaviours": dict(self._behaviours), "algorithm": inner}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Takes in the list again."""
        self._counts, self._behaviours = OrderedDict(snapshot["counts"]), OrderedDict(snapshot["behaviours"])
        self._inner.restore(snapshot["algorithm"], trial)


def _remember(known: OrderedDict[Any, Any], key: Any, value: Any, room: int) -> None:
    """Makes an entry the newest; the oldest one leaves if there are more than `room`."""
    known[key] = value
    known.move_to_end(key)
    if len(known) > room:
        known.popitem(last=False)
