"""Leads the best of a search through costlier and costlier proxies; only what beats the tuned baseline moves on.

Lion (arXiv 2302.06675; lion.md, section 7) took what it had found on its proxy A to a task B of 10 and a task C of 100
times the cost. Here both sides are evaluated with the same seeds, and moving on takes an interval below the baseline.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pyglove as pg

from isozyme.evaluators.protocol import Evaluator, stages_of
from isozyme.hashing import digest
from isozyme.search.executors.protocol import Executor, SetupFailed
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Trial
from isozyme.search.validation.held_out_assessment import HeldOutAssessor, twin_key
from isozyme.search.validation.paired_test import Interval, paired_costs, relative_differences, t_interval
from isozyme.spaces.abilities import Tunable, WithBaselines, offered
from isozyme.spaces.protocol import Space

_STRIDE = 100  # evaluations: rung k takes those from 1 + 100 k on, so that no two rungs share seeds
_RUNGS = 9
FRESH = (_RUNGS + 1) * _STRIDE
"""The first evaluation that no funnel takes."""

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]

Executors = Callable[[Evaluator], Executor]
"""Makes what runs an evaluator; it starts when it is first used."""


@pg.members(
    [
        ("name", pg.typing.Str(), "Names it in tables and in the journal."),
        ("evaluator", _ANY, "A costlier proxy, with the metric of the first objective: an `evaluators.Evaluator`."),
        (
            "evaluations",
            pg.typing.Int(8, min_value=2, max_value=_STRIDE),
            "Paired evaluations of candidates and baseline.",
        ),
        ("keep", pg.typing.Int(8, min_value=1), "At most so many candidates move on."),
    ],
    serialization_key="isozyme.Rung",
)
class Rung(pg.Object):
    """One proxy of a funnel. An evaluation takes the evaluator's repeats of the closing splits; one repeat is enough.

    Evaluations have no time limit here: what comes so far has kept that of the search.
    """

    name: str
    evaluator: Any
    evaluations: int
    keep: int

    def _on_bound(self) -> None:
        super()._on_bound()
        if not callable(getattr(self.sym_init_args["evaluator"], "evaluate", None)):
            raise TypeError(f"rung {self.name}: evaluator is {self.evaluator!r}, which has no method evaluate()")

    @property
    def place(self) -> str:
        """Where the journal keeps what the evaluator depends on: another one of the same name starts afresh."""
        return f"conditions/funnel/{self.name}/{digest(pg.to_json_str(self.evaluator).encode()).hex()[:16]}"


class RungVerdict(NamedTuple):
    """How one candidate did on a rung.

    Attributes:
      trial: its number.
      tuning: which of the space's tunings of the candidate it is, empty where the space has none.
      difference: the interval of its cost over the baseline's, as a share of that; below 0 is better.
      passed: whether it moves on.
    """

    trial: int
    tuning: str
    difference: Interval
    passed: bool


class Comparison(NamedTuple):
    """What came of one rung.

    Attributes:
      rung: its name.
      evaluations: paired evaluations behind each interval.
      confidence: of the intervals.
      baseline: the name of the best of the tuned baselines, which says its constants.
      source: its text.
      cost: its mean cost over the evaluations.
      verdicts: on all candidates that came here, the best mean first.
    """

    rung: str
    evaluations: int
    confidence: float
    baseline: str
    source: str
    cost: float
    verdicts: tuple[RungVerdict, ...]


@pg.members(
    [
        ("rungs", pg.typing.List(pg.typing.Object(Rung), min_size=1, max_size=_RUNGS), "The cheapest first."),
        ("confidence", pg.typing.Float(0.95, min_value=0.5, max_value=0.9999), "Of the two-sided intervals."),
    ],
    serialization_key="isozyme.Funnel",
)
class Funnel(pg.Object):
    """What the finalists of a run go through before one of them is called the winner.

    On each rung the space's baselines and the candidates are tuned, on the split that guides a search; the best of the
    baselines and the candidates then meet on the selection split over fresh paired evaluations. A candidate moves on if
    the interval of its relative difference to the baseline lies below 0.
    """

    rungs: list[Rung]
    confidence: float

    def _on_bound(self) -> None:
        super()._on_bound()
        names = [rung.name for rung in self.rungs]
        if len(set(names)) < len(names):
            raise ValueError(f"rungs are named {names}: every name must be there once, figures bear it")

    def prepare(self) -> None:
        """Gets the data of all rungs in place; raises `DataUnavailable`."""
        for rung in self.rungs:
            rung.evaluator.prepare()

    def run(
        self, trials: Sequence[Trial], assessor: HeldOutAssessor, executors: Executors, objective: Objective
    ) -> list[Comparison]:
        """Leads candidates through the rungs, until none is left; twins go once.

        Args:
          trials: whose candidates are to be compared.
          assessor: of the run; evaluators of the rungs take turns with its own.
          executors: for the evaluators of the rungs.
          objective: what is compared.

        Raises:
          SetupFailed: no baseline is scored on a rung.
        """
        distinct: dict[bytes, Trial] = {}
        for trial in trials:
            distinct.setdefault(twin_key(assessor.space, trial.candidate), trial)
        climbing, found = list(distinct.values()), []
        for index, rung in enumerate(self.rungs):
            fresh = range(1 + index * _STRIDE, 1 + index * _STRIDE + rung.evaluations)
            executor = executors(rung.evaluator)
            with assessor.elsewhere(executor, stages_of(rung.evaluator), rung.place) as here:
                found.append(self._compare(rung, climbing, fresh, here, objective))
            passed = {verdict.trial for verdict in found[-1].verdicts if verdict.passed}
            climbing = [trial for trial in climbing if trial.number in passed]
            if not climbing:
                break
        return found

    def _compare(
        self, rung: Rung, trials: Sequence[Trial], evaluations: range, assessor: HeldOutAssessor, objective: Objective
    ) -> Comparison:
        space = assessor.space
        named = baselines(space)
        (name,) = _best_names([named], assessor, objective)
        if name is None:
            raise SetupFailed(f"funnel: on rung {rung.name} no baseline is scored: {_why(named, assessor, objective)}")
        tuned, candidates = _tuned_candidates([trial.candidate for trial in trials], assessor, objective)
        table = paired_costs(assessor, [named[name], *candidates], evaluations, "selection", objective)
        intervals = [t_interval(row, self.confidence) for row in relative_differences(table[1:], table[0])]
        order = sorted(range(len(trials)), key=lambda i: intervals[i].mean)
        passed = [i for i in order if intervals[i].high < 0.0][: rung.keep]
        verdicts = tuple(RungVerdict(trials[i].number, tuned[i], intervals[i], i in passed) for i in order)
        cost = float(table[0].mean())
        return Comparison(
            rung.name, len(evaluations), self.confidence, name, space.to_source(named[name]), cost, verdicts
        )


def best_trial(comparisons: Sequence[Comparison]) -> int | None:
    """Returns the trial that is best on the last rung that any passed; None if nothing beat the tuned baseline."""
    for comparison in reversed(comparisons):
        for verdict in comparison.verdicts:
            if verdict.passed:
                return verdict.trial
    return None


def baselines(space: Space) -> Mapping[str, Any]:
    """What a funnel tunes: the baselines of a space, or its references where it names none."""
    defended = offered(space, WithBaselines)
    return (defended.baselines if defended is not None else {}) or space.references


def _tuned_candidates(
    candidates: Sequence[Any], assessor: HeldOutAssessor, objective: Objective
) -> tuple[Sequence[str], Sequence[Any]]:
    """Returns names and candidates of the best tunings; the candidates themselves where the space cannot tune them."""
    tunable = offered(assessor.space, Tunable)
    if tunable is None:
        return [""] * len(candidates), candidates
    choices = [tunable.tunings(candidate) for candidate in candidates]
    names = [
        name or next(iter(one)) for name, one in zip(_best_names(choices, assessor, objective), choices, strict=True)
    ]
    return names, [one[name] for name, one in zip(names, choices, strict=True)]


def _best_names(
    choices: Sequence[Mapping[str, Any]], assessor: HeldOutAssessor, objective: Objective
) -> list[str | None]:
    """Returns the name of the best of each on the split 'search', in evaluation 0; None where none has a score."""
    everything = [candidate for named in choices for candidate in named.values()]
    scores = iter(paired_costs(assessor, everything, [0], "search", objective)[:, 0])
    found: list[str | None] = []
    for named in choices:
        cost, name = min(((next(scores), name) for name in named), default=(math.inf, None))
        found.append(name if cost < math.inf else None)
    return found


def _why(named: Mapping[str, Any], assessor: HeldOutAssessor, objective: Objective) -> str:
    if not named:
        return "the space has neither baselines nor references"
    (outcome,) = assessor.assess([next(iter(named.values()))], "search")  # From the journal.
    return outcome.reason or f"its evaluator has no metric {objective.metric!r}"
