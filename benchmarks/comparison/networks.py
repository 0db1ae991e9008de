"""Networks that no search of ours has trained: convolutions of three sizes, and a perceptron on tables."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from equinox import nn

from isozyme.evaluators.optimizer.networks import MultiLayerPerceptron
from isozyme.evaluators.tabular.columns import embedding_size


class PatchConvolutions(eqx.Module):
    """Strided 3×3 convolutions with ReLU, then one dense layer; input [height, width, channels].

    A convolution is written as a product of patches and a matrix: on one thread and inside a loop, XLA's own takes
    several times as long.
    """

    layers: list[nn.Linear]
    readout: nn.Linear

    def __init__(self, shape: tuple[int, ...], classes: int, key: jax.Array, channels: Sequence[int]) -> None:
        height, width, depth = shape
        keys = jax.random.split(key, len(channels) + 1)
        self.layers = []
        for size, own in zip(channels, keys[1:], strict=True):
            self.layers.append(nn.Linear(9 * depth, size, key=own))
            height, width, depth = (height + 1) // 2, (width + 1) // 2, size
        self.readout = nn.Linear(height * width * depth, classes, key=keys[0])

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers:
            x = jax.nn.relu(jax.vmap(jax.vmap(layer))(patches(x)))
        return self.readout(x.ravel())


def patches(x: jax.Array) -> jax.Array:
    """What each output of a 3×3 convolution of stride 2 sees: [height, width, n] -> [⌈height/2⌉, ⌈width/2⌉, 9 n]."""
    rows, columns = 2 * ((x.shape[0] + 1) // 2), 2 * ((x.shape[1] + 1) // 2)
    padded = jnp.pad(x, ((1, 1 + rows - x.shape[0]), (1, 1 + columns - x.shape[1]), (0, 0)))
    return jnp.concatenate([padded[i : i + rows : 2, j : j + columns : 2] for i in range(3) for j in range(3)], axis=-1)


class TablePerceptron(eqx.Module):
    """A perceptron on numbers and embedded categories; input [numeric + categorical], the codes as floats."""

    embeddings: list[nn.Embedding]
    perceptron: MultiLayerPerceptron

    def __init__(
        self, numeric: int, vocabularies: Sequence[int], classes: int, key: jax.Array, hidden: tuple[int, ...]
    ) -> None:
        own, *keys = jax.random.split(key, len(vocabularies) + 1)
        sizes = [embedding_size(v) for v in vocabularies]
        self.embeddings = [nn.Embedding(v, n, key=k) for v, n, k in zip(vocabularies, sizes, keys, strict=True)]
        self.perceptron = MultiLayerPerceptron((numeric + sum(sizes),), classes, own, hidden)

    def __call__(self, x: jax.Array) -> jax.Array:
        numbers, codes = jnp.split(x, [len(x) - len(self.embeddings)])
        embedded = [table(code.astype(jnp.int32)) for table, code in zip(self.embeddings, codes, strict=True)]
        return self.perceptron(jnp.concatenate([numbers, *embedded]))
