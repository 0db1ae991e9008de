"""Training of weights on examples that are in memory, as pure functions: batches, optimizer, schedule, steps.

A candidate that is itself an optimizer is trained by `optimizer/training.py`, on flat weights.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import optax
from jax import lax

T = TypeVar("T")


class Recipe(NamedTuple):
    """How weights are trained.

    Attributes:
      optimizer: with its schedule.
      batch_size: examples in a step.
      steps: of a whole run.
    """

    optimizer: optax.GradientTransformation
    batch_size: int
    steps: int


class State(NamedTuple):
    """Weights, a pytree of arrays, and the optimizer's state."""

    weights: Any
    moments: Any


def adam_recipe(rate: float, batch_size: int, steps: int) -> Recipe:
    """Makes a recipe of Adam, whose rate falls from `rate` to zero as a cosine over `steps`."""
    return Recipe(optax.adam(optax.cosine_decay_schedule(rate, steps)), batch_size, steps)


def start(recipe: Recipe, weights: Any) -> State:
    """Makes the state before training."""
    return State(weights, recipe.optimizer.init(weights))


def batch(examples: T, key: jax.Array, size: int) -> T:
    """Draws examples with replacement.

    Args:
      examples: a pytree of arrays that all have one row an example.
      key: of random numbers.
      size: how many.

    Returns:
      The same with `size` rows, on the device where the examples are.
    """
    chosen = jax.random.randint(key, (size,), 0, len(jax.tree.leaves(examples)[0]))
    return jax.tree.map(lambda column: column[chosen], examples)


def step(recipe: Recipe, state: State, loss: Callable[[Any], jax.Array]) -> State:
    """Takes one step down a loss.

    Args:
      recipe: how.
      state: before the step.
      loss: (weights) -> scalar. Weights that it does not depend on have gradients of zero; Adam still moves them by
        what they had before, as in any shared training.
    """
    updates, moments = recipe.optimizer.update(jax.grad(loss)(state.weights), state.moments)
    return State(optax.apply_updates(state.weights, updates), moments)


def advance(
    recipe: Recipe,
    state: State,
    key: jax.Array,
    examples: T,
    loss: Callable[[Any, T], jax.Array],
    first: Any,
    last: Any,
) -> State:
    """Trains from step `first` to before step `last`; a run that is cut anywhere takes the same steps.

    Args:
      recipe: how.
      state: after `first` steps.
      key: of batches, which are a function of it and of the step's number.
      examples: to learn from, see `batch`.
      loss: (weights, batch) -> scalar.
      first, last: numbers of steps, which may be traced.

    Returns:
      The state after `last` steps; nothing is chosen on the way.
    """

    def one(t: jax.Array, state: State) -> State:
        drawn = batch(examples, jax.random.fold_in(key, t), recipe.batch_size)
        return step(recipe, state, lambda weights: loss(weights, drawn))

    return lax.fori_loop(first, last, one, state)
