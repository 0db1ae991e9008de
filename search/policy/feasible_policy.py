"""A policy given that its candidates are within a hard limit, exactly: draws, log-probabilities and the mode."""

from dataclasses import dataclass

import jax

from isozyme.search.policy import recursion
from isozyme.search.policy.policy import Array, FactorisedPolicy, Logits
from isozyme.search.policy.trellis import Trellis, build_trellis
from isozyme.spaces.costs import tables_of
from isozyme.spaces.limits import Limit


@dataclass(frozen=True, eq=False)
class FeasiblePolicy:
    """Gives a feasible candidate y the probability p(y | V) = p(y)/P(V), V being all that are feasible.

    The policy is one over independent choices.

    Attributes:
      policy: p.
      trellis: of V.
    """

    policy: FactorisedPolicy
    trellis: Trellis

    def sample(self, key: jax.Array, logits: recursion.Logits) -> jax.Array:
        """Draws a feasible candidate, int32 [decisions]."""
        return recursion.sample(self.trellis, key, logits)

    def mode(self, logits: recursion.Logits) -> jax.Array:
        """Returns the most probable feasible candidate, int32 [decisions]; of equal ones the first."""
        return recursion.most_probable(self.trellis, logits)

    def log_probability(self, logits: Logits, row: Array) -> jax.Array:
        """Returns log p(y | V) of a feasible candidate, a scalar.

        Args:
          logits: of the policy.
          row: int [decisions].
        """
        return self.policy.log_probability(logits, row) - recursion.log_probability(self.trellis, logits)


def policy_within(policy: FactorisedPolicy, limit: Limit) -> FeasiblePolicy:
    """Returns a policy given that its candidates are within a limit.

    Raises:
      ValueError: the limit's cost has no tables, or those of other choices; choices are nested; or nothing is feasible.
    """
    trellis = build_trellis(tables_of(limit.cost), limit.limit)
    sizes = tuple(decision.size for decision in policy.decisions)
    if trellis.sizes != sizes or any(decision.parent >= 0 for decision in policy.decisions):
        raise ValueError(f"the exact limit takes independent choices: the space has {sizes}, the cost {trellis.sizes}")
    if not trellis.feasible:
        raise ValueError(f"nothing costs as little as {limit.limit:g}")
    return FeasiblePolicy(policy, trellis)
