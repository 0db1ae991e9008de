"""Baselines: what is subtracted from a reward so that its gradient varies less."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Average(NamedTuple):
    """Holds an exponential moving average without the zero that it starts from.

    Attributes:
      mean: of the rewards so far, each with its weight; scalar.
      weight: of all rewards together, 1 - momentum^steps; scalar.
    """

    mean: jax.Array
    weight: jax.Array


def average() -> Average:
    """Returns the average of nothing yet."""
    return Average(jnp.zeros(()), jnp.zeros(()))


def include(state: Average, reward: jax.Array, momentum: float) -> Average:
    """Takes a reward in; the mean of the first one is that reward, to the bit.

    TuNAS's order: the present reward is in the baseline that is subtracted from it, so that the first advantage is
    exactly 0 and each later one is that against the mean before, times a factor below 1.

    Args:
      state: of the steps before.
      reward: scalar; of a batch its mean.
      momentum: 0.95 in TuNAS, 0.9 in TabNAS's toy.
    """
    share = 1.0 - momentum
    weight = momentum * state.weight + share
    return Average(state.mean + share / weight * (reward - state.mean), weight)


def leave_one_out(rewards: jax.Array) -> jax.Array:
    """Returns for each reward of a batch, [n] with n ≥ 2, the mean of the others: unbiased, without an average's lag.

    Kool, van Hoof, Welling, "Buy 4 REINFORCE samples, get a baseline for free!", 2019.
    """
    return (rewards.sum() - rewards) / (rewards.shape[0] - 1)
