"""One-shot search: a policy learns together with weights that all candidates share, and then proposes what it prefers.

TuNAS (Bender et al., CVPR 2020, arXiv 2008.06120); with a hard limit TabNAS (Yang et al., NeurIPS 2022).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.evaluators.protocol import Supernet
from isozyme.search.journal.checkpoint import Checkpoint
from isozyme.search.objectives import Objective
from isozyme.search.policy.feasible_share import FeasibleShare
from isozyme.search.policy.rewards import Shaped
from isozyme.search.protocol import Listen, Proposal, Trial
from isozyme.spaces.costs import Tabulated
from isozyme.spaces.limits import Limit
from isozyme.spaces.protocol import Space

FILE = "one_shot.npz"
_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]
_DRAWS = 1_000  # from the policy until one is feasible
_VERSION = "one-shot-1"


@pg.members(
    [
        ("supernet", _ANY, "Shared weights: an `evaluators.Supernet`."),
        ("steps", pg.typing.Int(2_000, min_value=1), "Of the one-shot search; each trains one candidate once."),
        ("warm_up", pg.typing.Float(0.25, min_value=0.0, max_value=1.0), "Share of steps before the policy learns."),
        ("learning_rate", pg.typing.Float(0.02, min_value=0.0), "Of Adam, for the policy."),
        ("momentum", pg.typing.Float(0.95, min_value=0.0, max_value=1.0), "Of the baseline, an average of rewards."),
        ("limit", pg.typing.Object(Limit).noneable(), "Proposes and learns from feasible candidates only."),
        ("feasible_share", pg.typing.Object(FeasibleShare, default=FeasibleShare()), "How it keeps to the limit."),
        ("shaped", pg.typing.Object(Shaped).noneable(), "A reward that weighs the cost, in place of a limit."),
        ("save_every", pg.typing.Int(200, min_value=1), "Steps between checkpoints."),
    ],
    serialization_key="isozyme.OneShot",
)
class OneShot(pg.Object):
    """Learns a policy before there are any trials; the search then proposes what the policy prefers.

    It is no algorithm itself: `learn` returns one. The trials of that one are like any others, evaluated by themselves,
    from scratch; the winner is chosen among them.
    """

    supernet: Any
    steps: int
    warm_up: float
    learning_rate: float
    momentum: float
    limit: Limit | None
    feasible_share: FeasibleShare
    shaped: Shaped | None
    save_every: int

    def _on_bound(self) -> None:
        super()._on_bound()
        if self.limit is not None and self.shaped is not None:
            raise ValueError("limit and shaped: a search has one of them")

    def learn(self, space: Space, seed: int, folder: Path, listen: Listen | None = None) -> "LearnedPolicy":
        """Runs the one-shot search, or what a checkpoint in `folder` leaves to do of it, and returns its policy.

        Args:
          space: with plain choices.
          seed: of the run.
          folder: where the checkpoint lies; a kill loses what came after the last one.
          listen: told of the progress.

        Raises:
          JournalError: the checkpoint is damaged, or of other conditions.
        """
        import jax

        supernet: Supernet = self.supernet
        supernet.prepare()
        learner = self.learner(space, seed)
        conditions = f"{_VERSION} {self.to_json_str()} {seed} {supernet.conditions('search')}"
        checkpoint = Checkpoint(folder / FILE, conditions)
        state = learner.start()
        leaves, structure = jax.tree.flatten(state)
        found = checkpoint.load(leaves)
        if found is not None:
            state = jax.tree.unflatten(structure, found)
        while (done := int(state.step)) < self.steps:
            count = min(self.save_every, self.steps - done)
            state, seen = learner.run(state, count)
            checkpoint.save(jax.tree.leaves(state))
            if listen is not None:
                taken = max(float(seen.taken), 1.0)
                listen(done + count, {
                    "quality": float(seen.quality) / taken, "cost": float(seen.cost) / taken,
                    "trained": float(seen.taken) / count, "entropy": float(learner.policy.entropy(state.policy.logits)),
                })  # fmt: skip
        return LearnedPolicy([np.asarray(row) for row in state.policy.logits], self.limit)

    def learner(self, space: Space, seed: int) -> Any:
        """Sets the supernet up and returns the `OneShotLearner` of this search, which has taken no step."""
        from isozyme.search.policy.one_shot_learner import OneShotLearner, OneShotSettings
        from isozyme.search.policy.policy import policy_over

        self.supernet.setup(space, seed)
        settings = OneShotSettings(
            self.learning_rate, self.momentum, self.steps, int(self.warm_up * self.steps), self.limit,
            self.feasible_share, self.shaped,
        )  # fmt: skip
        return OneShotLearner(policy_over(space), self.supernet, settings, seed)


@dataclass(frozen=True)
class LearnedPolicy:
    """Proposes by a policy that no trial changes.

    The first proposal is the most probable candidate within the limit, each later one a draw from the policy that is
    within it.

    Attributes:
      logits: of the policy, [candidates] for each choice point.
      limit: what is feasible; None: everything.
    """

    logits: Sequence[np.ndarray]
    limit: Limit | None = None

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningLearnedPolicy":
        """Returns a run, which has no state."""
        from isozyme.search.policy.policy import policy_over

        return RunningLearnedPolicy(policy_over(space), self.logits, self.limit)


class RunningLearnedPolicy:
    """A run of `LearnedPolicy`.

    Args:
      policy: over the choices.
      logits: of the policy.
      limit: what is feasible, or None.
    """

    def __init__(self, policy: Any, logits: Sequence[np.ndarray], limit: Limit | None) -> None:
        self._policy, self._logits, self._limit = policy, logits, limit
        powers = [np.exp(row - row.max()) for row in (np.asarray(row, np.float64) for row in logits)]
        self._probabilities = [row / row.sum() for row in powers]

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns the most probable feasible candidate first, then feasible draws.

        Raises:
          ValueError: none of a thousand draws is feasible.
        """
        if number == 0:
            genes = self._most_probable()
            if genes is not None:
                return Proposal(genes, operator="mode")
        for _ in range(_DRAWS):
            genes = self._policy.genes([rng.choice(len(p), p=p) for p in self._probabilities])
            if self._allows(genes):
                return Proposal(genes, operator="draw")
        raise ValueError(f"limit: none of {_DRAWS:,} draws from the policy is feasible; raise it, or search longer")

    def _most_probable(self) -> Any:
        """Returns the exact one where the cost allows it, else the arg-max of each choice, if that is feasible."""
        if self._limit is not None and isinstance(self._limit.cost, Tabulated):
            from isozyme.search.policy.feasible_policy import policy_within

            row = policy_within(self._policy, self._limit).mode(self._logits)
            return self._policy.genes(np.asarray(row).tolist())
        genes = self._policy.genes([int(p.argmax()) for p in self._probabilities])
        return genes if self._allows(genes) else None

    def _allows(self, genes: Any) -> bool:
        return self._limit is None or self._limit.allows(genes)

    def feedback(self, trial: Trial) -> None:
        """Learns nothing: all learning is done."""

    def snapshot(self) -> dict[str, Any]:
        """Returns an empty state: what was learned is in the checkpoint."""
        return {}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Takes nothing in."""
