"""Learners from one trial at a time; each is compiled once a space."""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pyglove as pg

from isozyme.search.policy import estimators, schedules
from isozyme.search.policy.feasible_policy import FeasiblePolicy, policy_within
from isozyme.search.policy.policy import FactorisedPolicy, Logits
from isozyme.search.policy.step import PolicyState, PolicyStep, reinforcing, rejecting
from isozyme.spaces.choices import Points


class TrialSettings(NamedTuple):
    """Holds the numbers that are compiled in; see `PolicyGradient`."""

    learning_rate: float
    warm_up: int
    momentum: float
    entropy: float


Drawn = tuple[jax.Array, jax.Array]
"""Rows [n, decisions] and their log-probabilities [n]."""


@lru_cache(maxsize=64)
def learner(points: Points, settings: TrialSettings) -> "TrialLearner":
    """Returns the learner of a space, of which there is one, so that it is compiled once."""
    return TrialLearner(FactorisedPolicy(points), settings)


@lru_cache(maxsize=64)
def exact_learner(points: Points, settings: TrialSettings, limit: str) -> "ExactLearner":
    """Returns the learner of a space within a limit, of which there is one.

    Args:
      points: independent choices, none of them nested.
      settings: of the learner.
      limit: the JSON of a `Limit` whose cost is `Tabulated` (`isozyme.spaces.costs`).

    Raises:
      ValueError: the cost is none of these points', or nothing is feasible.
    """
    return ExactLearner(policy_within(FactorisedPolicy(points), pg.from_json_str(limit)), settings)


class TrialLearner:
    """Draws from a policy and improves it.

    Each step takes a state, the row that was tried [decisions], its reward, and its log-probability when it was drawn;
    and it returns the state after it.

    Attributes:
      policy: that learns.
      start: returns the state before the first trial.
      draw: (logits, seed, how many) to `Drawn`.
      log_softmax, log_probabilities: of the policy, compiled.
      reinforce: the step without a limit and a memory.
      reject: the step under a limit, by rejection; takes further the draws and which of them are feasible.
      remember: the step with a memory; takes further whether the row is outside of it, the memory (rows, rewards, which
        of them there are) and α.
    """

    def __init__(self, policy: FactorisedPolicy, settings: TrialSettings) -> None:
        self.policy = policy
        self._step = _step_of(policy, settings)
        self.start = self._step.start
        self.draw = jax.jit(self._draw, static_argnums=2)
        self.log_softmax = jax.jit(policy.log_softmax)
        self.log_probabilities = jax.jit(partial(estimators.log_probabilities, policy))
        self.reinforce, self.reject, self.remember = map(jax.jit, (self._reinforce, self._reject, self._remember))

    def _draw(self, logits: Logits, seed: Any, number: int) -> Drawn:
        keys = jax.random.split(jax.random.key(seed), number)
        rows = jax.vmap(lambda key: self.policy.sample(key, logits))(keys)
        return rows, estimators.log_probabilities(self.policy, logits, rows)

    def _reinforce(self, state: PolicyState, row: Any, reward: Any, past: Any) -> PolicyState:
        return self._step.take(state, reward, reinforcing(self.policy, row), _weight(self.policy, state, row, past))

    def _reject(self, state: PolicyState, row: Any, reward: Any, past: Any, draws: Any, feasible: Any) -> PolicyState:
        surrogate = rejecting(self.policy, row, draws, feasible)
        return self._step.take(state, reward, surrogate, _weight(self.policy, state, row, past))

    def _remember(
        self,
        state: PolicyState,
        row: Any,
        reward: Any,
        past: Any,
        outside: Any,
        memory: tuple[Any, Any, Any],
        alpha: Any,
    ) -> PolicyState:
        rows, rewards, there = memory

        def surrogate(logits: Logits, advantage: jax.Array, baseline: jax.Array) -> jax.Array:
            drawn = (row[None], advantage[None], jnp.asarray(outside)[None])
            return estimators.mapo(self.policy, logits, (rows, rewards - baseline, there), drawn, alpha)

        return self._step.take(state, reward, surrogate, _weight(self.policy, state, row, past))


class ExactLearner:
    """Draws feasible candidates from a policy and improves it, both with the exact feasible probability.

    Attributes:
      draw: (logits, seed) to `Drawn` of one row.
      reinforce: the step, as that of `TrialLearner`; log-probabilities are those given that a candidate is feasible.
    """

    def __init__(self, policy: FeasiblePolicy, settings: TrialSettings) -> None:
        self._policy = policy
        self._step = _step_of(policy.policy, settings)
        self.draw, self.reinforce = jax.jit(self._draw), jax.jit(self._reinforce)

    def _draw(self, logits: Logits, seed: Any) -> Drawn:
        row = self._policy.sample(jax.random.key(seed), logits)
        return row[None], self._policy.log_probability(logits, row)[None]

    def _reinforce(self, state: PolicyState, row: Any, reward: Any, past: Any) -> PolicyState:
        return self._step.take(state, reward, reinforcing(self._policy, row), _weight(self._policy, state, row, past))


def _step_of(policy: FactorisedPolicy, settings: TrialSettings) -> PolicyStep:
    rate = schedules.delayed(settings.learning_rate, settings.warm_up)
    return PolicyStep(policy, rate, settings.momentum, settings.entropy)


def _weight(drawn_from: FactorisedPolicy | FeasiblePolicy, state: PolicyState, row: Any, past: Any) -> jax.Array:
    """Says how much a trial of an earlier policy counts, by the log-probability of drawing it now and then."""
    return estimators.importance(drawn_from.log_probability(state.logits, row), past)
