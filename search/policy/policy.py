"""A factorised categorical policy over the choice points of a space: one softmax each, anywhere in the tree.

Pure functions of logits, to be compiled and differentiated; they take and return rows of indices (`spaces.choices`),
so that one compilation serves all candidates. A point that is not reached adds nothing to log-probability, entropy and
gradients (TuNAS, Bender et al., CVPR 2020, arXiv 2008.06120: the released controller masks them likewise).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from isozyme.spaces.abilities import WithChoices, offered
from isozyme.spaces.choices import DEAD, Decision, Genes, Points, decisions, genes_of, reaching, row_of
from isozyme.spaces.protocol import Space

Logits = list[jax.Array]
"""One array for each choice point, of as many logits as it has candidates."""
Array = jax.Array | np.ndarray


def policy_over(space: Space) -> "FactorisedPolicy":
    """Returns a policy over the choice points of a space.

    Raises:
      ValueError: the space offers no choices, or has none, or some that are no independent choices; or what it offers
        are not its own.
    """
    choosing = offered(space, WithChoices)
    if choosing is None:
        raise ValueError(f"{type(space).__name__} offers no `choices`, so no policy can be learned over it")
    points = choosing.choices()
    if not points:
        raise ValueError("the space has no choices, so there is nothing to learn")
    for genes in reaching(points):
        if (reason := space.validate(genes)) is not None:
            raise ValueError(f"the choices are not those of the space: {reason}")
    return FactorisedPolicy(points)


@dataclass(frozen=True)
class FactorisedPolicy:
    """Gives a candidate y the probability p(y) = Π softmax(logits_i)[y_i] over the choice points i that it reaches.

    Attributes:
      points: the choice points of the space, at least one of them.
    """

    points: Points

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """Lists all choice points, in the order of logits and rows."""
        return tuple(decisions(self.points))

    @cached_property
    def _depth(self) -> int:
        """Counts the points that have to be decided before the deepest one is reached."""
        depths: list[int] = []
        for decision in self.decisions:
            depths.append(depths[decision.parent] + 1 if decision.parent >= 0 else 0)
        return max(depths, default=0)

    def initial(self) -> Logits:
        """Returns zeros: each candidate of a point is equally likely."""
        return [jnp.zeros(decision.size) for decision in self.decisions]

    def genes(self, row: Sequence[int]) -> Genes:
        """Reads the candidate of a row of indices."""
        return genes_of(self.points, row)

    def row(self, genes: Genes) -> np.ndarray:
        """Writes a valid candidate as a row, int32 [decisions]."""
        return row_of(self.points, genes, len(self.decisions))

    def log_softmax(self, logits: Logits) -> jax.Array:
        """Returns log p of candidates by point, [decisions, candidates of the widest]; hugely negative beyond."""
        widest = max(decision.size for decision in self.decisions)
        lowest = jnp.finfo(logits[0].dtype).min
        table = [jnp.pad(row, (0, widest - row.shape[0]), constant_values=lowest) for row in logits]
        return jax.nn.log_softmax(jnp.stack(table))

    def reached(self, row: Array) -> jax.Array:
        """Says which points a candidate reaches, bool [decisions]; entries of `row` at others do not matter."""
        parents = np.array([decision.parent for decision in self.decisions])
        triggers = np.array([decision.trigger for decision in self.decisions])
        always = jnp.asarray(parents < 0)
        row, reached = jnp.asarray(row), always
        for _ in range(self._depth):
            reached = always | (reached[parents] & (row[parents] == triggers))
        return reached

    def sample(self, key: jax.Array, logits: Logits) -> jax.Array:
        """Draws a candidate, int32 [decisions].

        Args:
          key: of `jax.random`.
          logits: of the policy.
        """
        row = jax.random.categorical(key, self.log_softmax(logits)).astype(jnp.int32)
        return jnp.where(self.reached(row), row, DEAD)

    def mode(self, logits: Logits) -> jax.Array:
        """Returns the arg-max at each point, int32 [decisions]: TuNAS's final candidate."""
        row = jnp.argmax(self.log_softmax(logits), axis=-1).astype(jnp.int32)
        return jnp.where(self.reached(row), row, DEAD)

    def log_probability(self, logits: Logits, row: Array) -> jax.Array:
        """Returns log p of a candidate, a scalar.

        Args:
          logits: of the policy.
          row: int [decisions], of `sample` or `row`.
        """
        chosen = jnp.take_along_axis(self.log_softmax(logits), jnp.maximum(row, 0)[:, None], axis=-1)[:, 0]
        return jnp.where(row != DEAD, chosen, 0.0).sum()

    def sampled_entropy(self, logits: Logits, row: Array) -> jax.Array:
        """Adds up the entropies of the points that a candidate reaches, in nats; the mean over all is `entropy`."""
        return jnp.where(row != DEAD, self._entropies(logits), 0.0).sum()

    def entropy(self, logits: Logits) -> jax.Array:
        """Returns the exact entropy in nats: that of each point times the probability that it is reached."""
        probabilities, entropies = jnp.exp(self.log_softmax(logits)), self._entropies(logits)
        reached: list[jax.Array] = []
        for _, parent, trigger in self.decisions:
            reached.append(reached[parent] * probabilities[parent, trigger] if parent >= 0 else jnp.ones(()))
        return (jnp.stack(reached) * entropies).sum()

    def _entropies(self, logits: Logits) -> jax.Array:
        sizes = np.array([decision.size for decision in self.decisions])
        table = self.log_softmax(logits)
        table = jnp.where(np.arange(table.shape[1]) < sizes[:, None], table, 0.0)  # 0 · lowest, times a weight, is nan.
        return -(jnp.exp(table) * table).sum(axis=-1)
