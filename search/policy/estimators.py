"""Gradients of expected rewards, as surrogates: functions of logits whose gradient by `jax.grad` is the estimate.

Advantages are constants. All candidates are rows of a `FactorisedPolicy`, all batches have their size in front.
"""

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from isozyme.search.policy.feasible_policy import FeasiblePolicy
from isozyme.search.policy.policy import Array, FactorisedPolicy, Logits

_TINY, _LOWEST = 1e-30, -1e30  # Where there is nothing: what nothing is divided by, or subtracted from it.


def log_probabilities(policy: FactorisedPolicy | FeasiblePolicy, logits: Logits, rows: Array) -> jax.Array:
    """Returns log p of each row, [n] for [n, decisions]."""
    return jax.vmap(lambda row: policy.log_probability(logits, row))(rows)


def reinforce(policy: FactorisedPolicy | FeasiblePolicy, logits: Logits, rows: Array, advantages: Array) -> jax.Array:
    """Returns the mean of advantage · log p(y), y ~ p: Williams, Machine Learning 8, 1992.

    Args:
      policy: of the rows.
      logits: by which it is differentiated.
      rows: [n, decisions].
      advantages: [n], reward minus a baseline.
    """
    return (stop_gradient(advantages) * log_probabilities(policy, logits, rows)).mean()


def importance(present: jax.Array, past: jax.Array) -> jax.Array:
    """Returns min(1, p(y)/p_past(y)), for what an earlier policy has drawn: IMPALA, Espeholt et al., ICML 2018, ρ̄ = 1.

    It is exactly 1 where the policy is still the same, and never more, so that no single trial of long ago takes over.

    Args:
      present: log p(y) now.
      past: log p(y) when it was drawn.
    """
    return stop_gradient(jnp.minimum(1.0, jnp.exp(present - past)))


def feasible_share(policy: FactorisedPolicy, logits: Logits, draws: Array, feasible: Array) -> jax.Array:
    """Returns P̂(V) = (1/N) Σ_k p(z_k)/q(z_k) · 1[z_k ∈ V], z_k ~ q = stop_grad(p): TabNAS, Yang et al., NeurIPS 2022.

    Its value is the feasible share of the draws, its gradient (1/N) Σ_{z_k ∈ V} ∇log p(z_k); both are unbiased.
    (The notebooks released with the paper weight each draw with p(z_k) instead, which is biased for N ≥ 2.)

    Args:
      policy: of the draws.
      logits: by which it is differentiated.
      draws: [N, decisions].
      feasible: bool [N].
    """
    log_p = log_probabilities(policy, logits, draws)
    return jnp.where(feasible, jnp.exp(log_p - stop_gradient(log_p)), 0.0).mean()


def rejection(
    policy: FactorisedPolicy, logits: Logits, row: Array, advantage: Array, draws: Array, feasible: Array
) -> jax.Array:
    """Returns advantage · [log p(y) - log P̂(V)] for a feasible y: TabNAS's step 2.

    Where no draw is feasible there is no estimate: the step has to be skipped, and the gradient is that of the first
    term alone.

    Args:
      policy: of row and draws.
      logits: by which it is differentiated.
      row: [decisions], y ~ p(· | V).
      advantage: scalar.
      draws: [N, decisions], independent of y.
      feasible: bool [N], which draws are.
    """
    share = feasible_share(policy, logits, draws, feasible)
    correction = jnp.log(jnp.maximum(share, _TINY))
    return stop_gradient(jnp.asarray(advantage)) * (policy.log_probability(logits, row) - correction)


def memory_weight(log_mass: jax.Array, alpha: float) -> jax.Array:
    """Returns π_B^c = max(π_B, α), and 0 for an empty memory: MAPO, Liang et al., NeurIPS 2018, arXiv 1807.02322.

    Args:
      log_mass: log π_B, scalar; -inf only of an empty memory, as in large spaces π_B itself may underflow.
      alpha: α; 0.1 in the paper. With 1 the memory is all there is to learn from.
    """
    return jnp.where(log_mass > -jnp.inf, jnp.maximum(jnp.exp(log_mass), alpha), 0.0)


def mapo(
    policy: FactorisedPolicy, logits: Logits, memory: tuple[Array, ...], outside: tuple[Array, ...], alpha: float,
    weighting: str = "probability",
) -> jax.Array:  # fmt: skip
    """Returns Σ_B w(a)·A(a)·log p(a) over the memory plus (1 - π_B^c) · mean of A(y)·log p(y) over draws outside of it.

    With α = 0 it is unbiased for any memory that does not depend on the draws. The memory's part is a sum, not a
    sample, and the draws in the memory are left out of the mean, as if they had been drawn again until outside.

    Special cases: an empty memory is REINFORCE; α = 1 leaves the memory alone, which is maximum marginal likelihood
    with 'probability', hard EM with 'best', iterative maximum likelihood (IML) with 'uniform'.

    Args:
      policy: of all rows.
      logits: by which it is differentiated.
      memory: rows [m, decisions], advantages [m], and bool [m], which of them there are.
      outside: rows [n, decisions], advantages [n], and bool [n], which of them are outside of the memory.
      alpha: α of `memory_weight`.
      weighting: within the memory: by π⁺, 'probability'; or 'best', or 'uniform'.
    """
    rows, advantages, there = memory
    log_p = log_probabilities(policy, logits, rows)
    known = jnp.where(there, stop_gradient(log_p), -jnp.inf)
    weight = memory_weight(jax.nn.logsumexp(known), alpha)
    share = inside_weights(known, weighting)
    inside = (share * jnp.where(there, stop_gradient(advantages) * log_p, 0.0)).sum()
    rows, advantages, apart = outside
    drawn = jnp.where(apart, stop_gradient(advantages) * log_probabilities(policy, logits, rows), 0.0)
    return weight * inside + (1.0 - weight) * drawn.sum() / jnp.maximum(apart.sum(), 1)


def inside_weights(log_p: jax.Array, weighting: str) -> jax.Array:
    """Returns weights within a memory, [m], which add up to 1, or are 0 for an empty one.

    Args:
      log_p: [m], -inf where there is nothing.
      weighting: see `mapo`.
    """
    there = log_p > -jnp.inf
    if weighting == "best":
        return jnp.zeros_like(log_p).at[jnp.argmax(log_p)].set(1.0) * there.any()
    if weighting == "uniform":
        return there / jnp.maximum(there.sum(), 1)
    weights = jnp.exp(log_p - jnp.maximum(log_p.max(), _LOWEST))
    return weights / jnp.maximum(weights.sum(), _TINY)
