"""One-shot search: policy and shared weights learn in one compiled step (TuNAS, Bender et al., CVPR 2020, arXiv
2008.06120; TabNAS, Yang et al., NeurIPS 2022, arXiv 2204.07615).

A step draws a candidate, trains it on a batch with the shared weights, scores it on another batch, and moves the policy
by the score. During the first part of the search, the warm-up, the widest network is trained instead with a probability
that falls from 1 to 0, and the policy stays as it is.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from isozyme.evaluators.protocol import Supernet
from isozyme.search.policy import baselines, estimators, recursion
from isozyme.search.policy.policy import Logits, Policy
from isozyme.search.policy.trellis import Trellis


class Limits(NamedTuple):
    """What keeps a search within a limit.

    Attributes:
      tables: what candidates cost, over pairs of neighbouring decisions: float [choices before or 1, choices] each.
      limit: the most that a candidate may cost.
      samples: N, draws that estimate the feasible probability; 0 where it is exact.
      trellis: for the exact one, else None.
      shaped: reward of (quality, cost) in place of a limit, else None.
    """

    tables: Sequence[np.ndarray]
    limit: float
    samples: int
    trellis: Trellis | None
    shaped: Callable[[Any, Any], Any] | None


class Settings(NamedTuple):
    """Numbers of a search: Adam's rate for the policy, the baseline's momentum, steps and, of these, warm-up."""

    rate: float
    momentum: float
    steps: int
    warm_up: int


class State(NamedTuple):
    """All that a search has learned; a pytree of arrays.

    Attributes:
      weights: of the supernet, with its optimizer's state.
      logits: of the policy.
      optimizer: Adam's moments, of the policy.
      average: the baseline.
      step: how many have been taken.
    """

    weights: Any
    logits: Logits
    optimizer: Any
    average: baselines.Average
    step: jax.Array


class Seen(NamedTuple):
    """Sums over steps: how many trained a candidate that was drawn, their quality and their cost."""

    taken: jax.Array
    quality: jax.Array
    cost: jax.Array


class OneShotLearner:
    """The step of one search; compiled once, whatever is drawn.

    Args:
      policy: over the choices.
      supernet: set up.
      limits: or None.
      settings: of the search.
      seed: all random numbers derive from it and from the number of a step.
    """

    def __init__(
        self, policy: Policy, supernet: Supernet, limits: Limits | None, settings: Settings, seed: int
    ) -> None:
        self.policy, self._supernet, self._limits, self._settings = policy, supernet, limits, settings
        self._seed = seed
        self._optimizer = optax.adam(settings.rate)
        self._run: Any = jax.jit(self._steps)

    def start(self) -> State:
        """Weights before training and a uniform policy."""
        logits = self.policy.initial()
        weights = self._supernet.start(self._seed)
        return State(weights, logits, self._optimizer.init(logits), baselines.average(), jnp.zeros((), jnp.int32))

    def run(self, state: State, steps: int) -> tuple[State, Seen]:
        """Takes so many steps; what was seen on the way."""
        return self._run(state, steps)

    def compilations(self) -> int:
        """Executables that have been built for steps."""
        return self._run._cache_size()

    def _steps(self, state: State, steps: Any) -> tuple[State, Seen]:
        zero = Seen(*(jnp.zeros(()) for _ in Seen._fields))
        return jax.lax.fori_loop(0, steps, lambda _, carry: self._step(*carry), (state, zero))

    def _step(self, state: State, seen: Seen) -> tuple[State, Seen]:
        key = jax.random.fold_in(jax.random.key(self._seed), state.step)
        draw, warm, train, quality, reject = jax.random.split(key, 5)
        row = self._draw(draw, state.logits)
        progress = state.step / max(self._settings.warm_up, 1)
        in_warm_up = state.step < self._settings.warm_up
        widest = in_warm_up & (jax.random.uniform(warm) >= progress)
        feasible = self._feasible(row)
        # An infeasible candidate changes nothing at all; the widest network is no candidate.
        weights = jax.lax.cond(
            feasible | widest, lambda w: self._supernet.train(w, row, train, widest), lambda w: w, state.weights
        )
        score = jax.lax.cond(
            feasible, lambda w: self._supernet.quality(w, row, quality), lambda w: jnp.zeros(()), weights
        )
        learns = feasible & ~in_warm_up
        learned = jax.lax.cond(learns, partial(self._learn, reject, row, score), lambda s: s, state)
        state = learned._replace(weights=weights, step=state.step + 1)
        took = feasible.astype(jnp.float32)
        return state, Seen(seen.taken + took, seen.quality + took * score, seen.cost + took * self._cost(row))

    def _draw(self, key: jax.Array, logits: Logits) -> jax.Array:
        limits = self._limits
        if limits is not None and limits.trellis is not None:
            return recursion.sample(limits.trellis, key, logits)
        return self.policy.sample(key, logits)

    def _cost(self, row: jax.Array) -> jax.Array:
        if self._limits is None:
            return jnp.zeros(())
        total, before = jnp.zeros(()), jnp.zeros((), jnp.int32)
        for table, choice in zip(self._limits.tables, row, strict=True):
            total += jnp.asarray(table, jnp.float32)[before if table.shape[0] > 1 else 0, choice]
            before = choice
        return total

    def _feasible(self, row: jax.Array) -> jax.Array:
        if self._limits is None or self._limits.shaped is not None:
            return jnp.ones((), bool)
        return self._cost(row) <= self._limits.limit

    def _learn(self, key: jax.Array, row: jax.Array, score: jax.Array, state: State) -> State:
        """Moves the policy by one step, unless no draw tells how probable feasible candidates are."""
        limits = self._limits
        reward = limits.shaped(score, self._cost(row)) if limits is not None and limits.shaped is not None else score
        average = baselines.include(state.average, reward, self._settings.momentum)
        surrogate, sure = self._surrogate(key, row, reward - average.mean, state.logits)
        updates, optimizer = self._optimizer.update(jax.grad(lambda x: -surrogate(x))(state.logits), state.optimizer)
        logits: Any = optax.apply_updates(state.logits, updates)
        moved = state._replace(logits=logits, optimizer=optimizer, average=average)
        return jax.tree.map(lambda new, old: jnp.where(sure, new, old), moved, state)

    def _surrogate(
        self, key: jax.Array, row: jax.Array, advantage: jax.Array, logits: Logits
    ) -> tuple[Callable[[Logits], jax.Array], jax.Array]:
        """What is to be made greater, and whether there is anything to go by."""
        limits, sure = self._limits, jnp.ones((), bool)
        if limits is None or limits.shaped is not None:
            return lambda x: estimators.reinforce(self.policy, x, row[None], advantage[None]), sure
        if limits.trellis is not None:
            trellis = limits.trellis
            return (
                lambda x: advantage * (self.policy.log_probability(x, row) - recursion.log_probability(trellis, x)),
                sure,
            )
        draws = jax.vmap(lambda one: self.policy.sample(one, logits))(jax.random.split(key, limits.samples))
        feasible = jax.vmap(self._feasible)(draws)
        return lambda x: estimators.rejection(self.policy, x, row, advantage, draws, feasible), feasible.any()
