"""The backend 'isozyme' of `pg.sample`: journalled, cached, resumable."""

import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

import pyglove as pg

from isozyme.search.objectives import Maximize, Objective, objective_to_json
from isozyme.search.protocol import Algorithm
from isozyme.search.pyglove_bridge.algorithm import PyGloveAlgorithm
from isozyme.search.pyglove_bridge.description import described
from isozyme.search.pyglove_bridge.exchange import Group
from isozyme.search.pyglove_bridge.feedback import StopsEarly, StudyFeedback
from isozyme.search.pyglove_bridge.generator import AlgorithmGenerator
from isozyme.search.pyglove_bridge.result import StudyResult
from isozyme.search.pyglove_bridge.spec import outline, space_of
from isozyme.search.pyglove_bridge.study import StudyPlan, study

_POLICIES = threading.Lock()


@pg.tuning.add_backend("isozyme")
class IsozymeBackend(pg.tuning.Backend):
    """Samples through our controller and journal: what `pg.sample` takes besides its own arguments.

    Args:
      name: the run folder. The same name again goes on where the last loop stopped.
      group: loops of the same group work on the same candidate; by default every thread is a group.
      dna_spec: what is sampled.
      algorithm: what `generator` makes, or any other `pg.DNAGenerator`, of which a fresh copy is used.
      metrics_to_optimize: by default the reward.
      early_stopping_policy: recovered from the journal.
      num_examples: how many trials, twins included, over all sessions.
      workdir: the run folder, if it is not `name`.
      seed: in place of the generator's; the algorithms of PyGlove take theirs themselves.
      lag: proposal i sees the trials up to i - lag, which is how many loop bodies can be at work.
    """

    def __init__(
        self,
        name: str | None,
        group: Group | None,
        dna_spec: pg.DNASpec,
        algorithm: pg.DNAGenerator,
        metrics_to_optimize: Sequence[str],
        early_stopping_policy: pg.tuning.EarlyStoppingPolicy | None = None,
        num_examples: int | None = None,
        *,
        workdir: str | None = None,
        seed: int | None = None,
        lag: int = 1,
    ) -> None:
        super().__init__()
        folder = _folder(name, workdir)
        plan = _plan(dna_spec, algorithm, list(metrics_to_optimize), num_examples, seed, lag)
        self._group: Group = threading.get_ident() if group is None else group
        self._metrics, self._space = metrics_to_optimize, plan.space
        self._study = study(folder, plan, self._group)
        # However a loop is left, its generator and with it this object go away.
        weakref.finalize(self, self._study.leave, self._group)
        self._stops = _stops(early_stopping_policy, dna_spec, folder)

    def next(self) -> pg.tuning.Feedback:
        """Returns the feedback of the next candidate.

        Raises:
          StopIteration: there are no more; or what went wrong in the controller.
        """
        ticket = self._study.next(self._group)
        if ticket is None:
            raise StopIteration
        return StudyFeedback(self._study, ticket, self._space.to_dna(ticket.candidate), self._metrics, self._stops)

    @classmethod
    def poll_result(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, name: str, workdir: str | None = None
    ) -> StudyResult:
        """Reads a run folder, whoever is writing it."""
        return StudyResult(_folder(name, workdir))


def _folder(name: str | None, workdir: str | None) -> Path:
    if not (workdir or name):
        raise ValueError("name: the backend 'isozyme' keeps its journal in a folder; write name='runs/…'")
    return Path(workdir or name or "")


def _plan(
    spec: pg.DNASpec, algorithm: pg.DNAGenerator, metrics: list[str], trials: int | None, seed: int | None, lag: int
) -> StudyPlan:
    if lag < 1 or (seed or 0) < 0:
        raise ValueError(f"lag and seed: {lag} and {seed} given; lag must be 1 or more, seed 0 or more")
    if len(metrics) > 1 and not algorithm.multi_objective:
        raise ValueError(f"metrics_to_optimize: {metrics} given; the algorithm has one objective, so name one")
    ours: Algorithm
    if isinstance(algorithm, AlgorithmGenerator):
        ours, objectives = algorithm.algorithm, _objectives(algorithm, metrics)
        seed = algorithm.seed if seed is None else seed
    else:
        ours, objectives = (
            PyGloveAlgorithm(algorithm.clone(deep=True)),  # The loop's own has another owner.
            tuple(Maximize(metric, 0.0) for metric in metrics),
        )
    seed = seed or 0
    identity = {
        "space": outline(spec),
        "algorithm": described(ours),
        "objectives": [objective_to_json(objective) for objective in objectives],
        "seed": seed,
        "lag": lag,
    }
    return StudyPlan(space_of(spec), ours, objectives, seed, lag, trials, identity)


def _objectives(algorithm: AlgorithmGenerator, metrics: list[str]) -> tuple[Objective, ...]:
    """Returns the generator's objectives; a single one takes the name of the metric that is to be optimised."""
    if algorithm.stages > 1:
        raise ValueError(f"stages: {algorithm.stages} given; with the backend 'isozyme' a loop body has one")
    objectives = list(algorithm.objectives)
    if len(objectives) == len(metrics) == 1:
        return (type(objectives[0])(metrics[0], objectives[0].reference),)
    names = [objective.metric for objective in objectives]
    if names != metrics:
        raise ValueError(f"metrics_to_optimize: {metrics} given, and the generator's objectives are {names}")
    return tuple(objectives)


def _stops(policy: pg.tuning.EarlyStoppingPolicy | None, spec: pg.DNASpec, folder: Path) -> StopsEarly | None:
    """Returns what decides for a policy. The first loop sets the policy up, with the history of the journal."""
    if policy is None:
        return None
    with _POLICIES:
        if policy.dna_spec is None:
            policy.setup(spec)
            policy.recover(StudyResult(folder).evaluated())
    return policy.should_stop_early
