"""Networks as pure functions of their weights, and many networks as one: all widths are one executable.

Weights have the shapes that the description gives. With `widths`, which may be traced, only so many units of each
hidden layer are in use and the others are masked to zero. A zero unit adds nothing to the next layer, and the gradients
of its weights are zero: a masked network computes, and learns by any element-wise optimizer, what a narrow one with the
narrowed weights does. Products are cut to about what is used (`products.py`); the optimizer's step costs as much as for
the widest network.

Trainable are dense layers, activations and the columns of a table.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isozyme.evaluators.networks.products import product
from isozyme.spaces.networks import Activation, Columns, Dense, Layer, Network, input_shape


class Weights(NamedTuple):
    """All that is trained of a network.

    Attributes:
      embeddings: [vocabulary, size], one a categorical column; none where the input is an array.
      layers: (weight [in, out], bias [out]) of each dense layer; a bias is None where the layer has none.
    """

    embeddings: list[jax.Array]
    layers: list[tuple[jax.Array, Any]]


def initial(key: jax.Array, network: Network, widths: jax.Array | None = None) -> Weights:
    """Draws weights before training: He's initialisation before a ReLU, LeCun's elsewhere; biases of zero.

    A stand-alone network is initialised by its own fan-in, which `widths` give. Shared weights are made once, for the
    widest network; in a narrow one, activations then start smaller than in one of its own. The same draws serve both:
    weights for two lists of widths differ in a factor a layer. Embeddings have norm about 1, as a standardised column
    has.

    Args:
      key: of random numbers.
      network: gives the shapes.
      widths: units in use, int32 [hidden dense layers]; None for all.

    Raises:
      TypeError: a layer has no trainable form here.
    """
    tables = network.inputs.embeddings if isinstance(network.inputs, Columns) else ()
    dense = list(_dense(network))
    keys = jax.random.split(key, len(tables) + len(dense))
    embeddings = [
        jax.random.normal(own, (table.vocabulary, table.size)) / np.sqrt(table.size)
        for own, table in zip(keys[: len(tables)], tables, strict=True)
    ]
    layers, used = [], iter(() if widths is None else widths)
    fan_in = in_use = input_shape(network)[-1]
    for own, (layer, gain) in zip(keys[len(tables) :], dense, strict=True):
        weight = jax.random.normal(own, (fan_in, layer.outputs)) * jnp.sqrt(gain / in_use)
        layers.append((weight, jnp.zeros(layer.outputs) if layer.bias else None))
        fan_in = layer.outputs
        in_use = next(used, fan_in)
    return Weights(embeddings, layers)


def apply(weights: Weights, network: Network, inputs: Any, widths: jax.Array | None = None) -> jax.Array:
    """Computes what a network makes of its inputs.

    Args:
      weights: as `initial` returns them.
      network: describes the layers.
      inputs: an array [rows, features]; of a table, a pair: numeric float32 [rows, n], categorical int32 [rows, m].
      widths: units in use, int32 [hidden dense layers]; None for all.

    Returns:
      [rows, outputs].
    """
    x = _joined(weights.embeddings, *inputs) if isinstance(network.inputs, Columns) else inputs
    own, used = iter(weights.layers), iter(() if widths is None else widths)
    width = None  # How many columns of x are in use; None for all.
    for layer in network.layers:
        if isinstance(layer, Dense):
            weight, bias = next(own)
            if width is not None:
                x = jnp.where(jnp.arange(x.shape[-1]) < width, x, 0.0)
            before, width = width, next(used, None)
            x = product(x, weight, before, width)
            x = x if bias is None else x + bias
        elif isinstance(layer, Activation):
            x = getattr(jax.nn, layer.name)(x)
        else:
            raise _untrainable(layer)
    return x


def narrowed(weights: Weights, widths: Sequence[int]) -> Weights:
    """Cuts out the weights of the stand-alone network that has these hidden widths."""
    outputs = len(weights.layers[-1][0][0])
    layers, fan_in = [], len(weights.layers[0][0])
    for (weight, bias), fan_out in zip(weights.layers, [*widths, outputs], strict=True):
        layers.append((weight[:fan_in, :fan_out], None if bias is None else bias[:fan_out]))
        fan_in = fan_out
    return Weights(weights.embeddings, layers)


def _dense(network: Network) -> Iterator[tuple[Dense, float]]:
    """Dense layers with the gain of their initialisation."""
    for layer, after in pairwise((*network.layers, ())):
        if isinstance(layer, Dense):
            yield layer, 2.0 if after == Activation("relu") else 1.0
        elif not isinstance(layer, Activation):
            raise _untrainable(layer)


def _untrainable(layer: Layer) -> TypeError:
    return TypeError(f"{layer} has no trainable form here; dense layers and activations have")


def _joined(embeddings: Sequence[jax.Array], numeric: jax.Array, categorical: jax.Array) -> jax.Array:
    """The features of a table's rows, [rows, features]."""
    columns = [table[categorical[:, i]] for i, table in enumerate(embeddings)]
    return jnp.concatenate([numeric, *columns], axis=1)
