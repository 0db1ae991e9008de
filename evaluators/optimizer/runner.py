"""Runs candidates on one loaded task, through the interpreter or compiled."""

import math
from typing import Any

import jax

from isozyme.evaluators.optimizer.compiled import trace
from isozyme.evaluators.optimizer.interpreter import interpret
from isozyme.evaluators.optimizer.step_time import step_microseconds
from isozyme.evaluators.optimizer.tasks import LoadedTask
from isozyme.evaluators.optimizer.training import Batches, Update, train
from isozyme.spaces.lion import Lowered


class Runner:
    """One task in one process.

    The interpreter's executable is compiled once, at the first run, and again only for programs that need more
    registers than `lowering.SMALLEST_CAPACITY`. The compiled path builds an executable for each candidate and drops
    it when the next one comes.
    """

    def __init__(self, task: LoadedTask, space: Any, path: str) -> None:
        self.task = task.task
        self._task, self._space, self._path = task, space, path
        self._batches: dict[tuple, tuple] = {}
        self._compiled: tuple[Any, Any] = None, None  # A candidate, written out, and its executable.

        def run(program: Lowered, weights: jax.Array, batches: Batches) -> tuple[jax.Array, jax.Array]:
            return train(task.network, interpret(task.network, program), weights, batches)

        self._interpreter: Any = jax.jit(run)

    def load(self, candidate: Any) -> Any:
        """What `run` takes: arrays for the interpreter, or a function compiled on its first call."""
        if self._path == "interpreter":
            lowered = self._space.lower(candidate)
            program = Lowered(lowered.code, lowered.length, lowered.registers.astype("float32"))
            return lambda weights, batches: self._interpreter(program, weights, batches)
        text = repr(candidate)  # Keeps 0.0 and -0.0 apart, which compare equal.
        if self._compiled[0] != text:
            self._compiled = text, self.compile(trace(self._task.network, candidate))
        return self._compiled[1]

    def compile(self, update: Update) -> Any:
        """A jitted training run with any update rule."""
        return jax.jit(lambda weights, batches: train(self._task.network, update, weights, batches))

    def run(self, program: Any, split: str, repeat: int, share: float) -> tuple[float, float]:
        """Trains and scores once.

        Returns:
          held-out cross-entropy as a share of log(classes), and accuracy.
        """
        key = (split, repeat, share)
        if key not in self._batches:
            self._batches[key] = jax.device_put(self._task.batches(split, repeat, share))
        loss, accuracy = program(*self._batches[key])
        return float(loss) / math.log(self._task.classes), float(accuracy)

    def step_microseconds(self, candidate: Any) -> list[float]:
        """Measures what one update takes on this task's weights; see `step_time.py`."""
        return step_microseconds(self._task.network, self._task.start(0).weights, candidate)

    def compilations(self) -> int:
        """Executables that the interpreter has built so far."""
        return self._interpreter._cache_size()
