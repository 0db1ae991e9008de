"""Searches of the toy by policy gradient, thousands at once: one compiled scan over steps, vectorised over seeds."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from isozyme.benchmarks.tabnas import toy
from isozyme.search.policy import baselines, estimators
from isozyme.search.policy.chain import chain_feasible_log_probability, chain_sample_feasible
from isozyme.search.policy.policy import Logits

_MOMENTUM = 0.9
_FINAL_DRAWS = 50
_CHAIN = ([toy.WIDTHS] * 2, 2, 1, toy.LIMIT)


class Method(NamedTuple):
    """How to learn within the limit.

    Attributes:
      kind: 'absolute', the shaped reward; 'rejection', TabNAS; 'exact', with the exact feasible probability in place of
        its estimate; 'uncorrected', without it; 'exact draws', from the feasible candidates alone, so that no step is
        skipped.
      number: β, or N.
    """

    kind: str
    number: float = 0.0


class Result(NamedTuple):
    """Shares of all runs, and a mean.

    Attributes:
      found: the optimum is among the feasible ones of 50 final draws.
      conditional: mean P(optimum | V) at the end.
      infeasible: the arg-max of the policy is infeasible.
    """

    found: float
    conditional: float
    infeasible: float


def run(method: Method, rate: float, steps: int, seeds: int) -> Result:
    """Runs a method with Adam and a debiased average as baseline.

    Args:
      method: how to learn.
      rate: of Adam.
      steps: draws, those included that are thrown away.
      seeds: runs; numbers 0, 1, ….
    """
    found, conditional, infeasible = _runs(method, steps)(jnp.arange(seeds), rate)
    return Result(float(found.mean()), float(conditional.mean()), float(infeasible.mean()))


def _runs(method: Method, steps: int) -> Callable[..., tuple[jax.Array, ...]]:
    return jax.jit(jax.vmap(partial(_run, method, steps), in_axes=(0, None)))


def _run(method: Method, steps: int, seed: jax.Array, rate: jax.Array) -> tuple[jax.Array, ...]:
    """One search: whether it found the optimum, P(optimum | V), whether the arg-max is infeasible."""
    logits = toy.POLICY.initial()
    optimizer = optax.adam(rate)
    state = (logits, optimizer.init(logits), baselines.average())
    learn, final = jax.random.split(jax.random.key(seed))

    def step(state: Any, key: jax.Array) -> tuple[Any, None]:
        used, new = _step(method, optimizer, state, key)
        return jax.tree.map(partial(jnp.where, used), new, state), None

    (logits, _, _), _ = jax.lax.scan(step, state, jax.random.split(learn, steps))
    draws = _draws(final, logits, _FINAL_DRAWS)
    p = toy.probabilities(logits)
    best = (draws == jnp.array(toy.OPTIMUM)).all(axis=1).any()
    mode = toy.POLICY.mode(logits)
    return best, p[toy.OPTIMUM] / (p * toy.FEASIBLE).sum(), ~_feasible(mode)


def _step(method: Method, optimizer: optax.GradientTransformation, state: Any, key: jax.Array) -> tuple[jax.Array, Any]:
    """Whether the step counts, and the state after it."""
    logits, moments, average = state
    first, second = jax.random.split(key)
    row = chain_sample_feasible(first, logits, *_CHAIN) if method.kind == "exact draws" else _draws(first, logits, 1)[0]
    rewards = toy.shaped(method.number) if method.kind == "absolute" else toy.QUALITY
    reward = jnp.asarray(rewards, jnp.float32)[row[0], row[1]]
    average = baselines.include(average, reward, _MOMENTUM)
    surrogate, used = _surrogate(method, logits, second, row)
    gradient = jax.grad(lambda own: -surrogate(own, reward - average.mean))(logits)
    updates, moments = optimizer.update(gradient, moments)
    return used, (optax.apply_updates(logits, updates), moments, average)


def _surrogate(method: Method, logits: Logits, key: jax.Array, row: jax.Array) -> tuple[Callable[..., Any], Any]:
    """(logits, advantage) to what is to be made greater, and whether the step counts."""

    def plain(own: Logits, advantage: jax.Array) -> jax.Array:
        return estimators.reinforce(toy.POLICY, own, row[None], advantage[None])

    def exact(own: Logits, advantage: jax.Array) -> jax.Array:
        return plain(own, advantage) - advantage * chain_feasible_log_probability(own, *_CHAIN)

    if method.kind == "absolute":
        return plain, jnp.array(True)
    if method.kind == "uncorrected":
        return plain, _feasible(row)
    if method.kind != "rejection":
        return exact, _feasible(row)
    draws = _draws(key, logits, int(method.number))
    feasible = jax.vmap(_feasible)(draws)

    def rejection(own: Logits, advantage: jax.Array) -> jax.Array:
        return estimators.rejection(toy.POLICY, own, row, advantage, draws, feasible)

    return rejection, _feasible(row) & feasible.any()


def _draws(key: jax.Array, logits: Logits, number: int) -> jax.Array:
    return jax.vmap(lambda one: toy.POLICY.sample(one, logits))(jax.random.split(key, number))


def _feasible(row: jax.Array) -> jax.Array:
    return jnp.asarray(np.asarray(toy.FEASIBLE))[row[0], row[1]]
