"""Scores feed-forward networks by training each alone, from scratch, in one stage or two."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyglove as pg

from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.evaluators.seeds import repeats
from isozyme.evaluators.tabular import checkpoint
from isozyme.evaluators.tabular.tasks import LoadedTable, TableTask

_VERSION = "tabular-3"
_SHORT, _LOSS = "short_loss", "loss"


class _Run(NamedTuple):
    """The training of one repeat of a job: which candidate, and what it has come to so far."""

    job: Job
    repeat: int
    widths: Any
    state: Any
    first: int


@pg.members(
    [
        ("task", pg.typing.Object(TableTask), "What to train on, and how."),
        ("repeats", pg.typing.Int(2, min_value=1), "Seeds in the search."),
        ("closing_repeats", pg.typing.Int(4, min_value=1), "Fresh seeds on the selection and final splits."),
        (
            "first_share",
            pg.typing.Float(min_value=0.01, max_value=0.99).noneable(),
            "Share of the steps after which a first stage looks; None: there is one stage.",
        ),
        ("at_once", pg.typing.Int(1, min_value=1), "How many networks one call trains, one after the other."),
    ],
    serialization_key="isozyme.TabularEvaluator",
)
class TabularEvaluator(pg.Object):
    """Means over repeats on held-out rows, after the last step of training.

    `score` is accuracy or R², `loss` the cross-entropy in nats or the mean squared error. One executable serves all
    candidates, repeats, stages and splits. A narrow candidate costs a few times what it would cost alone, since its
    weights stand in tensors of the widest network's size; no more widths than are of interest should be in the space.

    With `first_share` stage 1 is the beginning of the whole run, scored as `short_loss`; it leaves its weights in the
    job's folder, and stage 2 goes on from them, to the same bits as a run that nothing interrupted. Where they are gone
    it trains from nothing.
    """

    @property
    def keeps_artifacts(self) -> bool:
        """Whether the second stage goes on from the first one's weights, and leaves its own."""
        return self.first_share is not None

    @property
    def stages(self) -> int:
        """One, or two with `first_share`."""
        return 1 if self.first_share is None else 2

    @property
    def stage_metric(self) -> str | None:
        """What a hurdle compares after the first of two stages."""
        return None if self.first_share is None else _SHORT

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
        import jax.numpy as jnp

        from isozyme.evaluators.tabular.training import begin, train

        recipe, network = self._loaded.recipe, self._loaded.network
        self._begin: Any = jax.jit(partial(begin, recipe, network))
        self._splits = list(self._loaded.held)
        self._held = jax.tree.map(lambda *columns: jnp.stack(columns), *self._loaded.held.values())

        def train_all(runs: Any, rows: Any, held: Any) -> Any:
            def one(run: Any) -> Any:
                widths, key, state, first, last, split = run
                own = jax.tree.map(lambda column: column[split], held)
                return train(recipe, network, widths, key, state, first, last, rows, own)

            return jax.lax.map(one, runs)

        self._train: Any = jax.jit(train_all)

    def conditions(self, split: str) -> str:
        """Tells all that a metric depends on besides the candidate."""
        shares = {"first_share": self.first_share, "at_once": self.at_once}
        return self._loaded.conditions(_VERSION, split, repeats=list(self._repeats(split, 0)), **shares)

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Trains all repeats of all jobs, `at_once` of them in a call."""
        runs = [run for job in jobs for run in self._runs(job)]
        trained: list[tuple[Any, float, float]] = []
        for place in range(0, len(runs), self.at_once):
            trained += self._call(runs[place : place + self.at_once])
        outcomes, place = [], 0
        for job in jobs:
            count = len(self._repeats(job.split, job.evaluation))
            outcomes.append(self._outcome(job, trained[place : place + count]))
            place += count
        return outcomes

    def compilations(self) -> int:
        """Tells how many executables have been built so far."""
        return self._train._cache_size()

    def _repeats(self, split: str, evaluation: int) -> range:
        return repeats(split, evaluation, self.repeats, self.closing_repeats)

    def _last(self, stage: int) -> int:
        """How many steps have been taken after a stage."""
        steps = self.task.steps
        return steps if self.first_share is None or stage == 1 else max(1, round(self.first_share * steps))

    def _runs(self, job: Job) -> list[_Run]:
        """The repeats of a job: as an earlier stage has left them, or before training."""
        widths, numbers = self._space.lower(job.candidate), self._repeats(job.split, job.evaluation)
        starts = [self._begin(widths, self._key(number)) for number in numbers]
        first = self._last(job.stage - 1) if job.stage else 0
        kept = checkpoint.load(job.folder, starts, first) if first and job.folder is not None else None
        states, first = (kept, first) if kept is not None else (starts, 0)
        return [_Run(job, number, widths, state, first) for number, state in zip(numbers, states, strict=True)]

    def _key(self, repeat: int) -> Any:
        return self._loaded.key("alone", repeat)

    def _call(self, runs: list[_Run]) -> list[tuple[Any, float, float]]:
        """Trains up to `at_once` runs by one executable, which takes as many; returns states, scores and losses."""
        import jax
        import jax.numpy as jnp

        items = []
        for run in runs:
            last, split = self._last(run.job.stage), self._splits.index(run.job.split)
            items.append((run.widths, self._key(run.repeat), run.state, run.first, last, split))
        widths, key, state, _, last, split = items[0]
        items += [(widths, key, state, last, last, split)] * (self.at_once - len(items))  # These take no step.
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *items)
        states, scores, losses = self._train(stacked, self._loaded.train, self._held)
        return [
            (jax.tree.map(lambda leaf, i=i: leaf[i], states), float(scores[i]), float(losses[i]))
            for i in range(len(runs))
        ]

    def _outcome(self, job: Job, trained: list[tuple[Any, float, float]]) -> Outcome:
        states, scores, losses = zip(*trained, strict=True)
        last = job.stage == self.stages - 1
        metrics = {}
        for name, values in (("score", scores), (_LOSS, losses)) if last else ((_SHORT, losses),):
            mean = math.fsum(values) / len(values)
            if not math.isfinite(mean):
                return Outcome(Status.DIVERGED, f"{name} is {mean}", metrics)
            metrics[name] = mean
        artifacts = () if job.folder is None else self._keep(job.folder, states, self._last(job.stage))
        return Outcome(Status.OK, None, metrics, artifacts=artifacts)

    def _keep(self, folder: Path, states: Sequence[Any], steps: int) -> tuple[str, ...]:
        checkpoint.save(folder, states, steps)
        return (checkpoint.FILE,)
