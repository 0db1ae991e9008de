"""Small networks for proxy tasks, made of equinox layers. Each maps one example to logits."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from equinox import nn

from isozyme.evaluators.optimizer.training import FlatNetwork


class MultiLayerPerceptron(eqx.Module):
    """Dense layers with ReLU; an input of any shape is flattened."""

    layers: list[nn.Linear]

    def __init__(self, shape: tuple[int, ...], classes: int, key: jax.Array, hidden: tuple[int, ...] = (32,)) -> None:
        sizes = [math.prod(shape), *hidden, classes]
        keys = jax.random.split(key, len(sizes) - 1)
        self.layers = [nn.Linear(m, n, key=k) for m, n, k in zip(sizes[:-1], sizes[1:], keys, strict=True)]

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.ravel()
        for layer in self.layers[:-1]:
            x = jax.nn.relu(layer(x))
        return self.layers[-1](x)


class ConvolutionalNetwork(eqx.Module):
    """Strided 3×3 convolutions with ReLU, then one dense layer; input [height, width, channels]."""

    layers: list[nn.Conv2d]
    readout: nn.Linear

    def __init__(
        self, shape: tuple[int, ...], classes: int, key: jax.Array, channels: tuple[int, ...] = (8, 16)
    ) -> None:
        height, width, depth = shape
        keys = jax.random.split(key, len(channels) + 1)
        self.layers = []
        for size, k in zip(channels, keys[1:], strict=True):
            self.layers.append(nn.Conv2d(depth, size, 3, stride=2, padding=1, key=k))
            height, width, depth = (height + 1) // 2, (width + 1) // 2, size
        self.readout = nn.Linear(height * width * depth, classes, key=keys[0])

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.transpose(2, 0, 1)
        for layer in self.layers:
            x = jax.nn.relu(_strided(layer, x))
        return self.readout(x.ravel())


def _strided(layer: nn.Conv2d, x: jax.Array) -> jax.Array:
    """What a 3×3 convolution of stride 2 gives, [channels, height, width], as one product over patches.

    XLA's own takes more than three times as long on a CPU at the sizes of proxy tasks.
    """
    _, height, width = x.shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1)))
    patches = jnp.stack([x[:, i : i + height : 2, j : j + width : 2] for i in range(3) for j in range(3)], axis=1)
    assert layer.bias is not None
    return jnp.einsum("ocp,cphw->ohw", layer.weight.reshape(*layer.weight.shape[:2], 9), patches) + layer.bias


class _Block(eqx.Module):
    attention: nn.MultiheadAttention
    norms: list[nn.LayerNorm]
    up: nn.Linear
    down: nn.Linear

    def __init__(self, width: int, heads: int, key: jax.Array) -> None:
        keys = jax.random.split(key, 3)
        self.attention = nn.MultiheadAttention(heads, width, key=keys[0])
        self.norms = [nn.LayerNorm(width), nn.LayerNorm(width)]
        self.up = nn.Linear(width, 2 * width, key=keys[1])
        self.down = nn.Linear(2 * width, width, key=keys[2])

    def __call__(self, x: jax.Array) -> jax.Array:
        causal = jnp.tril(jnp.ones((len(x), len(x)), bool))
        y = jax.vmap(self.norms[0])(x)
        x = x + self.attention(y, y, y, mask=causal)
        y = jax.vmap(self.norms[1])(x)
        return x + jax.vmap(self.down)(jax.nn.gelu(jax.vmap(self.up)(y)))


class Transformer(eqx.Module):
    """Pre-norm autoregressive transformer; input [context] integers, logits [context, classes]."""

    embedding: nn.Embedding
    positions: jax.Array
    blocks: list[_Block]
    readout: nn.Linear

    def __init__(
        self, shape: tuple[int, ...], classes: int, key: jax.Array, width: int = 24, heads: int = 2, depth: int = 1
    ) -> None:
        keys = jax.random.split(key, depth + 3)
        self.embedding = nn.Embedding(classes, width, key=keys[0])
        self.positions = 0.02 * jax.random.normal(keys[1], (shape[0], width))
        self.blocks = [_Block(width, heads, k) for k in keys[3:]]
        self.readout = nn.Linear(width, classes, key=keys[2])

    def __call__(self, x: jax.Array) -> jax.Array:
        x = jax.vmap(self.embedding)(x) + self.positions
        for block in self.blocks:
            x = block(x)
        return jax.vmap(self.readout)(x)


NETWORKS: dict[str, Callable[..., Any]] = {
    "mlp": MultiLayerPerceptron,
    "cnn": ConvolutionalNetwork,
    "transformer": Transformer,
}


def as_network(model: eqx.Module) -> FlatNetwork:
    """A model as a function of its tensors."""
    arrays, static = eqx.partition(model, eqx.is_array)
    tensors, tree = jax.tree.flatten(arrays)

    def logits(tensors: list[jax.Array], inputs: jax.Array) -> jax.Array:
        return jax.vmap(eqx.combine(jax.tree.unflatten(tree, tensors), static))(inputs)

    return FlatNetwork(tuple(t.shape for t in tensors), logits)


def flat_weights(model: eqx.Module) -> np.ndarray:
    """All parameters end to end, in the order of the network's tensors, float32 [parameters]."""
    leaves = jax.tree.leaves(eqx.filter(model, eqx.is_array))
    return np.concatenate([np.asarray(leaf, np.float32).ravel() for leaf in leaves])
