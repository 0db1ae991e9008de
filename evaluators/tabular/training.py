"""One weight step, and a stand-alone training run made of such steps; pure functions."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from isozyme.evaluators.tabular.network import Rows, Weights, initial, loss, quality
from isozyme.evaluators.tabular.shape import Shape


class State(NamedTuple):
    """Weights of the widest network and the optimizer's state, of the same shapes."""

    weights: Weights
    moments: Any


class Recipe(NamedTuple):
    """How networks are trained.

    Attributes:
      shape: of the widest network.
      optimizer: Adam whose rate decays as a cosine over `steps`.
      batch_size: rows in a step.
      steps: of a whole run.
    """

    shape: Shape
    optimizer: optax.GradientTransformation
    batch_size: int
    steps: int


def recipe(shape: Shape, rate: float, batch_size: int, steps: int) -> Recipe:
    """Adam from `rate` down to zero."""
    return Recipe(shape, optax.adam(optax.cosine_decay_schedule(rate, steps)), batch_size, steps)


def start(recipe: Recipe, key: jax.Array, widths: jax.Array) -> State:
    """The state before training."""
    weights = initial(key, recipe.shape, widths)
    return State(weights, recipe.optimizer.init(weights))  # pyright: ignore[reportArgumentType]


def batch(rows: Rows, key: jax.Array, size: int) -> Rows:
    """`size` rows, drawn with replacement where the rows are."""
    chosen = jax.random.randint(key, (size,), 0, len(rows.target))
    return Rows(*(column[chosen] for column in rows))


def step(recipe: Recipe, state: State, widths: jax.Array, rows: Rows) -> State:
    """One step of the network with `widths` on a batch.

    Weights outside of the sampled network have gradients of zero; Adam still moves them by what they had before, as
    in any shared training.
    """
    gradients = jax.grad(loss)(state.weights, widths, rows, recipe.shape)
    updates, moments = recipe.optimizer.update(gradients, state.moments)
    return State(optax.apply_updates(state.weights, updates), moments)  # pyright: ignore[reportArgumentType]


def train(recipe: Recipe, widths: jax.Array, key: jax.Array, rows: Rows, held: Rows) -> tuple[jax.Array, jax.Array]:
    """Trains one network from scratch; what counts is the last step, nothing is chosen on held-out rows.

    Args:
      recipe: how.
      widths: int32 [layers].
      key: of initial weights and batches.
      rows, held: what to learn from and to score on.

    Returns:
      accuracy or R², and the loss; scalars.
    """
    initial_key, batch_key = jax.random.split(key)

    def one(t: jax.Array, state: State) -> State:
        return step(recipe, state, widths, batch(rows, jax.random.fold_in(batch_key, t), recipe.batch_size))

    state = lax.fori_loop(0, recipe.steps, one, start(recipe, initial_key, widths))
    return score(recipe.shape, state.weights, widths, held)


def score(shape: Shape, weights: Weights, widths: jax.Array, rows: Rows) -> tuple[jax.Array, jax.Array]:
    """Accuracy or R², and the loss, on a whole split; scalars."""
    return quality(weights, widths, rows, shape, variance_of(rows))


def variance_of(rows: Rows) -> jax.Array:
    """Variance of the target, over all rows; a scalar."""
    return jnp.var(rows.target.astype(jnp.float32))
