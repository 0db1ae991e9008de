"""Proxy tasks: data, a small network, a number of steps; and a task loaded into a process."""

from typing import Any, NamedTuple

import numpy as np
import pyglove as pg

from isozyme.evaluators.datasets import Examples, check_available, full_name, load
from isozyme.evaluators.optimizer.training import Batches
from isozyme.evaluators.protocol import DataUnavailable
from isozyme.evaluators.seeds import derived

# What each network may be told. Kept here so that a config is checked without importing jax.
_SIZES = {"mlp": {"hidden"}, "cnn": {"channels"}, "transformer": {"width", "heads", "depth"}}
_LISTS = {"hidden", "channels"}
_SCHEDULES = ["constant", "cosine", "warmup_cosine"]
_WARMUP = 0.1  # of the steps


@pg.members(
    [
        ("name", pg.typing.Str(), "Names the task's metrics."),
        ("data", pg.typing.Str(), "A data set of ours or any TFDS name."),
        ("network", pg.typing.Enum("mlp", list(_SIZES)), "Which network."),
        ("sizes", pg.typing.Dict(), "Arguments of the network, such as hidden=[32], channels=[8, 16] or width=24."),
        ("batch_size", pg.typing.Int(32, min_value=1), "Examples in a step."),
        ("steps", pg.typing.Int(100, min_value=1), "Steps of the full run."),
        ("schedule", pg.typing.Enum("warmup_cosine", _SCHEDULES), "Course of `lr`, which peaks at 1."),
        ("context", pg.typing.Int(16, min_value=1), "Characters in a window of text."),
        ("held_rows", pg.typing.Int(256, min_value=1), "At most so many rows in each held-out split."),
    ],
    serialization_key="isozyme.OptimizerTask",
)
class Task(pg.Object):
    """Trains one network on one data set."""

    def _on_bound(self) -> None:
        super()._on_bound()
        unknown = [name for name in self.sizes if name not in _SIZES[self.network]]
        if unknown:
            known = ", ".join(sorted(_SIZES[self.network]))
            raise ValueError(f"task {self.name}: sizes has {unknown[0]!r}, {self.network} takes {known}")
        for name, value in self.sizes.items():
            numbers = value if name in _LISTS and isinstance(value, list) and value else [value]
            if (name in _LISTS) != isinstance(value, list) or not all(type(n) is int and n > 0 for n in numbers):
                kind = "a list of positive integers" if name in _LISTS else "a positive integer"
                raise ValueError(f"task {self.name}: sizes.{name} is {value!r}, it takes {kind}")
        if self.network == "transformer" and self.sizes.get("width", 24) % self.sizes.get("heads", 2):
            raise ValueError(f"task {self.name}: sizes.width must be a multiple of sizes.heads (24 and 2 if not given)")

    def check(self, download: bool) -> None:
        """Raises `DataUnavailable` unless the data can be had and fit the network."""
        kind = check_available(self.data, download)
        if (kind == "text") != (self.network == "transformer"):
            takes = "text" if self.network == "transformer" else "images"
            raise DataUnavailable(f"task {self.name}: {self.data} is {kind}, {self.network} takes {takes}; change one")


class Start(NamedTuple):
    """One repeat: initial weights float32 [parameters] and int32 [steps, batch] rows."""

    weights: np.ndarray
    order: np.ndarray


class LoadedTask:
    """A task in memory. Initial weights and batches are a function of (seed, task, repeat) alone."""

    def __init__(self, task: Task, seed: int, download: bool) -> None:
        import jax.numpy as jnp

        from isozyme.evaluators.optimizer.networks import as_network

        self.task = task
        self._seed = seed
        arrays = load(task.data, task.context, task.held_rows, download)
        self._examples = {
            split: Examples(jnp.asarray(e.inputs), jnp.asarray(e.targets), e.classes) for split, e in arrays.items()
        }
        self.classes = arrays["train"].classes
        self.data_version = full_name(task.data, download)
        self._starts: dict[int, Start] = {}
        self.network = as_network(self._model(0))

    def batches(self, split: str, repeat: int, share: float) -> tuple[np.ndarray, Batches]:
        """Initial weights and batches of one training run.

        Args:
          split: which held-out data to score on.
          repeat: which repeat.
          share: of the full run's steps.
        """
        start = self.start(repeat)
        steps = max(1, round(share * self.task.steps))
        rates = np.zeros(self.task.steps, np.float32)
        rates[:steps] = schedule(self.task.schedule, steps)
        train, held = self._examples["train"], self._examples[split]
        return start.weights, Batches(
            train.inputs, train.targets, start.order, rates, np.int32(steps), held.inputs, held.targets
        )

    def start(self, repeat: int) -> Start:
        """Initial weights and the order of examples of one repeat."""
        if repeat not in self._starts:
            from isozyme.evaluators.optimizer.networks import flat_weights

            rng = np.random.Generator(np.random.PCG64(self._derive(repeat)))
            rows = len(self._examples["train"].inputs)
            order = rng.integers(rows, size=(self.task.steps, self.task.batch_size), dtype=np.int32)
            self._starts[repeat] = Start(flat_weights(self._model(repeat)), order)
        return self._starts[repeat]

    def _derive(self, repeat: int) -> int:
        return derived(self._seed, self.task.name, repeat)

    def _model(self, repeat: int) -> Any:
        import jax

        from isozyme.evaluators.optimizer.networks import NETWORKS

        shape = self._examples["train"].inputs.shape[1:]
        sizes = {key: tuple(v) if isinstance(v, list) else v for key, v in self.task.sizes.items()}
        return NETWORKS[self.task.network](shape, self.classes, jax.random.key(self._derive(repeat)), **sizes)


def schedule(name: str, steps: int) -> np.ndarray:
    """Rates of all steps, float32 [steps], greater than 0 and at most 1."""
    if name == "constant":
        return np.ones(steps, np.float32)
    time = (np.arange(steps) + 0.5) / steps
    warmup = _WARMUP if name == "warmup_cosine" else 0.0
    decay = 0.5 * (1.0 + np.cos(np.pi * np.clip((time - warmup) / (1.0 - warmup), 0.0, 1.0)))
    return np.where(time < warmup, time / max(warmup, 1e-9), decay).astype(np.float32)
