"""Runs a program, or any optax optimizer, as ordinary traced code: one compilation a candidate."""

import jax
import jax.numpy as jnp
import optax

from isozyme.evaluators.optimizer.training import Network, Update
from isozyme.spaces.lion import FlatLayout, Program, build, step_function


def trace(network: Network, program: Program) -> Update:
    """The program inlined into the training step; state is (w, v1, v2)."""
    function = step_function(build(program), FlatLayout(network.sizes, jnp, jnp.float32))

    def start(w: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        return w, jnp.zeros_like(w), jnp.zeros_like(w)

    def step(state: tuple, g: jax.Array, lr: jax.Array) -> tuple:
        w, v1, v2 = state
        update, v1, v2 = function(w, g, v1, v2, lr)
        return w - update, v1, v2

    return Update(start, lambda state: state[0], step)


def from_optax(make: optax.GradientTransformation) -> Update:
    """An optax optimizer on the flat vector, for comparison; `lr` scales its updates."""

    def start(w: jax.Array) -> tuple:
        return w, make.init(w)

    def step(state: tuple, g: jax.Array, lr: jax.Array) -> tuple:
        w, inner = state
        change, inner = make.update(g, inner, w)
        assert isinstance(change, jax.Array)
        return w + lr * change, inner

    return Update(start, lambda state: state[0], step)
