"""Measures how long one update of an optimizer program takes, compiled by itself as a user would run it."""

import time
from typing import Any

import jax
from jax import lax

from isozyme.evaluators.optimizer.compiled import trace
from isozyme.evaluators.optimizer.training import FlatNetwork

_BLOCKS = 9  # Of which the median counts.
_BLOCK_SECONDS = 0.01  # Long against the price of a call and the clock's grain.
_LONGEST = 2**20  # steps in a block


def step_microseconds(network: FlatNetwork, weights: Any, program: Any) -> list[float]:
    """Times blocks of updates of all weights of a network, without computing gradients of a loss.

    The gradient is that of half the squared norm, so that it changes with the weights and no step can be left out.

    Args:
      network: whose weights are updated.
      weights: float32 [parameters], where every block starts.
      program: the optimizer.

    Returns:
      microseconds of a step in each block.
    """
    update = trace(network, program)

    @jax.jit
    def run(weights: jax.Array, steps: jax.Array) -> jax.Array:
        def step(_: Any, state: Any) -> Any:
            return update.step(state, update.weights(state), 1.0)  # pyright: ignore[reportArgumentType]

        return update.weights(lax.fori_loop(0, steps, step, update.start(weights)))

    def seconds(steps: int) -> float:
        began = time.perf_counter()
        jax.block_until_ready(run(weights, steps))  # pyright: ignore[reportArgumentType]
        return time.perf_counter() - began

    weights = jax.device_put(weights)
    seconds(1)  # Compiles.
    steps = 16
    while seconds(steps) < _BLOCK_SECONDS and steps < _LONGEST:
        steps *= 2
    return [1e6 * seconds(steps) / steps for _ in range(_BLOCKS)]
