"""Scores a feed-forward network by training it alone, from scratch."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import pyglove as pg

from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.evaluators.seeds import repeats
from isozyme.evaluators.tabular.tasks import LoadedTable, TableTask

_VERSION = "tabular-2"


@pg.members(
    [
        ("task", pg.typing.Object(TableTask), "What to train on, and how."),
        ("repeats", pg.typing.Int(2, min_value=1), "Seeds in the search."),
        ("closing_repeats", pg.typing.Int(4, min_value=1), "Fresh seeds on the selection and final splits."),
    ],
    serialization_key="isozyme.TabularEvaluator",
)
class TabularEvaluator(pg.Object):
    """Means over repeats on held-out rows, after the last step of training.

    `score` is accuracy or R², `loss` the cross-entropy in nats or the mean squared error. One executable serves all
    candidates, repeats and splits. A narrow candidate costs a few times what it would cost alone, since its weights
    stand in tensors of the widest network's size; no more widths than are of interest should be in the space.
    """

    def prepare(self) -> None:
        """Gets the table in place."""
        self.task.check()

    def setup(self, space: Any, seed: int) -> None:
        """Loads the table; the executable is built on its first call.

        Raises:
          ValueError: the space has been made for another table.
        """
        self._space, self._loaded = space, LoadedTable(self.task, space, seed)
        import jax

        from isozyme.evaluators.tabular.training import train

        self._train: Any = jax.jit(partial(train, self._loaded.recipe, self._loaded.network))

    def conditions(self, split: str) -> str:
        """Tells all that a metric depends on besides the candidate."""
        return self._loaded.conditions(_VERSION, split, repeats=list(self._repeats(split, 0)))

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Trains each candidate in turn."""
        return [self._evaluate(job) for job in jobs]

    def compilations(self) -> int:
        """Executables built so far."""
        return self._train._cache_size()

    def _repeats(self, split: str, evaluation: int) -> range:
        return repeats(split, evaluation, self.repeats, self.closing_repeats)

    def _evaluate(self, job: Job) -> Outcome:
        loaded, widths = self._loaded, self._space.lower(job.candidate)
        results = []
        for repeat in self._repeats(job.split, job.evaluation):
            key = loaded.key("alone", repeat)
            results.append(self._train(widths, key, loaded.train, loaded.held[job.split]))
        metrics = {}
        for name, values in zip(("score", "loss"), zip(*results, strict=True), strict=True):
            mean = math.fsum(map(float, values)) / len(values)
            if not math.isfinite(mean):
                return Outcome(Status.DIVERGED, f"{name} is {mean}", metrics)
            metrics[name] = mean
        return Outcome(Status.OK, None, metrics)
