"""Feed-forward networks on tables as functions of traced widths: all candidates of a space are one executable.

Weights have the shapes of the widest network; units beyond a layer's width are masked to zero. A zero unit adds
nothing to the next layer, and the gradients of its weights are zero: a masked network computes, and learns by any
element-wise optimizer, what a narrow one with the sliced weights does. Products are cut to about what is used
(`dense.py`); the optimizer's step costs as much as for the widest network.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isozyme.evaluators.tabular.dense import product
from isozyme.evaluators.tabular.shape import Shape, embedding_size


class Rows(NamedTuple):
    """Rows of a table: numeric float32 [rows, n], categorical int32 [rows, m], target [rows], int32 or float32."""

    numeric: jax.Array
    categorical: jax.Array
    target: jax.Array


class Weights(NamedTuple):
    """Embeddings [vocabulary, size], one a categorical column; (weight [in, out], bias [out]) of each layer."""

    embeddings: list[jax.Array]
    layers: list[tuple[jax.Array, jax.Array]]


def initial(key: jax.Array, shape: Shape, widths: jax.Array) -> Weights:
    """Weights before training: He's initialisation, LeCun's in the last layer, by the fan-in that `widths` give.

    A stand-alone network is initialised by its own fan-in. Shared weights are made once, for the widest network; in a
    narrow one, activations then start smaller than in one of its own. The same draws serve both: weights for two
    lists of widths differ in a factor a layer. Embeddings have norm about 1, as a standardised column has.

    Args:
      key: of random numbers.
      shape: of the widest network.
      widths: int32 [layers].
    """
    keys = jax.random.split(key, len(shape.vocabularies) + shape.layers + 1)
    embeddings = []
    for own, vocabulary in zip(keys, shape.vocabularies, strict=False):
        size = embedding_size(vocabulary)
        embeddings.append(jax.random.normal(own, (vocabulary, size)) / np.sqrt(size))
    sizes = [shape.inputs, *[shape.widest] * shape.layers, shape.outputs]
    layers = []
    for i, own in enumerate(keys[len(embeddings) :]):
        fan_in = widths[i - 1] if i else shape.inputs
        deviation = jnp.sqrt((2.0 if i < shape.layers else 1.0) / fan_in)
        layers.append((jax.random.normal(own, sizes[i : i + 2]) * deviation, jnp.zeros(sizes[i + 1])))
    return Weights(embeddings, layers)


def predict(weights: Weights, widths: jax.Array, rows: Rows) -> jax.Array:
    """Logits or numbers, [rows, outputs], of the network with `widths`, int32 [layers]."""
    columns = [table[rows.categorical[:, i]] for i, table in enumerate(weights.embeddings)]
    x = jnp.concatenate([rows.numeric, *columns], axis=1)
    before = None
    for (weight, bias), width in zip(weights.layers, widths, strict=False):  # The last layer has no width.
        units = jax.nn.relu(product(x, weight, before, width) + bias)
        x, before = jnp.where(jnp.arange(len(bias)) < width, units, 0.0), width
    weight, bias = weights.layers[-1]
    return product(x, weight, before, None) + bias


def loss(weights: Weights, widths: jax.Array, rows: Rows, shape: Shape) -> jax.Array:
    """Mean cross-entropy in nats, or mean squared error in units of the target; a scalar."""
    return _loss(predict(weights, widths, rows), rows.target, shape)


def quality(
    weights: Weights, widths: jax.Array, rows: Rows, shape: Shape, variance: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """What a network is worth on some rows.

    Args:
      weights, widths, rows, shape: as above.
      variance: of the target, for R²; on a batch that of its whole split, since a batch's own would bias the ratio.

    Returns:
      accuracy or R², and the loss; scalars.
    """
    predicted = predict(weights, widths, rows)
    error = _loss(predicted, rows.target, shape)
    if shape.classes is None:
        return 1.0 - error / variance, error
    return jnp.mean(jnp.argmax(predicted, axis=1) == rows.target), error


def _loss(predicted: jax.Array, target: jax.Array, shape: Shape) -> jax.Array:
    if shape.classes is None:
        return jnp.mean((predicted[:, 0] - target) ** 2)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(predicted), target[:, None], axis=1))


def sliced(weights: Weights, widths: Sequence[int]) -> Weights:
    """The weights of a stand-alone network of these widths."""
    sizes = [*widths, len(weights.layers[-1][1])]
    layers, fan_in = [], len(weights.layers[0][0])
    for (weight, bias), fan_out in zip(weights.layers, sizes, strict=True):
        layers.append((weight[:fan_in, :fan_out], bias[:fan_out]))
        fan_in = fan_out
    return Weights(weights.embeddings, layers)
