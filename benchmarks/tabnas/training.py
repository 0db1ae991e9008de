"""Trains networks as `TabularEvaluator` does, in numpy, on weights that are really as small as the network.

With one repeat the evaluator computes the same: same initial weights (slices of the widest network's), same batches,
Adam with a cosine decay, the last step counts. Its one executable pays for the widest network, and compiling thousands
of shapes takes longer than training them.
"""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from isozyme.evaluators.protocol import SPLITS
from isozyme.evaluators.tabular import TableTask
from isozyme.spaces.tabnas import FeedForward

_B1, _B2, _EPSILON = 0.9, 0.999, 1e-8  # Of Adam, optax's.


class Rows(NamedTuple):
    """Rows ready to be multiplied: numeric [..., rows, n], codes as ones among zeros [..., rows, vocabulary] each."""

    numeric: np.ndarray
    codes: list[np.ndarray]
    target: np.ndarray


class Lesson(NamedTuple):
    """All that the networks have in common.

    Attributes:
      batches: [steps, batch, …].
      held: rows of each split.
      embeddings: before training, one [vocabulary, size] a categorical column.
      layers: weights before training for the widest network, [fan-in, fan-out], in units of 1/sqrt(fan-in).
      rates: of Adam, by step.
    """

    batches: Rows
    held: dict[str, Rows]
    embeddings: list[np.ndarray]
    layers: list[np.ndarray]
    rates: np.ndarray


def lesson(task: TableTask, space: FeedForward, seed: int) -> Lesson:
    """Draws batches and initial weights as the evaluator does for its first repeat."""
    from isozyme.evaluators.tabular.tasks import LoadedTable

    loaded = LoadedTable(task, space, seed)
    import jax
    import jax.numpy as jnp
    import optax

    from isozyme.evaluators.networks import initial

    first, second = jax.random.split(loaded.key("alone", 0))
    draw = partial(jax.random.randint, shape=(task.batch_size,), minval=0, maxval=len(loaded.train.target))
    chosen = jax.vmap(lambda t: draw(jax.random.fold_in(second, t)))(jnp.arange(task.steps))
    weights = initial(first, loaded.network, jnp.ones(space.layers, jnp.int32))
    layers = [np.asarray(weight) for weight, _ in weights.layers]
    layers[0] = layers[0] * np.sqrt(np.float32(space.inputs))
    rates = jax.vmap(optax.cosine_decay_schedule(task.rate, task.steps))(jnp.arange(task.steps))
    embeddings = [np.asarray(one) for one in weights.embeddings]
    rows = partial(_rows, [len(one) for one in embeddings])
    held = {split: rows(loaded.held[split], slice(None)) for split in SPLITS}
    return Lesson(rows(loaded.train, np.asarray(chosen)), held, embeddings, layers, np.asarray(rates))


def _rows(vocabularies: Sequence[int], rows: Any, chosen: Any) -> Rows:
    numeric, categorical, target = (np.asarray(column)[chosen] for column in rows)
    codes = [np.eye(size, dtype=np.float32)[categorical[..., i]] for i, size in enumerate(vocabularies)]
    return Rows(numeric, codes, target)


class _Network:
    """A network of some widths; weights, and likewise gradients, lie end to end in one vector."""

    def __init__(self, given: Lesson, widths: Sequence[int]) -> None:
        sizes = [len(given.layers[0]), *widths, given.layers[-1].shape[1]]
        self._shapes = [one.shape for one in given.embeddings]
        for pair in itertools.pairwise(sizes):
            self._shapes += [pair, pair[1:]]
        self.vector, self.gradient = (np.zeros(sum(map(np.prod, self._shapes)), np.float32) for _ in range(2))
        self._weights, self._slopes = self._views(self.vector), self._views(self.gradient)
        self._embeddings = len(given.embeddings)
        for view, one in zip(self._weights, given.embeddings, strict=False):
            view[:] = one
        for view, one in zip(self._weights[self._embeddings :: 2], given.layers, strict=True):
            view[:] = one[: view.shape[0], : view.shape[1]] / np.sqrt(np.float32(view.shape[0]))

    def _views(self, vector: np.ndarray) -> list[np.ndarray]:
        ends = np.cumsum([np.prod(shape) for shape in self._shapes]).tolist()
        parts = np.split(vector, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def forward(self, numeric: np.ndarray, codes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What enters each layer, and the logits [rows, classes]."""
        values = [np.hstack([numeric, *(code @ table for code, table in zip(codes, self._weights, strict=False))])]
        layers = self._weights[self._embeddings :]
        for weight, bias in zip(layers[::2], layers[1::2], strict=True):
            if len(values) > 1:
                np.maximum(values[-1], 0, out=values[-1])
            values.append(values[-1] @ weight)
            values[-1] += bias
        return values

    def differentiate(self, numeric: np.ndarray, codes: Sequence[np.ndarray], target: np.ndarray) -> None:
        """Fills the gradient of the mean cross-entropy."""
        *values, logits = self.forward(numeric, codes)
        slope = np.exp(log_softmax(logits))
        slope[np.arange(len(target)), target] -= 1
        slope /= len(target)
        one = np.ones(len(target), np.float32)
        for i in reversed(range(len(values))):
            place = self._embeddings + 2 * i
            np.matmul(values[i].T, slope, out=self._slopes[place])
            np.matmul(one, slope, out=self._slopes[place + 1])
            slope = slope @ self._weights[place].T
            if i:
                slope *= values[i] > 0
        start = numeric.shape[1]
        for code, own in zip(codes, self._slopes, strict=False):
            np.matmul(code.T, slope[:, start : start + own.shape[1]], out=own)
            start += own.shape[1]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Over classes, [rows, classes]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def train(given: Lesson, widths: Sequence[int]) -> tuple[list[float], list[float]]:
    """Trains one network of these hidden widths.

    Returns:
      accuracy and cross-entropy in nats on the search, selection and final splits.
    """
    network, batches = _Network(given, widths), given.batches
    vector, gradient = network.vector, network.gradient
    first, second = np.zeros_like(vector), np.zeros_like(vector)
    scratch = np.empty_like(vector)
    for t, rate in enumerate(given.rates):
        network.differentiate(batches.numeric[t], [code[t] for code in batches.codes], batches.target[t])
        first *= _B1
        np.multiply(gradient, 1 - _B1, out=scratch)
        first += scratch
        np.square(gradient, out=scratch)
        scratch *= 1 - _B2
        second *= _B2
        second += scratch
        np.divide(second, 1 - _B2 ** (t + 1), out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += _EPSILON
        np.divide(first, scratch, out=scratch)
        scratch *= float(rate) / (1 - _B1 ** (t + 1))
        vector -= scratch
    scores, losses = [], []
    for split in SPLITS:
        held = given.held[split]
        log_p = log_softmax(network.forward(held.numeric, held.codes)[-1])
        scores.append(float((log_p.argmax(axis=1) == held.target).mean()))
        losses.append(float(-log_p[np.arange(len(log_p)), held.target].mean()))
    return scores, losses
