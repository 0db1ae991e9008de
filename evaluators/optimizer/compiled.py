"""Runs a program as ordinary traced code: one compilation a candidate."""

import jax
import jax.numpy as jnp

from isozyme.evaluators.optimizer.training import FlatNetwork, Update
from isozyme.spaces.lion import FlatLayout, Program, build, step_function


def trace(network: FlatNetwork, program: Program) -> Update:
    """The program inlined into the training step; state is (w, v1, v2)."""
    function = step_function(build(program), FlatLayout(network.sizes, jnp, jnp.float32))

    def start(w: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        return w, jnp.zeros_like(w), jnp.zeros_like(w)

    def step(state: tuple, g: jax.Array, lr: jax.Array) -> tuple:
        w, v1, v2 = state
        update, v1, v2 = function(w, g, v1, v2, lr)
        return w - update, v1, v2

    return Update(start, lambda state: state[0], step)
