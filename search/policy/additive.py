"""The feasible set {sum of costs <= limit} under a factorised policy: its probability, draws from it, its mode.

The policy is a softmax for each decision. TabNAS (Yang et al., NeurIPS 2022) estimates log P(V) and its gradient from N
draws; here both are exact (`recursion.py`). ∇log P(V) is what the feasible choices are expected to be, one-hot, less
what all are: E[∇log p | V].

`logits` may be traced, batched with `vmap` and differentiated, in their own precision. `costs` and `limit` are static
(numpy, lists, numbers): tables are made of them outside of the trace, and kept for the next call (`trellis`).
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from isozyme.search.policy import recursion
from isozyme.search.policy.recursion import Logits
from isozyme.search.policy.trellis import Trellis, build_trellis
from isozyme.spaces.costs import additive_tables

Costs = Sequence[Any] | np.ndarray
"""Of each decision, what each choice costs: [choices], at least 0."""


def feasible_log_probability(logits: Logits, costs: Costs, limit: float) -> jax.Array:
    """Returns log P(sum of costs <= limit); -inf, with a gradient of zero, where nothing is feasible.

    Args:
      logits: of each decision, [choices]; they need not be as many for each.
      costs: of each decision, [choices]. Sums are taken in double precision from the first to the last: exact for
        integers up to 2**53, and for any costs whose reachable sums are up to 200,000 after each decision.
      limit: the most that all may cost.

    Raises:
      ValueError: a cost is negative; logits and costs do not match; or sums are too many, as those of ten decisions or
        so at arbitrary real costs: round the costs to a grid.
    """
    return recursion.log_probability(_trellis(costs, limit), list(logits))


def sample_feasible(key: jax.Array, logits: Logits, costs: Costs, limit: float) -> jax.Array:
    """Draws exactly from p(choices | sum of costs <= limit), as int32 [decisions]; `vmap` over keys for several.

    Raises:
      ValueError: nothing is feasible; else as `feasible_log_probability`.
    """
    return recursion.sample(_trellis(costs, limit), key, list(logits))


def feasible_argmax(logits: Logits, costs: Costs, limit: float) -> jax.Array:
    """Returns the most probable choices within the limit, as int32 [decisions]; of equal ones the first.

    Raises:
      ValueError: nothing is feasible; else as `feasible_log_probability`.
    """
    return recursion.most_probable(_trellis(costs, limit), list(logits))


def _trellis(costs: Costs, limit: float) -> Trellis:
    return build_trellis(additive_tables(costs), limit)
