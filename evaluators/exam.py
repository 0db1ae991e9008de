"""The exam for evaluators: ours sit it, and anyone's may.

from isozyme.evaluators.exam import examine

assert examine(MyEvaluator(), MySpace(), metrics=["loss"]) == []
"""

import math
import pickle
import shutil
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from isozyme.evaluators.protocol import (
    SPLITS,
    Evaluator,
    Job,
    Measuring,
    Outcome,
    Status,
    keeps_artifacts_of,
    measured_of,
    stage_metric_of,
    stages_of,
)
from isozyme.spaces.exam.another_process import Unreachable, call
from isozyme.spaces.exam.findings import Check, findings, shown, words
from isozyme.spaces.protocol import Space

_RANDOM, _SEARCHED, _WILD = 3, 200, 2
_SEED, _OTHER_SEED = 0, 1
_MEASUREMENTS = 3  # Fewer have no spread to speak of.

Answers = list[tuple[Job, Any]]
"""Jobs, each with what the evaluator answered."""


class Examined:
    """An evaluator under examination, with all that it is asked.

    Attributes:
      pickled: the evaluator and its space, from which copies are made: in a worker they start in the same way.
      metrics: what the last stage or the space's `form` has to give.
      candidates: few, since evaluations may take long; some of them likely to fail.
      evaluator, space: a copy of both that has been set up.
    """

    def __init__(self, pickled: bytes, metrics: Sequence[str], candidates: Sequence[Any]) -> None:
        self.pickled, self.metrics, self.candidates = pickled, metrics, candidates
        self.evaluator, self.space = started(pickled)

    @property
    def jobs(self) -> list[Job]:
        """Asks for all stages on the search split and for the full run on the others."""
        last = stages_of(self.evaluator) - 1
        stages = {split: range(last + 1) if split == SPLITS[0] else [last] for split in SPLITS}
        return [Job(one, split, stage) for one in self.candidates for split in SPLITS for stage in stages[split]]

    @cached_property
    def answers(self) -> Answers:
        """Holds the answers to all jobs, which are evaluated once."""
        return answers(self.evaluator, self.jobs)

    def described(self, job: Job) -> str:
        """Puts a job into words."""
        return f"stage {job.stage} on {job.split} of {self.space.to_source(job.candidate)!r:.80}"


def started(pickled: bytes, seed: int = _SEED) -> tuple[Any, Any]:
    """Makes a copy of an evaluator and of its space, and sets it up."""
    evaluator, space = pickle.loads(pickled)
    evaluator.prepare()
    evaluator.setup(space, seed)
    return evaluator, space


def answers(evaluator: Evaluator, jobs: Sequence[Job]) -> Answers:
    """Evaluates jobs one by one; whatever is raised becomes an outcome, as in a search."""
    answered: Answers = []
    for job in jobs:
        try:
            (outcome,) = evaluator.evaluate([job])
        except Exception as error:
            outcome = Outcome(Status.CRASHED, words(error))
        answered.append((job, outcome))
    return answered


def answers_of_a_copy(pickled: bytes, jobs: Sequence[Job]) -> Answers:
    """Evaluates jobs by a new copy; a function of this module, so that it can be sent to another process."""
    return answers(started(pickled)[0], jobs)


def examine(evaluator: Evaluator, space: Space, metrics: Sequence[str] = ()) -> list[str]:
    """Finds what an evaluator does wrong.

    The checks come in rounds, and a round that finds something is the last. Half a dozen candidates are evaluated about
    twenty times each, by four copies of the evaluator, one of them in another process: give it short tasks.

    Args:
      evaluator: as it is configured, not set up. Its class must be one that can be imported, as it must for workers.
      space: what it evaluates, which passes its own exam (`isozyme.spaces.exam`).
      metrics: names that the objectives of a search look at.

    Returns:
      findings in plain words, a line each; none if it passes.
    """
    try:
        examined = Examined(pickle.dumps((evaluator, space)), metrics, _candidates(space))
    except Exception as error:
        return [f"It can be sent to workers and set up there: raised {words(error)}"]
    return findings(ROUNDS, examined)


def _candidates(space: Space) -> Sequence[Any]:
    """Picks a starting point, random ones, and of many random ones those that do most and least on the probe."""
    rng = np.random.default_rng(_SEED)
    many = [space.random(rng) for _ in range(_SEARCHED)]
    some = many[:_RANDOM]
    many.sort(key=lambda one: _size(space.probe(one)))
    return list(dict.fromkeys([space.initial(rng), *some, *many[-_WILD:], many[0]]))


def _size(arrays: Sequence[np.ndarray] | None) -> float:
    """Finds the largest absolute number; infinite where one is not finite."""
    largest = max((float(np.abs(a).max()) for a in arrays or ()), default=0.0)
    return largest if math.isfinite(largest) else math.inf


def _score(outcome: Outcome) -> tuple[str, dict[str, float]]:
    """Keeps what has to repeat itself of an outcome: everything but times and words."""
    return str(outcome.status), {name: float(value) for name, value in outcome.metrics.items()}


def _scores(answered: Answers) -> list[tuple[str, dict[str, float]]]:
    return [_score(outcome) for _, outcome in answered]


def _differing(examined: Examined, answered: Answers, when: str) -> str | None:
    """Describes the first job that was answered otherwise than at first."""
    for (job, one), (_, other) in zip(examined.answers, answered, strict=True):
        if _score(one) != _score(other):
            return f"{examined.described(job)} gives {_score(one)[1]}, and {when} {_score(other)[1]}"
    return None


def _answers_each_job(examined: Examined) -> str | None:
    """An outcome for each job: finite numbers, or a failure with a reason."""
    for job, outcome in examined.answers:
        if (wrong := _wrong(outcome)) is not None:
            return f"{examined.described(job)}: {wrong}"
    return None


def _wrong(outcome: Any) -> str | None:
    if not isinstance(outcome, Outcome):
        return f"gives {shown(outcome)}; expected is an Outcome"
    infinite = {name: value for name, value in outcome.metrics.items() if not math.isfinite(value)}
    if infinite:
        return f"gives {outcome.status} with {infinite}; expected is diverged, a reason, and finite metrics alone"
    if outcome.status is Status.OK:
        return None if outcome.metrics and not outcome.reason else f"gives ok without metrics, or a reason: {outcome}"
    lines = (outcome.reason or "").splitlines()
    return (
        None if len(lines) == 1 else f"gives {outcome.status} for {outcome.reason!r}; expected is a line that says why"
    )


def _tells_conditions(examined: Examined) -> str | None:
    """`prepare` may come twice, and `conditions` tell splits apart."""
    examined.evaluator.prepare()
    conditions = [examined.evaluator.conditions(split) for split in SPLITS]
    if not all(isinstance(text, str) and text for text in conditions):
        return f"conditions gives {shown(conditions)}; expected are texts"
    if len(set(conditions)) < len(SPLITS):
        return f"conditions are {shown(conditions)} on {', '.join(SPLITS)}; expected are different ones"
    return None


def _names_metrics(examined: Examined) -> str | None:
    """Each stage has its metrics, the same for all candidates; objectives and hurdles find theirs, none is a form's."""
    form, last = set(examined.space.form(examined.candidates[0])), stages_of(examined.evaluator) - 1
    names: dict[int, set[str]] = {}
    for job, outcome in examined.answers:
        if outcome.status is Status.OK:
            found, known = set(outcome.metrics), names.setdefault(job.stage, set(outcome.metrics))
            if found != known:
                return f"{examined.described(job)} gives {sorted(found)}, another candidate {sorted(known)}"
    if last not in names:
        reasons = [outcome.reason for _, outcome in examined.answers if outcome.reason]
        return f"none of {len(examined.candidates)} candidates gets through all stages; the first reason: {reasons[0]}"
    measured = set(measured_of(examined.evaluator))
    if missing := sorted(set(examined.metrics) - names[last] - form - measured):
        return f"objectives name {missing}; the last stage gives {sorted(names[last])}, the space {sorted(form)}"
    compared = stage_metric_of(examined.evaluator)
    for stage in range(last):
        if compared is not None and stage in names and compared not in names[stage]:
            return f"stage_metric is {compared!r}; stage {stage} gives {sorted(names[stage])}"
    if common := sorted(form & set().union(*names.values())):
        return f"{common} come from the evaluator and from the space's form; give them different names"
    return None


def _repeats_itself(examined: Examined) -> str | None:
    """A copy with the same seed has the same conditions and, for the same jobs in another order, the same metrics."""
    copy, _ = started(examined.pickled)
    for split in SPLITS:
        first, second = (evaluator.conditions(split) for evaluator in (examined.evaluator, copy))
        if first != second:
            return f"conditions on {split} are {shown(first)} and {second!r}"
    if wrong := _differing(examined, answers(copy, examined.jobs[::-1])[::-1], "after other jobs, by a copy,"):
        return wrong
    return None


def _evaluates_together(examined: Examined) -> str | None:
    """As many candidates as it likes at once have the metrics that each of them has alone."""
    at_once = getattr(examined.evaluator, "at_once", 1)
    if not isinstance(at_once, int) or at_once < 1:
        return f"at_once is {shown(at_once)}; expected is a whole number of at least 1"
    copy, _ = started(examined.pickled)
    lasting = [(job, outcome) for job, outcome in examined.answers if outcome.status is not Status.CRASHED]
    for begin in range(0, len(lasting) if at_once > 1 else 0, at_once):
        group = lasting[begin : begin + at_once]
        together = copy.evaluate([job for job, _ in group])
        if len(together) != len(group):
            return f"{len(together)} outcomes for {len(group)} jobs that are given together"
        for (job, alone), one in zip(group, together, strict=True):
            if _score(alone) != _score(one):
                first, second = _score(alone)[1], _score(one)[1]
                return f"{examined.described(job)} gives {first} alone and {second} together with others"
    return None


def _measures(examined: Examined) -> str | None:
    """What it measures is named, several finite numbers each, and no metric of its stages or of the space's form."""
    evaluator, names = examined.evaluator, measured_of(examined.evaluator)
    if not names:
        return None
    if not isinstance(evaluator, Measuring):
        return f"measured names {list(names)}, but there is no method measure(candidate) or device()"
    if not isinstance(device := evaluator.device(), str) or not device:
        return f"device gives {shown(device)}; expected is a text"
    given = {name for _, outcome in examined.answers for name in outcome.metrics}
    if common := sorted(set(names) & (given | set(examined.space.form(examined.candidates[0])))):
        return f"{common} are measured, and metrics of stages or of the space's form as well; give them different names"
    for candidate in examined.candidates:
        found = evaluator.measure(candidate)
        if set(found) != set(names):
            return f"measure gives {sorted(found)}; measured names {sorted(names)}"
        for name, values in found.items():
            if len(values) < _MEASUREMENTS or not all(math.isfinite(value) for value in values):
                expected = f"expected are {_MEASUREMENTS} finite numbers or more"
                return f"measure gives {shown(list(values))} for {name}; {expected}"
    return None


def _keeps_artifacts(examined: Examined) -> str | None:
    """Stages that share a folder come out as without one, write what they name there, and can do without it."""
    if not keeps_artifacts_of(examined.evaluator):
        named = sorted({name for _, outcome in examined.answers for name in outcome.artifacts})
        return f"names the artifacts {named}, and does not say keeps_artifacts = True" if named else None
    last = stages_of(examined.evaluator) - 1
    known = {(job.candidate, job.stage): outcome for job, outcome in examined.answers if job.split == SPLITS[0]}
    for candidate in examined.candidates:
        for begin in range(last + 1):  # The stages before it are run with the folder, which is then lost.
            with tempfile.TemporaryDirectory() as place:
                folder, named = Path(place) / "artifacts", set[str]()
                for stage in range(last + 1):
                    if stage == begin:
                        shutil.rmtree(folder, ignore_errors=True)
                    ((job, outcome),) = answers(examined.evaluator, [Job(candidate, SPLITS[0], stage, folder=folder)])
                    if _score(outcome) != _score(alone := known[candidate, stage]):
                        gone = f", those of stage {stage - 1} gone" if stage == begin and stage else ""
                        return (
                            f"{examined.described(job)} gives {_score(outcome)} with a folder for artifacts{gone}, and "
                            f"{_score(alone)} without"
                        )
                    if outcome.status is not Status.OK:
                        break
                    named |= set(outcome.artifacts)
                    if wrong := _unnamed(folder, outcome, named):
                        return f"{examined.described(job)}: {wrong}"
    return None


def _unnamed(folder: Path, outcome: Outcome, named: set[str]) -> str | None:
    """Says which artifacts are named and not there, or there and named by no stage so far; None if all is well."""
    written = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if missing := sorted(set(outcome.artifacts) - written):
        return f"names the artifacts {missing}, which are not in the job's folder"
    if unnamed := sorted(written - named):
        return f"leaves {unnamed} in the job's folder and names them in no artifacts"
    return None


def _evaluates_anew(examined: Examined) -> str | None:
    """Where another seed gives other metrics, conditions tell it, and another evaluation gives others as well."""
    other, _ = started(examined.pickled, _OTHER_SEED)
    if _scores(answers(other, examined.jobs)) == _scores(examined.answers):
        return None  # Without random numbers all evaluations are alike.
    if other.conditions(SPLITS[0]) == examined.evaluator.conditions(SPLITS[0]):
        return "metrics depend on the seed and conditions do not, so that runs of other seeds would share outcomes"
    again = [Job(job.candidate, job.split, job.stage, evaluation=1) for job in examined.jobs]
    first, second = (_scores(answers(examined.evaluator, again)) for _ in range(2))
    if first != second:
        return "evaluation 1 gives other metrics the second time"
    if first == _scores(examined.answers):
        return (
            "evaluations 0 and 1 give the same metrics, though another seed gives others; policies for noise ask for "
            "further evaluations"
        )
    return None


def _splits_data(examined: Examined) -> str | None:
    """The three splits score on data of their own."""
    last = stages_of(examined.evaluator) - 1
    full = {
        split: [_score(o) for job, o in examined.answers if (job.split, job.stage) == (split, last)] for split in SPLITS
    }
    for one, other in ((0, 1), (0, 2), (1, 2)):
        if full[SPLITS[one]] == full[SPLITS[other]]:
            return (
                f"all metrics on {SPLITS[one]} and {SPLITS[other]} are identical, so that what wins would be judged by "
                "the data that chose it; hold out others for each split"
            )
    return None


def _is_the_same_elsewhere(examined: Examined) -> str | None:
    """In another process, with another PYTHONHASHSEED, it gives the same metrics to the last bit."""
    try:
        answered = call(answers_of_a_copy, examined.pickled, examined.jobs)
    except Unreachable as error:
        return f"the evaluator {error}; workers need it in a module that can be imported, and so does this check"
    return _differing(examined, answered, "in another process")


ROUNDS: tuple[tuple[Check, ...], ...] = (
    (_answers_each_job, _tells_conditions),
    (_names_metrics, _repeats_itself),
    (_evaluates_together, _measures, _keeps_artifacts),
    (_evaluates_anew, _splits_data),
    (_is_the_same_elsewhere,),
)
