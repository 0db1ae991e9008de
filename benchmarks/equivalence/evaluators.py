"""What columns of a table and activation functions are worth: ridge regression on held-out rows of real data.

Both are deterministic, take a few milliseconds, and minimise a loss that is 1 for a model that knows the mean only.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from isozyme.benchmarks.equivalence import ridge
from isozyme.benchmarks.equivalence.activations import Activations
from isozyme.benchmarks.equivalence.features import FeatureGraphs, make
from isozyme.evaluators import Job, Outcome, Status

_FOLDS, _REPEATS = 5, 8
_HELD_ROWS = 100  # of the diabetes set, in each closing split
_HIDDEN = 384


class FeatureEvaluator:
    """Progression of diabetes of 442 patients (Efron et al., 2004; scikit-learn carries the set), from ten columns.

    The model sees the ten columns and those made. `loss` is 1 − R². In the search it is that of five-fold
    cross-validation, repeated eight times on 242 patients; the closing splits have 100 patients each.
    """

    def prepare(self) -> None:
        """The data come with scikit-learn."""

    def setup(self, space: FeatureGraphs, seed: int) -> None:
        """Loads the table and draws the folds."""
        from sklearn.datasets import load_diabetes

        del space
        table: Any = load_diabetes()
        columns, self._targets = table.data, table.target
        self._columns = list(((columns - columns.mean(axis=0)) / columns.std(axis=0)).T)
        self._seed = seed
        rows = np.random.default_rng(0).permutation(len(self._targets))
        held = {"selection": rows[:_HELD_ROWS], "final": rows[_HELD_ROWS : 2 * _HELD_ROWS]}
        train, rng = rows[2 * _HELD_ROWS :], np.random.default_rng(seed)
        folds = [fold for _ in range(_REPEATS) for fold in np.array_split(rng.permutation(train), _FOLDS)]
        self._splits = {"search": [(np.setdiff1d(train, fold), fold) for fold in folds]}
        self._splits |= {split: [(train, fold)] for split, fold in held.items()}

    def conditions(self, split: str) -> str:
        """Split and seed."""
        return f"features-1/{split}/{self._seed}"

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Fits one model a fold."""
        return [self._evaluate(job) for job in jobs]

    def _evaluate(self, job: Job) -> Outcome:
        made = make(job.candidate, self._columns)
        if not np.isfinite(made).all():
            return Outcome(Status.DIVERGED, "a column made is not finite")
        inputs = np.column_stack([*self._columns, made])
        errors = total = 0.0
        with np.errstate(all="ignore"):
            for train, held in self._splits[job.split]:
                targets, others = self._targets[train], self._targets[held]
                predictions = ridge.predict(inputs[train], targets, inputs[held])
                errors += float(np.square(predictions - others).sum())
                total += float(np.square(targets.mean() - others).sum())
        return Outcome(Status.OK, None, {"loss": errors / total})


class ActivationEvaluator:
    """The ten classes of UCI's handwritten digits, by ridge regression on 384 hidden units with random weights.

    `loss` is the squared error of the one-hot targets, as a share of what the mean gets, and `accuracy` the share of
    images whose largest output is right. Trained on 838 images, held out in the search are 180 others.
    """

    def prepare(self) -> None:
        """The data come with scikit-learn."""

    def setup(self, space: Activations, seed: int) -> None:
        """Loads the images and draws the hidden layer."""
        from isozyme.evaluators.datasets import load

        self._space, self._seed = space, seed
        examples = load("digits", context=1, rows=256)
        flat = {split: e.inputs.reshape(len(e.inputs), -1).astype(np.float64) for split, e in examples.items()}
        mean, rng = flat["train"].mean(axis=0), np.random.default_rng(seed)
        weights = rng.normal(size=(len(mean), _HIDDEN)) / np.sqrt(np.square(flat["train"] - mean).sum(axis=1).mean())
        offsets = rng.normal(size=_HIDDEN)
        self._hidden = {split: (inputs - mean) @ weights + offsets for split, inputs in flat.items()}
        self._labels: dict[str, Any] = {split: e.targets for split, e in examples.items()}
        self._one_hot = {split: np.eye(10)[labels] for split, labels in self._labels.items()}

    def conditions(self, split: str) -> str:
        """Split and seed."""
        return f"activations-1/{split}/{self._seed}"

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Fits one read-out a job."""
        return [self._evaluate(job) for job in jobs]

    def _evaluate(self, job: Job) -> Outcome:
        activation = self._space.lower(job.candidate)
        hidden = self._hidden["train"], self._hidden[job.split]
        with np.errstate(all="ignore"):
            train, held = (np.broadcast_to(activation(h), h.shape) for h in hidden)
            if not (np.isfinite(train).all() and np.isfinite(held).all()):
                return Outcome(Status.DIVERGED, "the hidden layer is not finite")
            outputs = ridge.predict(train, self._one_hot["train"], held)
        targets = self._one_hot[job.split]
        loss = np.square(outputs - targets).sum() / np.square(self._one_hot["train"].mean(axis=0) - targets).sum()
        accuracy = (outputs.argmax(axis=1) == self._labels[job.split]).mean()
        return Outcome(Status.OK, None, {"loss": float(loss), "accuracy": float(accuracy)})
