"""Compiled steps of a controller that learns from one trial at a time; each is compiled once a space."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import pyglove as pg

from isozyme.search.policy import baselines, estimators, recursion, schedules
from isozyme.search.policy.policy import Logits, Policy
from isozyme.search.policy.trellis import build_trellis
from isozyme.spaces.choices import Points
from isozyme.spaces.limits import Limit


class Settings(NamedTuple):
    """Numbers that are compiled in; see `PolicyGradient`."""

    learning_rate: float
    warm_up: int
    momentum: float
    entropy: float


class State(NamedTuple):
    """All that a controller has learned.

    Attributes:
      logits: of the policy.
      optimizer: Adam's moments.
      average: the baseline.
    """

    logits: Logits
    optimizer: Any
    average: baselines.Average


Drawn = tuple[jax.Array, jax.Array]
"""Rows [n, decisions] and their log-probabilities [n]."""


@lru_cache(maxsize=64)
def learner(points: Points, settings: Settings) -> "Learner":
    """The learner of a space, of which there is one, so that it is compiled once."""
    return Learner(Policy(points), settings)


@lru_cache(maxsize=64)
def exact_learner(points: Points, settings: Settings, limit: str) -> tuple[Any, Any]:
    """Draw and step given that a candidate is feasible, with the exact feasible probability.

    Args:
      points: independent choices, none of them nested.
      settings: of the learner.
      limit: the JSON of a `Limit` whose cost is `Tabulated` (`isozyme.spaces.costs`).

    Raises:
      ValueError: the cost is none of these points', or nothing is feasible.
    """
    own = learner(points, settings)
    within: Limit = pg.from_json_str(limit)
    trellis = build_trellis(within.cost.tables(), within.limit)
    sizes = tuple(decision.size for decision in own.policy.decisions)
    if trellis.sizes != sizes or any(decision.parent >= 0 for decision in own.policy.decisions):
        raise ValueError(f"the exact limit takes independent choices: the space has {sizes}, the cost {trellis.sizes}")
    if not trellis.feasible:
        raise ValueError(f"nothing costs as little as {within.limit:g}")
    return own.given(partial(recursion.log_probability, trellis), partial(recursion.sample, trellis))


class Learner:
    """Draws from a policy and improves it.

    Attributes:
      draw: (logits, seed, how many) to `Drawn`.
      log_softmax, log_probabilities: of the policy, compiled.
      reinforce, reject, remember: steps, see `_step`; `reject` takes further the draws and which of them are feasible,
        `remember` whether the row is outside of the memory, the memory (rows, rewards, which of them there are) and α.
    """

    def __init__(self, policy: Policy, settings: Settings) -> None:
        self.policy = policy
        self._settings = settings
        rate: Any = schedules.delayed(settings.learning_rate, settings.warm_up)
        self._optimizer = optax.adam(rate)
        self.draw = jax.jit(self._draw, static_argnums=2)
        self.log_softmax = jax.jit(policy.log_softmax)
        self.log_probabilities = jax.jit(partial(estimators.log_probabilities, policy))
        self.reinforce, self.reject, self.remember = map(self._compiled, (self._plain, self._rejection, self._mapo))

    def start(self) -> State:
        """A uniform policy that has learned nothing."""
        logits = self.policy.initial()
        return State(logits, self._optimizer.init(logits), baselines.average())

    def given(self, log_share: Callable[[Logits], jax.Array], sample: Callable[[jax.Array, Logits], jax.Array]) -> Any:
        """Draw and step of the policy given that its candidates are feasible, exactly.

        Args:
          log_share: log P(V) of logits, differentiable.
          sample: a feasible row for a key and logits.
        """

        def density(logits: Logits, row: jax.Array) -> jax.Array:
            return self.policy.log_probability(logits, row) - log_share(logits)

        def draw(logits: Logits, seed: Any) -> Drawn:
            row = sample(jax.random.key(seed), logits)
            return row[None], density(logits, row)[None]

        def surrogate(logits: Logits, row: jax.Array, advantage: jax.Array, baseline: jax.Array) -> jax.Array:
            del baseline
            return advantage * density(logits, row)

        return jax.jit(draw), self._compiled(surrogate, density)

    def _draw(self, logits: Logits, seed: Any, number: int) -> Drawn:
        keys = jax.random.split(jax.random.key(seed), number)
        rows = jax.vmap(lambda key: self.policy.sample(key, logits))(keys)
        return rows, estimators.log_probabilities(self.policy, logits, rows)

    def _compiled(self, surrogate: Callable[..., jax.Array], density: Callable[..., jax.Array] | None = None) -> Any:
        return jax.jit(partial(self._step, surrogate, density or self.policy.log_probability))

    def _step(
        self,
        surrogate: Callable[..., jax.Array],
        density: Callable[[Logits, jax.Array], jax.Array],
        state: State,
        row: Any,
        reward: Any,
        past: Any,
        *further: Any,
    ) -> State:
        """Learns from one trial.

        Args:
          surrogate: (logits, row, advantage, baseline, *further) to what is to be made greater.
          density: (logits, row) to the log-probability of drawing the row.
          state: before the trial.
          row: what was tried, [decisions].
          reward: scalar.
          past: the density of the row when it was drawn.
          further: whatever the surrogate takes.
        """
        average = baselines.include(state.average, reward, self._settings.momentum)
        advantage = estimators.importance(density(state.logits, row), past) * (reward - average.mean)

        def loss(logits: Logits) -> jax.Array:
            bonus = self._settings.entropy * self.policy.entropy(logits)
            return -surrogate(logits, row, advantage, average.mean, *further) - bonus

        updates, optimizer = self._optimizer.update(jax.grad(loss)(state.logits), state.optimizer)
        logits: Any = optax.apply_updates(state.logits, updates)
        return State(logits, optimizer, average)

    def _plain(self, logits: Logits, row: jax.Array, advantage: jax.Array, baseline: jax.Array) -> jax.Array:
        del baseline
        return estimators.reinforce(self.policy, logits, row[None], advantage[None])

    def _rejection(
        self, logits: Logits, row: jax.Array, advantage: jax.Array, baseline: jax.Array, draws: Any, feasible: Any
    ) -> jax.Array:
        del baseline
        return estimators.rejection(self.policy, logits, row, advantage, draws, feasible)

    def _mapo(
        self,
        logits: Logits,
        row: jax.Array,
        advantage: jax.Array,
        baseline: jax.Array,
        outside: Any,
        memory: tuple[Any, Any, Any],
        alpha: Any,
    ) -> jax.Array:
        rows, rewards, there = memory
        drawn = (row[None], advantage[None], jnp.asarray(outside)[None])
        return estimators.mapo(self.policy, logits, (rows, rewards - baseline, there), drawn, alpha)
