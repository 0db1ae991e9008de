"""The exam for search algorithms: ours sit it, and anyone's may.

from isozyme.search.exam import examine

assert examine(lambda: MyAlgorithm(population_size=20)) == []
"""

import json
from collections.abc import Callable
from typing import Any

import pyglove as pg

from isozyme.evaluators.protocol import Status
from isozyme.search.exam.toy_search import OBJECTIVES, OPTIMUM, SPACE, Events, PointsEvaluator, follow, record, rng
from isozyme.search.protocol import Algorithm, Proposal, RunningAlgorithm, Trial

Factory = Callable[[], Algorithm]

_TRIALS = 200
_SHORT = 60
_LONG = 2_000
_STAGES = (2, 3)
_FAILURES = tuple(status for status in Status if status not in (Status.OK, Status.PARTIAL))
_EVERYTHING = range(16)
_MOST = [point for point in _EVERYTHING if (point ^ OPTIMUM).bit_count() > 1]  # All but the optimum's neighbours.


def examine(make: Factory) -> list[str]:
    """Returns what an algorithm does wrong, in plain words; nothing if it passes.

    Args:
      make: new settings of the algorithm, with arguments that suit a search of 200 trials; populations of up to 500
        are full when it is measured whether the state grows.
    """
    findings = []
    for stages in _STAGES:
        for check in CHECKS:
            try:
                found = check(make, stages)
            except Exception as error:
                found = f"{(check.__doc__ or '').strip().rstrip('.')}: raised {type(error).__name__}: {error}"
            if found:
                findings.append(f"with {stages} stages: {found}")
    return findings


def _new(make: Factory, stages: int) -> RunningAlgorithm:
    return make().start(SPACE, OBJECTIVES, stages)


def _fault(events: Events, stages: int) -> str | None:
    """Returns what is wrong with the first proposal that is not one."""
    finished: set[int] = set()
    number = 0
    for event in events:
        if isinstance(event, Trial):
            finished.add(event.number)
            continue
        if (reason := SPACE.validate(event.candidate)) is not None:
            return f"trial {number}: proposes an invalid candidate, {reason}"
        if not finished.issuperset(event.parents):
            return f"trial {number}: names parents {event.parents}, not all of which have finished"
        if event.stages is not None and not 1 <= event.stages <= stages:
            return f"trial {number}: asks for {event.stages} stages of {stages}"
        number += 1
    return None


def _proposes_valid_candidates(make: Factory, stages: int) -> str | None:
    """Proposals in a plain search."""
    return _fault(record(make(), _TRIALS, PointsEvaluator(stages)), stages)


def _finds_the_optimum(make: Factory, stages: int) -> str | None:
    """The best of 16 points in 200 trials, no point evaluated twice."""
    return _missed(record(make(), _TRIALS, PointsEvaluator(stages)), stages)


def _missed(events: Events, stages: int) -> str | None:
    trials = [event for event in events if isinstance(event, Trial)]
    evaluations = [sum(t.taken <= stage < len(t.stages) for t in trials) for stage in range(stages)]
    if max(evaluations) > len(_EVERYTHING):
        return f"evaluates {evaluations} times at the stages, of 16 points"
    if not any(t.candidate[0] == OPTIMUM and t.status is Status.OK for t in trials):
        return f"does not find the best of 16 points in {_TRIALS} trials, or never with its full score"
    return None


def _repeats_itself(make: Factory, stages: int) -> str | None:
    """The same seed and feedback give the same proposals."""
    events = record(make(), _SHORT, PointsEvaluator(stages))
    number = follow(_new(make, stages), events)
    return None if number is None else f"trial {number}: the same seed and feedback lead to another proposal"


def _proposals_change_nothing(make: Factory, stages: int) -> str | None:
    """Asking more than once."""
    events = record(make(), _SHORT, PointsEvaluator(stages))
    number = follow(_new(make, stages), events, asks=3)
    return None if number is None else f"trial {number}: another proposal after being asked more often than needed"


def _runs_are_apart(make: Factory, stages: int) -> str | None:
    """Two runs of the same settings, at the same time."""
    settings = make()
    events = record(settings, _SHORT, PointsEvaluator(stages))
    others = record(settings, _SHORT, PointsEvaluator(stages, dict.fromkeys(_MOST, Status.CRASHED)), lag=7, seed=1)
    one, other = (settings.start(SPACE, OBJECTIVES, stages) for _ in range(2))
    numbers = [0, 0]
    for pair in zip(events, others, strict=True):
        for which, (running, event) in enumerate(zip((one, other), pair, strict=True)):
            if follow(running, [event], numbers[which], seed=which) is not None:
                return f"trial {numbers[which]}: another proposal while another run of the same settings goes on"
            numbers[which] += isinstance(event, Proposal)
    return None


def _settings_stay(make: Factory, stages: int) -> str | None:
    """Settings before and after a run."""
    used = make()
    comparable = pg.eq(used, make())  # Objects of a class of their own that says nothing of equality never are.
    record(used, _SHORT, PointsEvaluator(stages))
    return "a run changes the settings that it was started from" if comparable and pg.ne(used, make()) else None


def _survives_failures(make: Factory, stages: int) -> str | None:
    """Candidates that fail, in every way, some of them or all."""
    for status in (*_FAILURES, Status.PARTIAL):
        evaluator = PointsEvaluator(stages, dict.fromkeys(_EVERYTHING, status))
        if fault := _fault(record(make(), _SHORT, evaluator), stages):
            return f"when all trials end as {status}: {fault}"
    for status in _FAILURES:
        events = record(make(), _TRIALS, PointsEvaluator(stages, dict.fromkeys(_MOST, status)))
        if fault := _fault(events, stages) or _missed(events, stages) or _tempted(events):
            return f"when most points end as {status}, with tempting metrics: {fault}"
    return None


def _tempted(events: Events) -> str | None:
    """Returns a finding if most parents in the second half of a search are failures."""
    failed = {event.number: event.status in _FAILURES for event in events if isinstance(event, Trial)}
    proposals = [event for event in events if isinstance(event, Proposal)]
    parents = [failed[parent] for proposal in proposals[_TRIALS // 2 :] for parent in proposal.parents]
    return (
        f"{sum(parents)} of the last {len(parents)} parents are failures" if sum(parents) * 2 > len(parents) else None
    )


def _works_at_any_lag(make: Factory, stages: int) -> str | None:
    """One trial under way or many, which finish in any order."""
    for lag, shuffled in ((1, False), (16, False), (8, True)):
        events = record(make(), _TRIALS, PointsEvaluator(stages), lag=lag, shuffled=shuffled)
        if fault := _fault(events, stages) or _missed(events, stages):
            return f"with {lag} trials under way{', finishing in any order' if shuffled else ''}: {fault}"
    return None


def _takes_in_what_it_did_not_propose(make: Factory, stages: int) -> str | None:
    """Trials of another search, which an outer algorithm or a person may start it with."""
    algorithm = _new(make, stages)
    for number, point in enumerate([*_EVERYTHING, *_EVERYTHING]):
        metrics = {"loss": float(point % 7), "weight": float(point.bit_count())}
        trial = Trial(
            number, Proposal((point, 0)), Status.OK, metrics=metrics, stages=(metrics,) * stages, taken=stages
        )
        algorithm.feedback(trial)
    proposals: Events = [algorithm.propose(number, rng(1, number)) for number in range(32, 64)]
    invalid = [p for p in proposals if not isinstance(p, Proposal) or SPACE.validate(p.candidate)]
    return f"after trials it did not propose: proposes {invalid[0]!r}" if invalid else None


def _restores_its_snapshots(make: Factory, stages: int) -> str | None:
    """Snapshot and restore anywhere in a search."""
    events = record(make(), _SHORT, PointsEvaluator(stages), shuffled=True)
    trials = {event.number: event for event in events if isinstance(event, Trial)}
    for cut in range(0, len(events), 5):
        algorithm = _new(make, stages)
        follow(algorithm, events[:cut])
        snapshot = algorithm.snapshot()
        if snapshot is None:
            return None  # Only a replay restores it, which the other checks are about.
        text = json.dumps(snapshot, allow_nan=False)
        if json.loads(text) != snapshot:
            return "the snapshot is not plain JSON: it comes back from text as something else"
        restored = _new(make, stages)
        restored.restore(json.loads(text), trials.__getitem__)
        proposed = sum(isinstance(event, Proposal) for event in events[:cut])
        for one, what in ((restored, "restored from"), (algorithm, "that had made")):
            if (number := follow(one, events[cut:], proposed)) is not None:
                return f"trial {number}: another proposal by an algorithm {what} a snapshot at trial {proposed}"
    return None


def _stays_small(make: Factory, stages: int) -> str | None:
    """A long search."""
    events = record(make(), _LONG, PointsEvaluator(stages))
    algorithm = _new(make, stages)
    sizes: list[int] = []
    for i, event in enumerate(event for event in events if isinstance(event, Trial)):
        algorithm.feedback(event)
        if i % 50 == 49:
            sizes.append(len(json.dumps(algorithm.snapshot())))
    earlier, later = max(sizes[len(sizes) // 4 : len(sizes) // 2]), max(sizes[len(sizes) * 3 // 4 :])
    if later > 1.25 * earlier + 100:
        return f"the snapshot grows with the number of trials: {earlier} characters, then {later}"
    return None


# The docstring of a check names what it looks at: it heads the finding where the algorithm raises an error.
CHECKS: tuple[Callable[[Factory, int], Any], ...] = (
    _proposes_valid_candidates,
    _finds_the_optimum,
    _repeats_itself,
    _proposals_change_nothing,
    _runs_are_apart,
    _settings_stay,
    _survives_failures,
    _works_at_any_lag,
    _takes_in_what_it_did_not_propose,
    _restores_its_snapshots,
    _stays_small,
)
