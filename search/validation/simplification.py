"""Makes a found candidate simpler: what keeps behaviour is taken on its key, anything else on a test of no loss.

Lion simplified its winner by hand (arXiv 2302.06675, section 2.5); this is the same in a machine's hands, with the
evidence of every step. A reduction is taken if it is not inferior (a one-sided test on paired relative differences)
to the best candidate so far, the one that was found included: so small losses cannot add up, and what a step gains is
not spent by the next one. The result is compared with what was found once more, on evaluations that no step has seen.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyglove as pg

from isozyme.search.validation.held_out_assessment import twin_key

Costs = Callable[[Sequence[Any], Sequence[int]], np.ndarray]
"""(candidates, evaluations) -> costs [candidates, evaluations], less is better; infinite where an evaluation failed.

An evaluation stands for random numbers (seeds, batches) that all candidates share, so that costs compare in pairs."""

_FIRST_LOOK = 3  # evaluations; twice as many at every further look


class Step(NamedTuple):
    """One attempt.

    Attributes:
      description: what was changed, in one line.
      evidence: what speaks for it or against it, in one line with figures.
      accepted: whether the next steps go on from it.
      candidate: after the change.
    """

    description: str
    evidence: str
    accepted: bool
    candidate: Any


@pg.members(
    [
        ("evaluations", pg.typing.Int(12, min_value=3), "Of a reduction that is taken; as many confirm the end."),
        ("margin", pg.typing.Float(0.005, min_value=0.0), "Largest relative loss that counts as none."),
        ("confidence", pg.typing.Float(0.95, min_value=0.5, max_value=0.9999), "Of the loss being smaller than that."),
    ],
    serialization_key="isozyme.Simplification",
)
class Simplification(pg.Object):
    """How a candidate is simplified.

    The confidence is that of one test. Many reductions are tried on the same evaluations, so the result is tested once
    more on evaluations that no step has seen.
    """

    evaluations: int
    margin: float
    confidence: float


def simplify(space: Any, candidate: Any, costs: Costs, settings: Simplification) -> list[Step]:
    """Simplifies until nothing that the space offers is taken any more.

    Args:
      space: offers, besides what every space does, `simplifications(candidate)` and `reductions(candidate)`: lists of
        (description, candidate). The first are successive changes that keep behaviour; the second are alternatives,
        each simpler than the candidate, the most promising first.
      candidate: as found.
      costs: see `Costs`. Evaluations 0 to `evaluations - 1` judge reductions, the next as many the result.
      settings: of the tests.

    Returns:
      all attempts in order, from the candidate as found on; see `result`.
    """
    return list(attempts(space, candidate, costs, settings))


def attempts(space: Any, candidate: Any, costs: Costs, settings: Simplification) -> Iterator[Step]:
    """Yields what `simplify` returns, one step after the other, as soon as it is known."""
    comparison = _Comparison(candidate, costs, settings)
    steps = [Step("as found", comparison.summary(), True, candidate), *_equal_steps(space, candidate)]
    yield from steps
    if not comparison.possible:
        return
    tried, refused = {twin_key(space, candidate)}, set[str]()
    stages = [result(steps)]
    while True:
        taken = []
        for step in _reduction_steps(space, stages[-1], comparison, tried, refused):
            yield step
            taken += [step.candidate] * step.accepted
        if not taken:
            break
        stages.append(taken[-1])
    yield from _confirmation_steps(stages, comparison)


def result(steps: Sequence[Step]) -> Any:
    """Returns the candidate of the last accepted step."""
    return next(step.candidate for step in reversed(steps) if step.accepted)


def _equal_steps(space: Any, candidate: Any) -> list[Step]:
    """Returns the steps that keep behaviour, each with the key that proves it."""
    steps = []
    key = twin_key(space, candidate)
    for description, simpler in space.simplifications(candidate):
        if simpler != candidate:
            same = twin_key(space, simpler) == key
            evidence = f"key {key.hex()[:12]} {'as before' if same else 'is lost'}"
            steps.append(Step(description, evidence, same, simpler))
    return steps


def _reduction_steps(
    space: Any, current: Any, comparison: "_Comparison", tried: set[bytes], refused: set[str]
) -> Iterator[Step]:
    """Yields attempts up to the first reduction that is taken, and the steps that keep behaviour from there.

    A reduction that was refused for an earlier candidate comes last, since it hardly ever does better on a successor.
    """
    for description, reduced in sorted(space.reductions(current), key=lambda offer: offer[0] in refused):
        key = twin_key(space, reduced)
        if key not in tried:
            tried.add(key)
            accepted, evidence = comparison.test(reduced)
            yield Step(description, evidence, accepted, reduced)
            if accepted:
                yield from _equal_steps(space, reduced)
                return
            refused.add(description)


def _confirmation_steps(stages: Sequence[Any], comparison: "_Comparison") -> Iterator[Step]:
    """Tests the result on fresh evaluations; if it fails, the one before it, and so on down to what keeps behaviour."""
    for candidate in reversed(stages[1:]):
        accepted, evidence = comparison.confirm(candidate)
        yield Step("confirmed on fresh evaluations" if accepted else "not confirmed", evidence, accepted, candidate)
        if accepted:
            return
    if len(stages) > 1:
        yield Step("back to what keeps behaviour", "the same key as found", True, stages[0])


class _Comparison:
    """Compares candidates in pairs with the best one so far, and in the end with the one that was found."""

    def __init__(self, original: Any, costs: Costs, settings: Simplification) -> None:
        self._original, self._costs, self._settings = original, costs, settings
        self._best = costs([original], range(settings.evaluations))[
            0
        ]  # Only the better replaces it: losses never add up.
        self.possible = bool(np.isfinite(self._best).all() and (self._best != 0.0).all())

    def summary(self) -> str:
        """Says what the original costs."""
        spread = np.std(self._best, ddof=1) if self.possible else np.nan
        failed = "" if self.possible else "; without finite costs other than 0 nothing can be compared with it"
        mean, count = np.mean(self._best), len(self._best)
        return f"cost {mean:.6g}, standard deviation {spread:.2g} over {count} evaluations{failed}"

    def test(self, candidate: Any) -> tuple[bool, str]:
        """Tells whether a candidate is no worse than the best one so far, with figures; hopeless tests end early."""
        accepted, evidence, found = self._judge(candidate, self._best, 0)
        if accepted and found.mean() < self._best.mean():
            self._best = found
        return accepted, evidence

    def confirm(self, candidate: Any) -> tuple[bool, str]:
        """Tells whether a candidate is no worse than the one that was found, on evaluations that no step has seen."""
        accepted, evidence, _ = self._judge(candidate, self._fresh, self._settings.evaluations)
        return accepted, evidence

    @cached_property
    def _fresh(self) -> np.ndarray:
        """The costs of the original on the evaluations that confirm."""
        evaluations = self._settings.evaluations
        return self._costs([self._original], range(evaluations, 2 * evaluations))[0]

    def _judge(self, candidate: Any, old: np.ndarray, first: int) -> tuple[bool, str, np.ndarray]:
        evaluations, found, look = self._settings.evaluations, np.zeros(0), _FIRST_LOOK
        losses = np.zeros(0)
        while len(found) < evaluations:
            new = range(first + len(found), first + min(look, evaluations))
            found = np.append(found, self._costs([candidate], new)[0])
            with np.errstate(all="ignore"):
                losses = (found - old[: len(found)]) / np.abs(old[: len(found)])
            if not np.isfinite(losses).all():
                failures = np.count_nonzero(~np.isfinite(losses))
                return False, f"{failures} of {len(losses)} evaluations failed", found
            if self._hopeless(losses):
                break
            look *= 2
        bound = _upper_bound(losses, self._settings.confidence, len(losses))
        evidence = (
            f"cost {losses.mean():+.2%}, at most {bound:+.2%} with confidence {self._settings.confidence:g}, "
            f"over {len(losses)} evaluations; margin {self._settings.margin:.2%}"
        )
        return len(losses) == evaluations and bool(bound < self._settings.margin), evidence, found

    def _hopeless(self, losses: np.ndarray) -> bool:
        """Tells whether all evaluations together would not do, even if the true mean lay a standard error lower."""
        lower = losses - np.std(losses, ddof=1) / np.sqrt(len(losses))
        return _upper_bound(lower, self._settings.confidence, self._settings.evaluations) >= self._settings.margin


def _upper_bound(losses: np.ndarray, confidence: float, evaluations: int) -> float:
    """Returns the one-sided upper bound of the mean of so many evaluations, by Student's t."""
    from scipy import stats

    return float(
        losses.mean() + stats.t.ppf(confidence, evaluations - 1) * np.std(losses, ddof=1) / np.sqrt(evaluations)
    )
