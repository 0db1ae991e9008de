"""Policy gradient: REINFORCE (Williams, 1992) on a factorised policy, as in TuNAS (Bender et al., CVPR 2020, arXiv
2008.06120); with a hard limit by rejection (TabNAS, Yang et al., NeurIPS 2022) or with a memory (MAPO, Liang et al.,
NeurIPS 2018)."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Cost, Objective
from isozyme.search.policy.feasible_share import FeasibleShare
from isozyme.search.policy.mapo import MAPO, Exploration, Memory, Row
from isozyme.search.policy.rewards import CostAware
from isozyme.search.protocol import Proposal, Trial
from isozyme.spaces.choices import DEAD
from isozyme.spaces.limits import Limit
from isozyme.spaces.protocol import Space

_POLICY, _EXPLORE = "policy", "explore"
_BATCH = 16  # Draws at once, where not all of them are acceptable.
_FEASIBLE, _OUTSIDE = 64, 4  # Batches until one is feasible, or outside of the memory.


@pg.members(
    [
        ("learning_rate", pg.typing.Float(0.02, min_value=0.0), "Of Adam; the slower, the better the policy ends."),
        ("warm_up", pg.typing.Int(0, min_value=0), "Steps at rate 0, while the baseline settles."),
        ("momentum", pg.typing.Float(0.95, min_value=0.0, max_value=1.0), "Of the baseline, an average of rewards."),
        ("entropy", pg.typing.Float(0.0, min_value=0.0), "Weight of the policy's entropy beside the reward."),
        ("reward", pg.typing.Object(CostAware).noneable(), "Of metrics; None: the first objective."),
        ("limit", pg.typing.Object(Limit).noneable(), "Proposes and learns from feasible candidates only."),
        ("feasible_share", pg.typing.Object(FeasibleShare, default=FeasibleShare()), "How it keeps to the limit."),
        ("memory", pg.typing.Object(MAPO).noneable(), "Learns from the rewarding candidates so far, too."),
    ],
    serialization_key="isozyme.PolicyGradient",
)
class PolicyGradient(pg.Object):
    """One softmax for each choice point of a space, nested ones included; each trial moves it once.

    Trials are fed back later than proposed, so that the policy that drew one is some updates old: its log-probability
    then is in the note of the proposal, and the trial counts min(1, p/p_then), which is 1 without lag. In the mean that
    is the gradient of the present policy, but for the cut. What others have proposed teaches no policy gradient, as
    nobody knows how probable it was; it may enter the memory.

    With a limit by rejection the ratio is that of the unconditional probabilities: the feasible shares of both policies
    are estimates at best. The exact share takes the ratio of the conditional ones.

    A trial without a full score (a failure, a smaller budget) gets the worst reward so far.
    """

    learning_rate: float
    warm_up: int
    momentum: float
    entropy: float
    reward: CostAware | None
    limit: Limit | None
    feasible_share: FeasibleShare
    memory: MAPO | None

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningPolicyGradient":
        """Returns a run with a uniform policy.

        Raises:
          ValueError: the space has no choice points, or some that are no independent choices; or there are both a limit
            and a memory.
        """
        if self.limit and self.memory:
            raise ValueError(
                "a limit and a memory do not go together: the memory's share of what is feasible is unknown"
            )
        return RunningPolicyGradient(self, space, objectives[0].cost)


class RunningPolicyGradient:
    """A run of `PolicyGradient`.

    Args:
      settings: of the run.
      space: what is searched.
      cost: of metrics; a reward is its opposite, or what the settings make of that.
    """

    def __init__(self, settings: PolicyGradient, space: Space, cost: Cost) -> None:
        from isozyme.search.policy.policy import policy_over
        from isozyme.search.policy.trial_learner import TrialSettings, exact_learner, learner  # Imports jax.

        self._space, self._cost = space, cost
        self._reward, self._limit, self._mapo = settings.reward, settings.limit, settings.memory
        compiled = TrialSettings(settings.learning_rate, settings.warm_up, settings.momentum, settings.entropy)
        points = policy_over(space).points
        self._learner = learner(points, compiled)
        self._policy = self._learner.policy
        self._state = self._learner.start()
        self._worst: float | None = None
        self._memory = Memory(self._mapo.size if self._mapo else 0)
        self._threshold = self._mapo.threshold if self._mapo else math.inf
        self._exploration = Exploration(self._policy.decisions)
        self._exact: Any = None
        self._samples = settings.feasible_share.samples
        if self._limit and settings.feasible_share.exact:
            self._exact = exact_learner(points, compiled, self._limit.to_json_str())

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns a draw from the policy: feasible where there is a limit, outside of the memory where there is one.

        With exploration every second trial is one that has never been fed back, as long as there is any. Where
        1,024 draws are infeasible, or 64 in the memory, the last one goes out: an infeasible one teaches nothing, and
        one of the memory is a twin.
        """
        if self._mapo and self._mapo.explore and number % 2 and not self._exploration.exhausted:
            row = self._exploration.draw(np.asarray(self._learner.log_softmax(self._state.logits)), rng)
            return Proposal(self._policy.genes(row), operator=_EXPLORE)
        drawn = ((), 0.0)
        for drawn in self._draws(rng):
            if self._acceptable(drawn[0]):
                break
        row, log_p = drawn
        return Proposal(self._policy.genes(row), operator=_POLICY, note=f"{log_p!r} {_seed(rng)}")

    def _draws(self, rng: np.random.Generator) -> Iterator[tuple[Row, float]]:
        """Draws rows and their log-probabilities."""
        logits, batches, size = self._state.logits, 1, 1
        if self._exact is None and (self._limit or len(self._memory)):
            batches, size = _FEASIBLE if self._limit else _OUTSIDE, _BATCH
        for _ in range(batches):
            seed = _seed(rng)
            drawn = self._exact.draw(logits, seed) if self._exact else self._learner.draw(logits, seed, size)
            rows, log_p = map(np.asarray, drawn)
            yield from zip(map(tuple, rows.tolist()), log_p.tolist(), strict=True)

    def _acceptable(self, row: Row) -> bool:
        return (self._limit is None or self._limit.allows(self._policy.genes(row))) and row not in self._memory

    def feedback(self, trial: Trial) -> None:
        """Moves the policy by one step, unless the trial is none of its own; an infeasible one changes nothing."""
        if self._space.validate(trial.candidate) is not None or (
            self._limit and not self._limit.allows(trial.candidate)
        ):
            return
        row = self._policy.row(trial.candidate)
        reward = self._rewarded(trial)
        if reward is not None and trial.proposal.operator == _POLICY and trial.proposal.note:
            log_p, seed = trial.proposal.note.split()
            self._learn(row, reward, float(log_p), int(seed))
        if self._mapo is not None:
            self._remember(trial, tuple(row.tolist()), reward, self._mapo.explore)

    def _rewarded(self, trial: Trial) -> float | None:
        """Returns the reward of a trial; without a full score the worst so far, or None as long as there is none."""
        reward = self._score(trial) if trial.status is Status.OK else None
        if reward is None or not math.isfinite(reward):
            return self._worst
        self._worst = reward if self._worst is None else min(self._worst, reward)
        return reward

    def _score(self, trial: Trial) -> float | None:
        quality = -self._cost(trial.metrics)
        return quality if self._reward is None else self._reward(quality, trial.metrics)

    def _learn(self, row: np.ndarray, reward: float, log_p: float, seed: int) -> None:
        told = (self._state, row, reward, log_p)
        if self._exact:
            self._state = self._exact.reinforce(*told)
        elif self._limit:
            draws, _ = self._learner.draw(self._state.logits, seed, self._samples)
            feasible = [self._limit.allows(self._policy.genes(draw)) for draw in np.asarray(draws).tolist()]
            if any(feasible):
                self._state = self._learner.reject(*told, draws, np.array(feasible))
        elif self._mapo:
            outside = tuple(row.tolist()) not in self._memory
            self._state = self._learner.remember(*told, outside, self._arrays(), self._mapo.alpha)
        else:
            self._state = self._learner.reinforce(*told)

    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the memory as rows, rewards and which of them there are, always of one size."""
        size = self._memory.size
        rows = np.full((size, len(self._policy.decisions)), DEAD, np.int32)
        rewards = np.zeros(size, np.float32)
        for i, (_, row, (reward, _)) in enumerate(self._memory.rows()):
            rows[i], rewards[i] = row, reward
        return rows, rewards, np.arange(size) < len(self._memory)

    def _remember(self, trial: Trial, row: Row, reward: float | None, explores: bool) -> None:
        """Marks a candidate as explored, and admits it if it is rewarding."""
        if explores:
            self._exploration.add(row)
        if reward is not None and trial.status is Status.OK and reward > self._threshold:
            self._memory.admit(_key(trial, row), row, (reward, trial.number), self._log_probabilities)

    def _log_probabilities(self, rows: list[Row]) -> Sequence[float]:
        return np.asarray(self._learner.log_probabilities(self._state.logits, np.array(rows, np.int32))).tolist()

    def snapshot(self) -> dict[str, Any]:
        """Returns logits, moments and baseline; the memory by trials; what is explored."""
        import jax

        return {
            "state": [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(self._state)],
            "worst": self._worst,
            "memory": [[reward, number] for _, _, (reward, number) in self._memory.rows()],
            "explored": sorted(map(list, self._exploration.explored)),
        }

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Takes in the same again, before anything else."""
        import jax

        leaves, structure = jax.tree.flatten(self._state)
        known = [np.asarray(saved, leaf.dtype) for saved, leaf in zip(snapshot["state"], leaves, strict=True)]
        self._state = jax.tree.unflatten(structure, known)
        self._worst = snapshot["worst"]
        for reward, number in snapshot["memory"]:
            told = trial(number)
            row = tuple(self._policy.row(told.candidate).tolist())
            self._memory.admit(_key(told, row), row, (reward, number), self._log_probabilities)
        self._exploration.explored = set(map(tuple, snapshot["explored"]))


def _key(trial: Trial, row: Row) -> str:
    """Returns the key of a behaviour, or one of the candidate alone where no behaviour is known."""
    return trial.keys.behaviour or trial.keys.static or repr(row)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
