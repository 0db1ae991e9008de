"""One-shot search: policy and shared weights learn in one compiled step (TuNAS, Bender et al., CVPR 2020, arXiv
2008.06120; TabNAS, Yang et al., NeurIPS 2022, arXiv 2204.07615).

A step draws a candidate, trains it on a batch with the shared weights, scores it on another batch, and moves the policy
by the score. During the first part of the search, the warm-up, the widest network is trained instead with a probability
that falls from 1 to 0, and the policy stays as it is.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from isozyme.evaluators.protocol import Supernet
from isozyme.search.policy.feasible_policy import policy_within
from isozyme.search.policy.feasible_share import FeasibleShare
from isozyme.search.policy.policy import FactorisedPolicy
from isozyme.search.policy.rewards import Shaped
from isozyme.search.policy.step import PolicyState, PolicyStep, Surrogate, reinforcing, rejecting
from isozyme.spaces.costs import tables_of
from isozyme.spaces.limits import Limit


class OneShotSettings(NamedTuple):
    """Holds what a search is set to; see `OneShot`.

    Attributes:
      rate: of Adam, for the policy.
      momentum: of the baseline.
      steps: of the whole search.
      warm_up: of these, before the policy learns.
      limit: that candidates have to keep, or None.
      share: how the policy keeps to the limit.
      shaped: a reward that weighs the cost, or None; there is no limit then.
    """

    rate: float
    momentum: float
    steps: int
    warm_up: int
    limit: Limit | None = None
    share: FeasibleShare = FeasibleShare()
    shaped: Shaped | None = None


class OneShotState(NamedTuple):
    """Holds all that a search has learned; a pytree of arrays.

    Attributes:
      weights: of the supernet, with its optimizer's state.
      policy: what the policy has learned.
      step: how many have been taken.
    """

    weights: Any
    policy: PolicyState
    step: jax.Array


class StepSums(NamedTuple):
    """Sums over steps how many trained a candidate that was drawn, their quality and their cost."""

    taken: jax.Array
    quality: jax.Array
    cost: jax.Array


class OneShotLearner:
    """Takes the steps of one search, compiled once, whatever is drawn.

    Args:
      policy: over the choices.
      supernet: set up.
      settings: of the search.
      seed: all random numbers derive from it and from the number of a step.

    Raises:
      ValueError: the limit or the shaped reward has a cost without tables, or of other choices; or nothing is feasible.
    """

    def __init__(self, policy: FactorisedPolicy, supernet: Supernet, settings: OneShotSettings, seed: int) -> None:
        self.policy, self._supernet, self._settings, self._seed = policy, supernet, settings, seed
        limit, shaped = settings.limit, settings.shaped
        costly = limit or shaped
        self._tables = tables_of(costly.cost) if costly is not None else None
        self._drawn_from = policy_within(policy, limit) if limit is not None and settings.share.exact else policy
        self._step_of_policy = PolicyStep(policy, settings.rate, settings.momentum)
        self._run: Any = jax.jit(self._steps)

    def start(self) -> OneShotState:
        """Returns weights before training and a uniform policy."""
        return OneShotState(self._supernet.start(self._seed), self._step_of_policy.start(), jnp.zeros((), jnp.int32))

    def run(self, state: OneShotState, steps: int) -> tuple[OneShotState, StepSums]:
        """Takes so many steps; returns the state after them and what was seen on the way."""
        return self._run(state, steps)

    def compilations(self) -> int:
        """Counts the executables that have been built for steps."""
        return self._run._cache_size()

    def _steps(self, state: OneShotState, steps: Any) -> tuple[OneShotState, StepSums]:
        zero = StepSums(*(jnp.zeros(()) for _ in StepSums._fields))
        return jax.lax.fori_loop(0, steps, lambda _, carry: self._step(*carry), (state, zero))

    def _step(self, state: OneShotState, seen: StepSums) -> tuple[OneShotState, StepSums]:
        key = jax.random.fold_in(jax.random.key(self._seed), state.step)
        draw, warm, train, quality, reject = jax.random.split(key, 5)
        row = self._drawn_from.sample(draw, state.policy.logits)
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
        policy = jax.lax.cond(learns, partial(self._learn, reject, row, score), lambda s: s, state.policy)
        took = feasible.astype(jnp.float32)
        sums = StepSums(seen.taken + took, seen.quality + took * score, seen.cost + took * self._cost(row))
        return OneShotState(weights, policy, state.step + 1), sums

    def _cost(self, row: jax.Array) -> jax.Array:
        if self._tables is None:
            return jnp.zeros(())
        total, before = jnp.zeros(()), jnp.zeros((), jnp.int32)
        for table, choice in zip(self._tables, row, strict=True):
            total += jnp.asarray(table, jnp.float32)[before if table.shape[0] > 1 else 0, choice]
            before = choice
        return total

    def _feasible(self, row: jax.Array) -> jax.Array:
        limit = self._settings.limit
        return jnp.ones((), bool) if limit is None else self._cost(row) <= limit.limit

    def _learn(self, key: jax.Array, row: jax.Array, score: jax.Array, state: PolicyState) -> PolicyState:
        """Moves the policy by one step, unless no draw tells how probable feasible candidates are."""
        shaped = self._settings.shaped
        reward = score if shaped is None else shaped(score, self._cost(row))
        surrogate, sure = self._surrogate(key, row, state)
        moved = self._step_of_policy.take(state, reward, surrogate)
        return jax.tree.map(lambda new, old: jnp.where(sure, new, old), moved, state)

    def _surrogate(self, key: jax.Array, row: jax.Array, state: PolicyState) -> tuple[Surrogate, jax.Array]:
        """Returns what is to be made greater, and whether there is anything to go by."""
        limit, share = self._settings.limit, self._settings.share
        if limit is None or share.exact:
            return reinforcing(self._drawn_from, row), jnp.ones((), bool)
        draws = jax.vmap(lambda one: self.policy.sample(one, state.logits))(jax.random.split(key, share.samples))
        feasible = jax.vmap(self._feasible)(draws)
        return rejecting(self.policy, row, draws, feasible), feasible.any()
