"""Feed-forward networks on rows of a table: what they predict is worth, and a stand-alone training run."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from isozyme.evaluators import training
from isozyme.evaluators.networks import Weights, apply, initial
from isozyme.spaces.networks import Network


class Rows(NamedTuple):
    """Rows of a table: numeric float32 [rows, n], categorical int32 [rows, m], target [rows].

    The target holds classes where it is int32, and numbers to be predicted where it is float32.
    """

    numeric: jax.Array
    categorical: jax.Array
    target: jax.Array


def predict(weights: Weights, network: Network, widths: jax.Array, rows: Rows) -> jax.Array:
    """Computes logits or numbers, [rows, outputs], of the network with `widths`, int32 [layers]."""
    return apply(weights, network, (rows.numeric, rows.categorical), widths)


def loss(weights: Weights, network: Network, widths: jax.Array, rows: Rows) -> jax.Array:
    """Computes the mean cross-entropy in nats, or the mean squared error in units of the target; a scalar."""
    return _error(predict(weights, network, widths, rows), rows.target)


def quality(
    weights: Weights, network: Network, widths: jax.Array, rows: Rows, variance: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Tells what a network is worth on some rows.

    Args:
      weights, network, widths, rows: as above.
      variance: of the target, for R²; on a batch that of its whole split, since a batch's own would bias the ratio.

    Returns:
      accuracy or R², and the loss; scalars.
    """
    predicted = predict(weights, network, widths, rows)
    error = _error(predicted, rows.target)
    if _is_number(rows.target):
        return 1.0 - error / variance, error
    return jnp.mean(jnp.argmax(predicted, axis=1) == rows.target), error


def score(weights: Weights, network: Network, widths: jax.Array, rows: Rows) -> tuple[jax.Array, jax.Array]:
    """Computes accuracy or R², and the loss, on a whole split; scalars."""
    return quality(weights, network, widths, rows, variance_of(rows))


def variance_of(rows: Rows) -> jax.Array:
    """Computes the variance of the target over all rows; a scalar."""
    return jnp.var(rows.target.astype(jnp.float32))


def begin(recipe: training.Recipe, network: Network, widths: jax.Array, key: jax.Array) -> training.State:
    """Makes the state of one network before training, from its own initial weights.

    Args:
      recipe: how it is trained.
      network: the widest of all.
      widths: int32 [layers], the units that this one uses.
      key: of initial weights and batches.
    """
    return training.start(recipe, initial(jax.random.split(key)[0], network, widths))


def train(
    recipe: training.Recipe,
    network: Network,
    widths: jax.Array,
    key: jax.Array,
    state: training.State,
    first: Any,
    last: Any,
    rows: Rows,
    held: Rows,
) -> tuple[training.State, jax.Array, jax.Array]:
    """Trains one network from step `first` to before step `last`, and scores it.

    Args:
      recipe, network, widths, key: see `begin`.
      state: after `first` steps.
      first, last: numbers of steps, which may be traced.
      rows, held: what to learn from and to score on.

    Returns:
      the state after `last` steps, accuracy or R², and the loss.
    """

    def error(weights: Weights, drawn: Rows) -> jax.Array:
        return loss(weights, network, widths, drawn)

    state = training.advance(recipe, state, jax.random.split(key)[1], rows, error, first, last)
    return state, *score(state.weights, network, widths, held)


def _error(predicted: jax.Array, target: jax.Array) -> jax.Array:
    if _is_number(target):
        return jnp.mean((predicted[:, 0] - target) ** 2)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(predicted), target[:, None], axis=1))


def _is_number(target: jax.Array) -> bool:
    return jnp.issubdtype(target.dtype, jnp.floating)
