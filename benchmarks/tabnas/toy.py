"""TabNAS's toy: networks 2 → a → b → 1 with a, b in {2, 3, 4} and at most 25 parameters (Yang et al., NeurIPS 2022).

The best feasible network has a bottleneck, 4-2; a policy that learns each layer by itself dislikes that.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from isozyme.search.policy.policy import FactorisedPolicy, Logits
from isozyme.search.policy.rewards import absolute
from isozyme.spaces.choices import of_sizes
from isozyme.spaces.costs import ParameterCount

WIDTHS = (2, 3, 4)
LIMIT = 25.0
COST = ParameterCount([list(WIDTHS)] * 2, inputs=2, outputs=1)
POLICY = FactorisedPolicy(of_sizes([3, 3]))
CELLS = np.array(list(itertools.product(range(3), repeat=2)), np.int32)
"""All candidates, [9, 2]."""
QUALITY = 1.0 - np.array([[0.90, 0.90, 0.66], [0.90, 0.66, 0.30], [0.60, 0.30, 0.10]])
PARAMETERS = np.array([COST(tuple(cell)) for cell in CELLS.tolist()], float).reshape(3, 3)
FEASIBLE = PARAMETERS <= LIMIT
OPTIMUM = (2, 0)


def probabilities(logits: Logits) -> jax.Array:
    """p of each cell, [3, 3]."""
    first, second = map(jax.nn.softmax, logits)
    return first[:, None] * second


def log_feasible(logits: Logits) -> jax.Array:
    """log P(V), by enumeration."""
    return jnp.log((probabilities(logits) * FEASIBLE).sum())


def expected(logits: Logits, reward: np.ndarray) -> jax.Array:
    """E[reward] of a reward a cell, [3, 3]."""
    return (probabilities(logits) * reward).sum()


def expected_feasible(logits: Logits) -> jax.Array:
    """E[Q | V]."""
    p = probabilities(logits) * FEASIBLE
    return (p * QUALITY).sum() / p.sum()


def shaped(beta: float) -> np.ndarray:
    """TuNAS's absolute reward of each cell, [3, 3]."""
    return np.asarray(absolute(QUALITY, PARAMETERS, LIMIT, beta))
