"""The step that moves a policy by one reward: REINFORCE with a moving average as baseline, by Adam."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from isozyme.search.policy import baselines, estimators
from isozyme.search.policy.feasible_policy import FeasiblePolicy
from isozyme.search.policy.policy import FactorisedPolicy, Logits

Surrogate = Callable[[Logits, jax.Array, jax.Array], jax.Array]
"""(logits, advantage, baseline) to what is to be made greater: its gradient by the logits is the estimate."""


def reinforcing(policy: FactorisedPolicy | FeasiblePolicy, row: Any) -> Surrogate:
    """Returns the surrogate of a row that was drawn from a policy."""
    return lambda logits, advantage, _: estimators.reinforce(policy, logits, row[None], advantage[None])


def rejecting(policy: FactorisedPolicy, row: Any, draws: Any, feasible: Any) -> Surrogate:
    """Returns the surrogate of a feasible row of a policy under a limit.

    Args:
      policy: that drew the row, what was infeasible being thrown away.
      row: int [decisions].
      draws: int [n, decisions], independent of the row; they estimate how probable feasible candidates are.
      feasible: bool [n], which of them are.
    """
    return lambda logits, advantage, _: estimators.rejection(policy, logits, row, advantage, draws, feasible)


class PolicyState(NamedTuple):
    """Holds all that a policy has learned.

    Attributes:
      logits: of the policy.
      optimizer: Adam's moments.
      average: the baseline.
    """

    logits: Logits
    optimizer: Any
    average: baselines.Average


class PolicyStep:
    """Starts a policy and moves it; both are pure and may be traced.

    Args:
      policy: that learns.
      rate: of Adam, a number or a schedule.
      momentum: of the baseline.
      entropy: weight of the policy's entropy beside the reward.
    """

    def __init__(self, policy: FactorisedPolicy, rate: Any, momentum: float, entropy: float = 0.0) -> None:
        self._policy, self._momentum, self._entropy = policy, momentum, entropy
        self._optimizer = optax.adam(rate)

    def start(self) -> PolicyState:
        """Returns a uniform policy that has learned nothing."""
        logits = self._policy.initial()
        return PolicyState(logits, self._optimizer.init(logits), baselines.average())

    def take(self, state: PolicyState, reward: Any, surrogate: Surrogate, weight: Any = 1.0) -> PolicyState:
        """Returns the state after one reward.

        Args:
          state: before it.
          reward: scalar; it enters the baseline first.
          surrogate: of what was rewarded.
          weight: of the advantage, such as `estimators.importance`; scalar.
        """
        average = baselines.include(state.average, reward, self._momentum)
        advantage = weight * (reward - average.mean)

        def loss(logits: Logits) -> jax.Array:
            bonus = self._entropy * self._policy.entropy(logits) if self._entropy else jnp.zeros(())
            return -surrogate(logits, advantage, average.mean) - bonus

        updates, optimizer = self._optimizer.update(jax.grad(loss)(state.logits), state.optimizer)
        logits: Any = optax.apply_updates(state.logits, updates)
        return PolicyState(logits, optimizer, average)
