"""What optimizers are compared on: real data, a network, a number of steps."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from isozyme.benchmarks.comparison.networks import PatchConvolutions, TablePerceptron
from isozyme.evaluators.datasets import Examples, load, load_table
from isozyme.evaluators.optimizer.networks import MultiLayerPerceptron, Transformer, as_network, flat_weights
from isozyme.evaluators.optimizer.tasks import schedule
from isozyme.evaluators.optimizer.training import Batches
from isozyme.evaluators.protocol import SPLITS, DataUnavailable
from isozyme.hashing import digest

_HELD_ROWS = 1024

Model = Callable[[jax.Array], eqx.Module]
"""A network made from a key."""


class Data(NamedTuple):
    """Examples by split, and the network that reads them."""

    examples: Mapping[str, Examples]
    model: Model


class Problem:
    """One network trained on one data set; the rate warms up and falls to zero as a cosine.

    Initial weights and the stream of examples are a function of (name, repeat) alone. So problems that differ in batch
    size, and agree in name and in batch size × steps, see the same examples in the same order.
    """

    def __init__(self, name: str, data: Data, batch_size: int, steps: int) -> None:
        self.name, self.batch_size, self.steps = name, batch_size, steps
        self._model = data.model
        self._starts: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._examples = {
            split: Examples(jnp.asarray(e.inputs), jnp.asarray(e.targets), e.classes)
            for split, e in data.examples.items()
        }
        self.network = as_network(self._model(jax.random.key(0)))

    def start(self, split: str, repeat: int) -> tuple[np.ndarray, Batches]:
        """Initial weights, float32 [parameters], and all that a training run reads; `split` is what it is scored on."""
        if repeat not in self._starts:
            self._starts[repeat] = self._start(repeat)
        weights, order = self._starts[repeat]
        train, held = self._examples["train"], self._examples[split]
        rates = schedule("warmup_cosine", self.steps)
        return weights, Batches(
            train.inputs, train.targets, order, rates, np.int32(self.steps), held.inputs, held.targets
        )

    def _start(self, repeat: int) -> tuple[np.ndarray, np.ndarray]:
        """Initial weights, and rows of each batch, int32 [steps, batch]."""
        seed = int.from_bytes(digest(f"{self.name}/{repeat}".encode())[:4], "little")
        weights = flat_weights(self._model(jax.random.key(seed)))
        rng = np.random.Generator(np.random.PCG64(seed))
        rows = len(self._examples["train"].inputs)
        return weights, rng.integers(rows, size=(self.steps, self.batch_size), dtype=np.int32)


def mnist(model: Callable[..., eqx.Module], **sizes: Any) -> Data:
    """A network on 5,000 digits of 28×28 pixels."""
    examples = load("mnist_5k", context=0, rows=_HELD_ROWS)
    shape = examples["train"].inputs.shape[1:]
    return Data(examples, lambda key: model(shape, examples["train"].classes, key, **sizes))


def text(name: str, context: int, width: int, heads: int, depth: int) -> Data:
    """A transformer that predicts the next character."""
    examples = load(name, context=context, rows=_HELD_ROWS // 2)
    classes = examples["train"].classes
    return Data(examples, lambda key: Transformer((context,), classes, key, width=width, heads=heads, depth=depth))


def table(name: str, hidden: tuple[int, ...]) -> Data:
    """A perceptron with embeddings on a table that has classes."""
    tables = load_table(name)
    shared = min(2 * _HELD_ROWS, *(len(tables[split].target) for split in SPLITS))
    examples = {}
    for split, one in tables.items():
        rows = np.arange(len(one.target))
        if split != "train":  # As many in all of them, so that one executable serves all splits.
            rows = np.linspace(0, len(rows) - 1, shared).astype(int)
        inputs = np.hstack([one.numeric, one.categorical]).astype(np.float32)
        examples[split] = Examples(inputs[rows], one.target[rows], one.classes)
    one = tables["train"]
    return Data(examples, lambda key: TablePerceptron(one.numeric.shape[1], one.sizes, one.classes, key, hidden))


def final(quick: bool) -> Iterator[Problem]:
    """Problems that take no part in the search (launch/configs/lion.py: small networks on digits and Python source).

    Other data, other architectures, larger sizes. What is not on this machine is left out, with a line that says so.

    Args:
      quick: two of them, with few steps.
    """
    makers: dict[str, tuple[Callable[[], Data], int, int]] = {
        "diamonds": (lambda: table("diamonds_cut", (64, 64)), 128, 500),
        "mnist_mlp": (lambda: mnist(MultiLayerPerceptron, hidden=(128, 64)), 64, 300),
        "mnist_cnn": (lambda: mnist(PatchConvolutions, channels=(8, 16, 32)), 32, 250),
        "flights": (lambda: table("flights", (64, 64)), 128, 500),
        "glosses": (lambda: text("wordnet_glosses", context=24, width=32, heads=4, depth=2), 16, 250),
    }
    for name, (make, batch_size, steps) in list(makers.items())[: 2 if quick else None]:
        try:
            yield Problem(name, make(), batch_size, 100 if quick else steps)
        except DataUnavailable as error:
            print(f"{name} is left out: {error}", flush=True)
