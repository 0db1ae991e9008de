"""One-shot search: a policy learns together with weights that all candidates share, and then proposes what it prefers.

TuNAS (Bender et al., CVPR 2020, arXiv 2008.06120); with a hard limit TabNAS (Yang et al., NeurIPS 2022).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.evaluators.protocol import Supernet
from isozyme.search.journal.checkpoint import Checkpoint
from isozyme.search.objectives import Objective
from isozyme.search.policy.feasible_share import FeasibleShare
from isozyme.search.policy.rewards import Shaped
from isozyme.search.policy.trellis import build_trellis
from isozyme.search.protocol import Proposal, Trial
from isozyme.spaces.costs import Tabulated
from isozyme.spaces.limits import Limit
from isozyme.spaces.protocol import Space

FILE = "one_shot.npz"
_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]
_DRAWS = 1_000  # from the policy until one is feasible
_VERSION = "one-shot-1"

Listen = Callable[[int, dict[str, float]], None]
"""Told the number of steps taken and what was seen in the last of them."""


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
    """Two phases: `learn`, before there are any trials, and proposals drawn from what was learned.

    The first proposal is the most probable candidate within the limit, each later one a draw from the policy that is
    within it. They are trials like any others, evaluated by themselves, from scratch; the winner is chosen among them.
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
        self._logits: list[np.ndarray] | None = None

    def learn(self, space: Space, seed: int, folder: Path, listen: Listen | None = None) -> None:
        """Runs the one-shot search, or what a checkpoint in `folder` leaves to do of it.

        Args:
          space: with plain choices.
          seed: of the run.
          folder: where the checkpoint lies; a kill loses what came after the last one.
          listen: told of the progress.

        Raises:
          JournalError: the checkpoint is damaged, or of other conditions.
        """
        import jax

        from isozyme.search.policy.one_shot_learner import OneShotLearner, Settings
        from isozyme.search.policy.policy import policy_over

        supernet: Supernet = self.supernet
        supernet.prepare()
        supernet.setup(space, seed)
        settings = Settings(self.learning_rate, self.momentum, self.steps, int(self.warm_up * self.steps))
        learner = OneShotLearner(policy_over(space), supernet, self._limits(), settings, seed)
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
                    "trained": float(seen.taken) / count, "entropy": float(learner.policy.entropy(state.logits)),
                })  # fmt: skip
        self._logits = [np.asarray(row) for row in state.logits]

    def _limits(self) -> Any:
        from isozyme.search.policy.one_shot_learner import Limits

        if self.limit is not None:
            cost, limit = self.limit.cost, self.limit.limit
            trellis = build_trellis(cost.tables(), limit) if self.feasible_share.exact else None
            return Limits(cost.tables(), limit, self.feasible_share.samples, trellis, None)
        if self.shaped is not None:
            return Limits(self.shaped.cost.tables(), self.shaped.target, 0, None, self.shaped)
        return None

    def setup(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> None:
        """Takes what was learned; without `learn` every candidate is equally likely."""
        del objectives, stages
        from isozyme.search.policy.policy import policy_over

        self._policy = policy_over(space)
        if self._logits is None:
            self._logits = [np.zeros(decision.size, np.float32) for decision in self._policy.decisions]
        logits = [np.asarray(row, np.float64) for row in self._logits]
        self._probabilities = [np.exp(row - row.max()) / np.exp(row - row.max()).sum() for row in logits]

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """The most probable feasible candidate first, then feasible draws.

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
        """Exactly where the cost allows it, else the arg-max of each choice, if that is feasible."""
        if self.limit is not None and isinstance(self.limit.cost, Tabulated):
            from isozyme.search.policy import recursion

            row = recursion.most_probable(build_trellis(self.limit.cost.tables(), self.limit.limit), self._logits)
            return self._policy.genes(np.asarray(row).tolist())
        genes = self._policy.genes([int(p.argmax()) for p in self._probabilities])
        return genes if self._allows(genes) else None

    def _allows(self, genes: Any) -> bool:
        return self.limit is None or self.limit.allows(genes)

    def feedback(self, trial: Trial) -> None:
        """Nothing: all learning is done."""

    def snapshot(self) -> dict[str, Any]:
        """Nothing: what was learned is in the checkpoint."""
        return {}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Nothing to restore."""
