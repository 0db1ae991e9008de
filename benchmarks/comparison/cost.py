"""What an optimizer costs in an ordinary jitted training loop of JAX: bytes of state and time of a step."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from isozyme.benchmarks.comparison.problems import Problem
from isozyme.evaluators.optimizer.training import cross_entropy

Advance = Callable[[], None]
"""Takes one step and waits for it."""


class Cost(NamedTuple):
    """Bytes of state a weight; median seconds of a whole training step, and of the optimizer's part alone."""

    state_bytes: float
    step: float
    update: float


def measure(problem: Problem, optimizers: dict[str, Any], turns: int, weights: int) -> dict[str, Cost]:
    """Takes turns, so that drifts of the machine's speed meet all alike.

    Args:
      problem: gives network, batches and start of the training loop.
      optimizers: transformations of optax by name.
      turns: each optimizer takes 10 steps of both kinds in each.
      weights: how many the optimizer's part is measured on, in one square tensor.
    """
    side = round(weights**0.5)
    square = [jnp.asarray(np.random.Generator(np.random.PCG64(0)).normal(size=(side, side)), jnp.float32)]
    loops = {name: (_training(problem, one), _alone(one, square)) for name, one in optimizers.items()}
    times: dict[tuple[str, int], list[float]] = {(name, kind): [] for name in loops for kind in (0, 1)}
    for _ in range(turns):
        for name, kind in times:
            began = time.perf_counter()
            for _ in range(10):
                loops[name][kind]()
            times[name, kind].append((time.perf_counter() - began) / 10)
    return {
        name: Cost(state_bytes(one), float(np.median(times[name, 0])), float(np.median(times[name, 1])))
        for name, one in optimizers.items()
    }


def state_bytes(optimizer: Any) -> float:
    """Bytes of state for each weight, float32; single numbers such as counts are left out."""
    weights = jnp.zeros((10, 10))
    return sum(leaf.nbytes for leaf in jax.tree.leaves(optimizer.init([weights])) if leaf.ndim) / weights.size


def _training(problem: Problem, optimizer: Any) -> Advance:
    """The loop that optax's users write."""
    network = problem.network
    flat, batches = problem.start("search", 0)
    inputs, targets = (values[batches.order[0]] for values in (batches.inputs, batches.targets))

    @jax.jit
    def step(tensors: Any, state: Any) -> tuple[Any, Any]:
        gradients = jax.grad(lambda tensors: cross_entropy(network, tensors, inputs, targets))(tensors)
        changes, state = optimizer.update(gradients, state, tensors)
        return optax.apply_updates(tensors, changes), state

    return _advance(step, network.tensors(jnp.asarray(flat)), optimizer)


def _alone(optimizer: Any, tensors: Any) -> Advance:
    """The update of weights by gradients that are there."""
    gradients = [0.1 * tensor for tensor in tensors]

    @jax.jit
    def step(tensors: Any, state: Any) -> tuple[Any, Any]:
        changes, state = optimizer.update(gradients, state, tensors)
        return optax.apply_updates(tensors, changes), state

    return _advance(step, tensors, optimizer)


def _advance(step: Any, tensors: Any, optimizer: Any) -> Advance:
    holder = [(tensors, optimizer.init(tensors))]

    def advance() -> None:
        holder[0] = jax.block_until_ready(step(*holder[0]))

    advance()  # Compiles.
    return advance
