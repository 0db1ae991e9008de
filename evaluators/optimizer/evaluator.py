"""Scores an optimizer program by training small networks on real data with it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyglove as pg

from isozyme.evaluators import conditions, process
from isozyme.evaluators.optimizer.tasks import LoadedTask, Task
from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.evaluators.seeds import repeats

_VERSION = "optimizer-3"
_STEP_TIME = "step_microseconds"


@pg.members(
    [
        ("tasks", pg.typing.List(pg.typing.Object(Task), min_size=1), "What to train; the first one runs the hurdle."),
        ("repeats", pg.typing.Int(2, min_value=1), "Seeds a task in the search."),
        ("closing_repeats", pg.typing.Int(4, min_value=1), "Fresh seeds a task on the selection and final splits."),
        (
            "short_share",
            pg.typing.Float(0.25, min_value=0.01, max_value=1.0),
            "Of the first task's steps: the short run.",
        ),
        (
            "path",
            pg.typing.Enum("interpreter", ["interpreter", "compiled"]),
            "One executable a task, or one a program.",
        ),
        (
            "step_time",
            pg.typing.Bool(False),
            "Whether the time of an update is measured too, which compiles every program that is written anew.",
        ),
        ("download", pg.typing.Bool(False), "Whether TFDS may fetch data that are not yet on this machine."),
    ],
    serialization_key="isozyme.OptimizerEvaluator",
)
class OptimizerEvaluator(pg.Object):
    """Mean held-out loss over tasks and repeats, as a share of what a uniform guess gets (1 is chance level).

    Stage 1 is a short run of the first task: `short_loss`, on which the hurdle is judged. Stage 2 trains in full:
    `loss` and `accuracy`, both means over tasks; `loss/TASK` and `accuracy/TASK`. With `step_time` there is
    `step_microseconds` besides: of one update of the first task's weights by the program compiled by itself, measured.
    """

    stages = 2
    stage_metric = "short_loss"

    def _on_bound(self) -> None:
        super()._on_bound()
        names = [task.name for task in self.tasks]
        if "" in names or len(set(names)) < len(names):
            raise ValueError(f"tasks are named {names}: every name must be there once, metrics bear it")

    def prepare(self) -> None:
        """Gets all data in place."""
        for task in self.tasks:
            task.check(self.download)

    def setup(self, space: Any, seed: int) -> None:
        """Loads the tasks; executables are built on their first call."""
        process.fix()
        from isozyme.evaluators.optimizer.runner import Runner

        self._space, self._seed = space, seed
        loaded = [LoadedTask(task, seed, self.download) for task in self.tasks]
        self._data = [task.data_version for task in loaded]
        self._runners = [Runner(task, space, self.path) for task in loaded]

    def conditions(self, split: str) -> str:
        """Tells versions of evaluator, libraries and data; tasks, data split, seeds, path and how it is computed."""
        return conditions.written(
            _VERSION,
            [],
            data=self._data,
            tasks=[task.to_json_str() for task in self.tasks],
            split=split,
            seed=self._seed,
            repeats=list(self._repeats(split, 0)),
            short_share=self.short_share,
            path=self.path,
        )

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Trains with each candidate in turn."""
        return [self._evaluate(job) for job in jobs]

    @property
    def measured(self) -> Sequence[str]:
        """Names `step_microseconds` where it is asked for."""
        return (_STEP_TIME,) if self.step_time else ()

    def device(self) -> str:
        """Names what this process computes on."""
        return process.device()

    def measure(self, candidate: Any) -> Mapping[str, Sequence[float]]:
        """Times blocks of updates of the first task's weights, in microseconds a step."""
        return {_STEP_TIME: self._runners[0].step_microseconds(candidate)}

    def _repeats(self, split: str, evaluation: int) -> range:
        return repeats(split, evaluation, self.repeats, self.closing_repeats)

    def _evaluate(self, job: Job) -> Outcome:
        metrics: dict[str, float] = {}
        for name, value in self._short(job) if job.stage == 0 else self._full(job):
            if not math.isfinite(value):
                return Outcome(Status.DIVERGED, f"{name} is {value}", metrics)
            metrics[name] = value
        return Outcome(Status.OK, None, metrics)

    def _short(self, job: Job) -> Iterator[tuple[str, float]]:
        runner = self._runners[0]
        first = self._repeats(job.split, job.evaluation)[0]
        loss, _ = runner.run(runner.load(job.candidate), job.split, first, self.short_share)
        yield self.stage_metric, loss

    def _full(self, job: Job) -> Iterator[tuple[str, float]]:
        """Metrics one after another, so that the caller can stop early."""
        losses, accuracies = [], []
        for runner in self._runners:
            program = runner.load(job.candidate)
            scores = [
                runner.run(program, job.split, repeat, 1.0) for repeat in self._repeats(job.split, job.evaluation)
            ]
            for name, values, i in (("loss", losses, 0), ("accuracy", accuracies, 1)):
                values.append(math.fsum(score[i] for score in scores) / len(scores))
                yield f"{name}/{runner.task.name}", values[-1]
        yield "loss", math.fsum(losses) / len(losses)
        yield "accuracy", math.fsum(accuracies) / len(accuracies)
