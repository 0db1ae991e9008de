"""Trains a network with a candidate as optimizer: one loop, whatever runs the candidate inside."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class Update(NamedTuple):
    """How a candidate acts inside the training loop; w and g are flat float32 vectors [parameters].

    Attributes:
      start: (w) -> state.
      weights: (state) -> w.
      step: (state, g, lr) -> state.
    """

    start: Callable[[jax.Array], Any]
    weights: Callable[[Any], jax.Array]
    step: Callable[[Any, jax.Array, jax.Array], Any]


class Batches(NamedTuple):
    """What a training run reads.

    Attributes:
      inputs, targets: training examples.
      order: int32 [steps, batch], rows of each batch.
      rates: float32 [steps], the schedule, `lr` of each step.
      steps: number of steps to run, at most len(order).
      held_inputs, held_targets: the split to score on.
    """

    inputs: Any
    targets: Any
    order: Any
    rates: Any
    steps: Any
    held_inputs: Any
    held_targets: Any


class FlatNetwork(NamedTuple):
    """A network as a function of its flat parameters.

    Attributes:
      shapes: of its tensors, in the order of the flat vector.
      logits: (tensors, inputs [batch, …]) -> logits.
    """

    shapes: tuple[tuple[int, ...], ...]
    logits: Callable[[list[jax.Array], jax.Array], jax.Array]

    @property
    def sizes(self) -> list[int]:
        """Number of elements of each tensor."""
        return [math.prod(shape) for shape in self.shapes]

    def tensors(self, flat: jax.Array) -> list[jax.Array]:
        """The parameters in their own shapes."""
        result, start = [], 0
        for shape, size in zip(self.shapes, self.sizes, strict=True):
            result.append(flat[start : start + size].reshape(shape))
            start += size
        return result


def cross_entropy(network: FlatNetwork, tensors: list[jax.Array], inputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Mean cross-entropy in nats."""
    log_probabilities = jax.nn.log_softmax(network.logits(tensors, inputs))
    return -jnp.mean(jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1))


def train(network: FlatNetwork, update: Update, weights: jax.Array, batches: Batches) -> tuple[jax.Array, jax.Array]:
    """Trains from `weights` and scores on the held-out split.

    Returns:
      cross-entropy in nats and accuracy, scalars.
    """
    loss = jax.grad(lambda tensors, x, y: cross_entropy(network, tensors, x, y))

    def step(t: jax.Array, state: Any) -> Any:
        rows = batches.order[t]
        gradients = loss(network.tensors(update.weights(state)), batches.inputs[rows], batches.targets[rows])
        flat = jnp.concatenate([g.ravel() for g in gradients])
        return update.step(state, flat, batches.rates[t])

    state = lax.fori_loop(0, batches.steps, step, update.start(weights))
    tensors = network.tensors(update.weights(state))
    correct = jnp.argmax(network.logits(tensors, batches.held_inputs), axis=-1) == batches.held_targets
    return cross_entropy(network, tensors, batches.held_inputs, batches.held_targets), jnp.mean(correct)
