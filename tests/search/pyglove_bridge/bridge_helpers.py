"""What the tests of `search/pyglove_bridge` share: a template, its evaluator, searches and loops on it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pyglove as pg

from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.search import Journal, Maximize, Minimize, RegularizedEvolution, Trial
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.pyglove_bridge import generator
from isozyme.search.pyglove_bridge.spec import space_of
from isozyme.search.rules import Rules
from isozyme.spaces.template import TemplateSpace
from isozyme.tests.toys import run_search, trace

TRIALS = 40
EVOLUTION = RegularizedEvolution(6, 2)
OBJECTIVES = (Maximize("score", 0.0), Minimize("size", 100.0))


def template() -> pg.Dict:
    """144 candidates of three kinds of decisions, one of them conditional."""
    return pg.Dict(
        x=pg.oneof([1, 2, 3, pg.Dict(y=pg.oneof([4, 5, 6]))]), z=pg.manyof(2, range(4)), w=pg.oneof(["a", "b"])
    )


def score(value: Any) -> float:
    """Of a value of the template; no two neighbours score the same."""
    x = value.x if isinstance(value.x, int) else value.x.y
    return 10.0 * x + value.z[0] + 0.1 * value.z[1] + (0.5 if value.w == "b" else 0.0)


@dataclass
class Scores:
    """Scores values of the template. Those whose z begins with a number in `troubled` crash; `diverging`: no number."""

    troubled: Sequence[int] = ()
    diverging: Sequence[int] = ()
    evaluated: list[Any] = field(default_factory=list)

    def prepare(self) -> None:
        pass

    def setup(self, space: TemplateSpace, seed: int) -> None:
        self.space = space

    def conditions(self, split: str) -> str:
        return f"scores {split}"

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        return [self._evaluate(job.candidate) for job in jobs]

    def _evaluate(self, candidate: Any) -> Outcome:
        self.evaluated.append(candidate)
        value = self.space.decode(candidate)
        if value.z[0] in self.troubled:
            raise RuntimeError("trouble")
        found = float("nan") if value.z[0] in self.diverging else score(value)
        return Outcome(Status.OK, None, {"score": found, "size": float(sum(value.z))})


def search(folder, algorithm, trials, *, space=None, evaluator=None, objectives=OBJECTIVES, seed=0, lag=1):
    """Runs or resumes a search; returns its progress and its trials."""
    rules = Rules(space or TemplateSpace(template()), objectives, seed=seed, lag=lag)
    return run_search(folder, rules, algorithm, InProcessExecutor(evaluator or Scores(), rules), trials)


def sample(folder, algorithm=None, trials=TRIALS, **options):
    """A loop over the template, in the backend 'isozyme'."""
    algorithm = algorithm or generator(EVOLUTION, seed=3)
    return pg.sample(template(), algorithm, trials, name=str(folder), backend="isozyme", **options)


def poll(folder):
    """What PyGlove reads in a run folder."""
    return pg.tuning.poll_result(str(folder), backend="isozyme")


def journalled(folder) -> list[Trial]:
    """The trials of a loop's run folder."""
    with closing(Journal.read(folder)) as journal:
        return list(journal.trials(space_of(pg.dna_spec(template())).from_source))


def traces(folder):
    """All of them that seed and lag determine."""
    return [trace(trial) for trial in journalled(folder)]
