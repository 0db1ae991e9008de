"""Optimizers of optax and programs of the space as update rules with two numbers to tune.

Both numbers mean the same for all. The rate multiplies what the optimizer makes of the gradient. The decay is decoupled
(arXiv 1711.05101) and counted in the share of a weight that goes in a step at the peak of the schedule: rate × λ in the
usual notation. So one grid of decays serves all, whatever an optimizer's own scale.

A program has a rate and mostly a decay of its own, literals that the search has set. Its rate is a multiple of its own.
Its decay is taken out, where it is decoupled and in proportion to `lr`, and the tuned one put in its place; Lion as a
program is then the same contestant as `optax.lion`. Where the weights act otherwise they are left as they are, and the
tuned decay comes on top.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from isozyme.evaluators.optimizer.training import FlatNetwork, Update
from isozyme.spaces.lion import FlatLayout, Program, build, step_function

Numbers = Any  # Python floats or traced scalars.


class Contestant(NamedTuple):
    """An optimizer to tune.

    Attributes:
      name: in tables.
      centre: middle of the rates tried, geometrically: what is usual for an optimizer of optax, 1 for a program.
      update: (network, rate, decay) -> update rule.
    """

    name: str
    centre: float
    update: Callable[[FlatNetwork, Numbers, Numbers], Update]


def of_program(name: str, program: Program) -> Contestant:
    """A program of the space."""
    removable = decay_is_decoupled(program)

    def update(network: FlatNetwork, rate: Numbers, decay: Numbers) -> Update:
        function = step_function(build(program), FlatLayout(network.sizes, jnp, jnp.float32))

        def start(w: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
            return w, jnp.zeros_like(w), jnp.zeros_like(w)

        def step(state: tuple, g: jax.Array, lr: jax.Array) -> tuple:
            w, v1, v2 = state
            change, v1, v2 = function(jnp.zeros_like(w) if removable else w, g, v1, v2, lr)
            return w - rate * change - decay * lr * w, v1, v2

        return Update(start, lambda state: state[0], step)

    return Contestant(name, 1.0, update)


def decay_is_decoupled(program: Program) -> bool:
    """Whether the weights act by c · lr · w on the update, the same number c at all times, and on nothing else.

    Found by running the program on random numbers, in float64.
    """
    sizes = [5, 3]
    step = step_function(build(program), FlatLayout(sizes))
    rng = np.random.Generator(np.random.PCG64(0))
    shares = []
    with np.errstate(all="ignore"):
        for lr in (1.0, 0.3, 0.03):
            w, g, v1, v2 = rng.normal(size=(4, sum(sizes)))
            with_weights, *states = step(w, g, v1, v2, np.float64(lr))
            without, *others = step(np.zeros_like(w), g, v1, v2, np.float64(lr))
            if not all(np.allclose(one, other) for one, other in zip(states, others, strict=True)):
                return False
            shares.append((with_weights - without) / (lr * w))
    return bool(np.allclose(shares, shares[0][0], rtol=1e-6, atol=1e-12))


def of_optax(name: str, centre: float, make: Callable[[Numbers, Numbers], Any]) -> Contestant:
    """An optimizer of optax.

    Args:
      name, centre: as above.
      make: (learning rate, λ) -> transformation, whose weight decay is learning rate × λ a step.
    """

    def update(network: FlatNetwork, rate: Numbers, decay: Numbers) -> Update:
        def start(w: jax.Array) -> Any:
            tensors = network.tensors(w)
            return tensors, make(rate, decay / rate).init(tensors)

        def weights(state: Any) -> jax.Array:
            return jnp.concatenate([tensor.ravel() for tensor in state[0]])

        def step(state: Any, g: jax.Array, lr: jax.Array) -> Any:
            tensors, own = state
            changes, own = make(rate * lr, decay / rate).update(network.tensors(g), own, tensors)
            return optax.apply_updates(tensors, changes), own

        return Update(start, weights, step)

    return Contestant(name, centre, update)


def _decayed(direction: optax.GradientTransformation) -> Callable[[Numbers, Numbers], Any]:
    """For those to which optax gives no decay of its own."""
    return lambda rate, decay: optax.chain(
        direction, optax.add_decayed_weights(decay), optax.scale_by_learning_rate(rate)
    )


ADAMW = of_optax("adamw", 3e-3, lambda rate, decay: optax.adamw(rate, weight_decay=decay))
LION = of_optax("lion", 6e-4, lambda rate, decay: optax.lion(rate, weight_decay=decay))
# Signum is Lion with one average: the paper's ablation of the second one.
OTHERS = (
    of_optax("sgd_nesterov", 0.1, _decayed(optax.trace(0.9, nesterov=True))),
    of_optax("rmsprop", 3e-3, _decayed(optax.scale_by_rms())),
    of_optax("adabelief", 3e-3, _decayed(optax.scale_by_belief())),
    of_optax("nadamw", 3e-3, lambda rate, decay: optax.nadamw(rate, weight_decay=decay)),
    of_optax("signum", 6e-4, _decayed(optax.chain(optax.ema(0.9, debias=False), optax.scale_by_sign()))),
)
