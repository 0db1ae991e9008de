"""Artifacts: what a stage leaves is found by the next one, kept for the best, and gone otherwise."""

from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search import Maximize, QuantileHurdle, RandomSearch, RegularizedEvolution
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.protocol import Proposal
from isozyme.search.rules import Rules
from isozyme.tests.toys import LAG, SEED, SPACE, BitEvaluator, Passing, Runs, run_search, trace

TRIALS = 300
STATE = "state.txt"


@dataclass
class Leaving(BitEvaluator):
    """Its first stage leaves a file, with which the second goes on."""

    keeps_artifacts = True

    dying_after: int | None = None
    continued: list[bool] = field(default_factory=list)

    def evaluate(self, jobs):
        (job,) = jobs
        (outcome,) = super().evaluate(jobs)
        if len(self.evaluated) == self.dying_after:
            if job.folder is not None:
                job.folder.mkdir(parents=True, exist_ok=True)
                (job.folder / STATE).write_text("half-wri")
            raise KeyboardInterrupt
        if outcome.status is not Status.OK or job.folder is None:
            return [outcome]
        file = job.folder / STATE
        if job.stage == 0:
            job.folder.mkdir(parents=True, exist_ok=True)
            file.write_text(self.space.to_source(job.candidate))
        else:
            self.continued.append(file.exists())
        return [Outcome(outcome.status, None, outcome.metrics, artifacts=(STATE,) if job.stage == 0 else ())]


def search(folder, trials=TRIALS, evaluator=None, algorithm=None, hurdle=None, asynchronous=False):
    evaluator = evaluator or Leaving()
    rules = Rules(
        SPACE, (Maximize("fitness", 0.0),), 2, hurdle, SEED, LAG, asynchronous, artifacts=folder / "artifacts"
    )
    executor = InProcessExecutor(evaluator, rules)
    algorithm = algorithm or RandomSearch()
    return evaluator, *run_search(folder, rules, algorithm, executor, trials)


def kept_in(folder):
    return {str(path.relative_to(folder / "artifacts")) for path in (folder / "artifacts").rglob("*") if path.is_file()}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_only_the_best_and_the_front_keep_theirs(tmp_path, asynchronous):
    """house.md, 5.2: the journal keeps the names; artifacts of all but the best and the front are removed."""
    evaluator, progress, trials = search(tmp_path / "run", asynchronous=asynchronous)
    assert evaluator.continued
    assert all(evaluator.continued)
    best = [*progress.leaders, *progress.archive.trials]
    assert kept_in(tmp_path / "run") == {path for trial in best for path in trial.artifacts}
    assert all(trial.artifacts == (f"{trial.keys.behaviour}/{STATE}",) for trial in trials if trial.stages)
    assert len({trial.keys.behaviour for trial in trials}) > len(best)


@pytest.mark.parametrize("dying_after", [1, 30, 61])
def test_a_killed_run_leaves_no_orphan(tmp_path, dying_after):
    """What was half-written when a session died is written again, or removed with all that nobody wants."""
    whole = search(tmp_path / "whole")[2]
    with suppress(KeyboardInterrupt):
        search(tmp_path / "run", evaluator=Leaving(dying_after=dying_after))
    assert any((tmp_path / "run" / "artifacts" / path).read_text() == "half-wri" for path in kept_in(tmp_path / "run"))
    _, progress, trials = search(tmp_path / "run")
    assert [trace(trial) for trial in trials] == [trace(trial) for trial in whole]
    best = [*progress.leaders, *progress.archive.trials]
    assert kept_in(tmp_path / "run") == kept_in(tmp_path / "whole") == {p for trial in best for p in trial.artifacts}
    for path in kept_in(tmp_path / "run"):
        assert (tmp_path / "run" / "artifacts" / path).read_text() != "half-wri"


def test_a_twin_goes_on_from_what_its_owner_left(tmp_path):
    """A trial that ran one stage, as asked, leaves its artifacts to the twin that is promoted."""

    class Promoting(Passing):
        def propose(self, number, rng):
            proposal = self.inner.propose(number // 2, rng)
            return Proposal(proposal.candidate, stages=1 + number % 2)

    inner = RegularizedEvolution(population_size=200, tournament_size=3)
    algorithm = Runs(lambda *arguments: Promoting(inner.start(*arguments)))
    evaluator, _, trials = search(tmp_path / "run", 40, algorithm=algorithm)
    assert {trial.status for trial in trials[::2]} >= {Status.PARTIAL}
    assert evaluator.continued
    assert all(evaluator.continued)


def test_hurdles_and_artifacts(tmp_path):
    """What a hurdle stops has no artifacts left; a twin that passes it later starts from nothing."""
    hurdle = QuantileHurdle("short_loss", warmup=6, window=12, quantile=0.5)
    _, progress, trials = search(tmp_path / "run", hurdle=hurdle)
    stopped = {trial.keys.behaviour for trial in trials if trial.status is Status.HURDLE}
    best = {trial.keys.behaviour for trial in [*progress.leaders, *progress.archive.trials]}
    assert stopped - best
    assert not {path.partition("/")[0] for path in kept_in(tmp_path / "run")} & (stopped - best)
