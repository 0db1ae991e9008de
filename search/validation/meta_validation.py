"""Looks whether what the search finds better is better elsewhere too (Lion, arXiv 2302.06675, section 2.4).

Every so many trials the incumbent, the best trial so far, and the space's first reference are evaluated on tasks that
the search never sees, with seeds of that look alone. Tasks take turns, so that stopping early does not choose for one
of them. A search meta-overfits when its own score goes on improving while the difference to the reference grows again.
"""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pyglove as pg

from isozyme.evaluators.protocol import Outcome, Status, stages_of
from isozyme.search.executors.protocol import Request
from isozyme.search.executors.stages import Alarm, run_request
from isozyme.search.journal.journal import Journal
from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import Trial
from isozyme.search.rules import Rules

_EVALUATOR: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]


@pg.members(
    [
        ("evaluators", pg.typing.List(_EVALUATOR, min_size=1), "Tasks that the search never sees; they take turns."),
        ("every", pg.typing.Int(2000, min_value=1), "Trials between looks."),
        (
            "patience",
            pg.typing.Int(min_value=1).noneable(),
            "Looks without a better one that end the run; None: it is only watched.",
        ),
    ],
    serialization_key="isozyme.MetaValidation",
)
class MetaValidation(pg.Object):
    """When to look at the incumbent on other tasks, on which ones, and for how long it may get worse."""

    evaluators: list[Any]
    every: int
    patience: int | None


class Look(NamedTuple):
    """One comparison with the reference, in the first objective turned so that less is better.

    Attributes:
      trials: how many had been fed back.
      incumbent: number of the best trial then.
      search: its cost in the search.
      difference: its cost on the look's task less the reference's; below 0 it is better. Infinite if either failed.
    """

    trials: int
    incumbent: int
    search: float
    difference: float


class MetaValidator:
    """A listener of the controller that looks, in the controller's process, and keeps each look in the journal.

    Args:
      settings: when and on what.
      rules: of the run; the first reference of their space is what incumbents are compared with.
      journal: open for writing; looks that it holds are not made again.
      listener: called with each new look's step and values.
    """

    def __init__(
        self,
        settings: MetaValidation,
        rules: Rules,
        journal: Journal,
        listener: Callable[[int, dict[str, float]], None],
    ) -> None:
        self._evaluators, self._every, self._patience = list(settings.evaluators), settings.every, settings.patience
        self._rules, self._journal, self._listener = rules, journal, listener
        self._reference = next(iter(rules.space.references.values()))
        self._ready: set[int] = set()
        self._known = looks(journal)
        self._due = 0
        self._rounds: tuple[int, list[float]] = 0, []

    def begin(self, trials: int) -> None:
        """Takes the looks of so many trials, which were restored at once, as made."""
        self._due = trials // self._every

    def __call__(self, trial: Trial, progress: Progress) -> None:
        """Looks if it is time for it."""
        del trial
        if progress.trials % self._every:
            return
        number = self._due
        self._due += 1
        if number >= len(self._known):
            self._known.append(self._look(number, progress))
            self._journal.set_meta(_name(number), json.dumps(self._known[number]))
            self._listener(progress.trials, self.values())

    def _look(self, number: int, progress: Progress) -> Look:
        best = progress.best
        if best is None:
            return Look(progress.trials, -1, math.inf, math.inf)
        turn, evaluation = number % len(self._evaluators), number // len(self._evaluators)
        incumbent, reference = (self._evaluate(turn, evaluation, one) for one in (best.candidate, self._reference))
        difference = incumbent - reference if max(incumbent, reference) < math.inf else math.inf
        return Look(progress.trials, best.number, progress.best_cost, difference)

    def _evaluate(self, turn: int, evaluation: int, candidate: Any) -> float:
        evaluator = self._evaluators[turn]
        if turn not in self._ready:
            self._ready.add(turn)
            evaluator.setup(self._rules.space, self._rules.seed)
        full = stages_of(evaluator) - 1
        request = Request(candidate, "search", full, full, evaluation=evaluation)
        outcome: Outcome = run_request(evaluator, request, None, Alarm(None))[-1]
        return self._rules.cost(outcome.metrics) if outcome.status is Status.OK else math.inf

    def in_words(self) -> str:
        """Puts all looks so far into one line."""
        return in_words(self.looks, len(self._evaluators))

    @property
    def looks(self) -> Sequence[Look]:
        """Up to what has been fed back: those that an earlier session made later do not count yet."""
        return self._known[: self._due]

    def rounds(self) -> list[float]:
        """Returns the mean differences of rounds, see the function `rounds`."""
        if self._rounds[0] != self._due:  # Asked before every proposal.
            self._rounds = self._due, rounds(self.looks, len(self._evaluators))
        return self._rounds[1]

    def best_incumbents(self, count: int) -> list[int]:
        """Returns up to so many trials that were the incumbents of the best rounds, the best first."""
        turns, rounds = len(self._evaluators), self.rounds()
        ranked = sorted((mean, self.looks[i + turns - 1].incumbent) for i, mean in enumerate(rounds))
        return list(dict.fromkeys(number for mean, number in ranked if mean < math.inf))[:count]

    def divergence(self) -> float:
        """Returns how much worse the latest round is than the best one, 0 before there are two."""
        rounds = self.rounds()
        return rounds[-1] - min(rounds) if rounds and rounds[-1] > min(rounds) else 0.0

    def overfits(self) -> bool:
        """Tells whether so many looks have brought nothing better that the run is to end."""
        if self._patience is None:
            return False
        rounds = self.rounds()
        least = min(rounds, default=math.inf)
        return least < math.inf and len(rounds) - 1 - rounds.index(least) >= self._patience

    def values(self) -> dict[str, float]:
        """Returns what a display shows of the latest look: finite numbers by name."""
        latest, rounds = self.looks[-1], self.rounds()
        found = {"search": latest.search, "difference": latest.difference}
        if rounds and math.isfinite(rounds[-1]):
            found |= {"round": rounds[-1], "divergence": self.divergence()}
        return {name: value for name, value in found.items() if math.isfinite(value)}


def rounds(seen: Sequence[Look], tasks: int) -> list[float]:
    """Returns the mean difference over the latest look of every task, after each look from the first full round on.

    Looks at different tasks do not compare: rounds do.
    """
    return [sum(look.difference for look in seen[end - tasks : end]) / tasks for end in range(tasks, len(seen) + 1)]


def in_words(seen: Sequence[Look], tasks: int) -> str:
    """Puts the looks of a run into one line."""
    text = f"{len(seen)} looks at other tasks, {tasks} in turn"
    means = rounds(seen, tasks)
    if not means:
        return text
    after = seen[means.index(min(means)) + tasks - 1].trials
    return (
        f"{text}: least mean difference to the reference {min(means):.4f} after {after} trials, latest {means[-1]:.4f}"
    )


def looks(journal: Journal) -> list[Look]:
    """Reads the looks that a run has made so far."""
    found: list[Look] = []
    while (text := journal.meta(_name(len(found)))) is not None:
        found.append(Look(*json.loads(text)))
    return found


def _name(number: int) -> str:
    return f"meta_validation/{number}"
