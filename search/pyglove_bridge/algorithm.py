"""Any `pg.DNAGenerator` as one of our algorithms."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Exhausted, Proposal, Trial
from isozyme.search.pyglove_bridge.description import described
from isozyme.search.pyglove_bridge.spec import dna_of, spec_for
from isozyme.spaces.protocol import Space

Rewards = tuple[float, ...]

_OF_FEEDBACK = ("reward", "feedback_sequence_number")  # Of a DNA that has been fed back; it does not come with it.


@pg.members(
    [("generator", pg.typing.Object(pg.DNAGenerator), "A fresh copy of it proposes in each run.")],
    serialization_key="isozyme.PyGloveAlgorithm",
)
class PyGloveAlgorithm(pg.Object):
    """Proposes what a PyGlove algorithm proposes, on a template space.

    Rewards are minus our costs. A trial without a full score (a failure, a smaller budget) is fed back with the worst
    reward so far in each objective, as soon as there is one: PyGlove's evolution counts what it is told to find the end
    of its first population, and no number that is not finite may get into it.

    It resumes with PyGlove's `recover` from the trials of the journal. That restores populations, not random states:
    an undisturbed run and a resumed one differ, unless the generator depends on nothing but its history.
    """

    generator: pg.DNAGenerator

    def sym_jsonify(self, **kwargs: Any) -> Any:
        """Returns class and fields. PyGlove's own JSON would hold bytecode, which depends on the installation."""
        return {"_type": type(self).__type_name__, "generator": described(self.generator)}

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningPyGloveAlgorithm":
        """Returns a run with a fresh copy of the generator.

        Raises:
          ValueError: the space is no template space.
        """
        generator: Any = self.generator.clone(deep=True)
        return RunningPyGloveAlgorithm(generator, space, objectives)


class RunningPyGloveAlgorithm:
    """A run of `PyGloveAlgorithm`.

    Args:
      generator: of this run alone, not set up.
      space: a template space.
      objectives: what for; a generator of one objective takes the first.

    Attributes:
      generator: set up, and told of trials.
    """

    def __init__(self, generator: pg.DNAGenerator, space: Any, objectives: Sequence[Objective]) -> None:
        self._space, self._spec = space, spec_for(space)
        self.generator: Any = generator  # PyGlove's annotations take rewards of one number only.
        self.generator.setup(self._spec)
        used = objectives if self.generator.multi_objective else objectives[:1]
        self._costs = [objective.cost for objective in used]
        self._made = 0  # Proposals of the generator, those included that earlier sessions made.
        self._proposed: dict[int, pg.DNA] = {}  # Here, and not fed back yet.
        self._worst: Rewards | None = None
        self._unscored: list[Trial] = []
        self._history: list[tuple[Trial, Rewards]] = []

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns the generator's proposal, with the metadata of its DNA as a note.

        Raises:
          Exhausted: it has no more.
        """
        self._recover()
        for earlier in range(self._made, number):
            # An earlier session proposed these, and they are fed back later than this one is proposed. The generator
            # makes them again, so that one that sweeps a grid leaves nothing out.
            self._proposed[earlier] = self._next()
        dna = self._proposed[number] = self._next()
        return Proposal(self._space.from_dna(dna), note=_note(dna))

    def _next(self) -> pg.DNA:
        try:
            dna = self.generator.propose()
        except StopIteration:
            raise Exhausted(f"{type(self.generator).__name__} proposes no more") from None
        self._made += 1
        return dna

    def feedback(self, trial: Trial) -> None:
        """Tells the generator of a trial that it has proposed here, or remembers it for `recover`."""
        self._made += trial.number not in self._proposed
        for told, rewards in self._rewarded(trial):
            dna = self._proposed.pop(told.number, None)
            if dna is None:
                self._history.append((told, rewards))
            else:
                same = self._space.from_dna(dna) == told.candidate
                self.generator.feedback(dna if same else self._rebuilt(told), self._reward(rewards))

    def _rewarded(self, trial: Trial) -> list[tuple[Trial, Rewards]]:
        """Returns the trials that can be told of now, with their rewards."""
        rewards = tuple(-cost(trial.metrics) for cost in self._costs)
        if trial.status is Status.OK and all(map(math.isfinite, rewards)):
            self._worst = tuple(map(min, rewards, self._worst or rewards))
        elif self._worst is None:
            self._unscored.append(trial)
            return []
        else:
            rewards = self._worst
        told = [(trial, rewards), *((one, self._worst) for one in self._unscored)]
        self._unscored.clear()
        return told

    def _reward(self, rewards: Rewards) -> float | Rewards:
        return rewards if self.generator.multi_objective else rewards[0]

    def _recover(self) -> None:
        """Hands the trials of earlier sessions to the generator, all of them before its first proposal here."""
        lost = [trial for trial in self._unscored if trial.number not in self._proposed]
        if self._history or lost:
            history, self._history = self._history, []
            self.generator.recover(self._replayed(history, lost))

    def _replayed(
        self, history: list[tuple[Trial, Rewards]], unscored: list[Trial]
    ) -> Iterator[tuple[pg.DNA, float | Rewards | None]]:
        for trial, rewards in history:
            yield self._rebuilt(trial), self._reward(rewards)
        for trial in unscored:
            dna = self._proposed[trial.number] = self._rebuilt(trial)
            yield dna, None

    def _rebuilt(self, trial: Trial) -> pg.DNA:
        dna = dna_of(trial.candidate, self._spec)
        for key, value in json.loads(trial.proposal.note or "{}").items():
            dna.set_metadata(key, value)
        return dna

    def snapshot(self) -> None:
        """Returns None: only a replay of all trials restores a generator."""

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Never called, since there are no snapshots."""
        raise NotImplementedError


def _note(dna: pg.DNA) -> str:
    """Returns the metadata of a proposal as JSON, without what is no JSON or comes with feedback."""
    kept = {}
    for key, value in dna.metadata.items():
        if key not in _OF_FEEDBACK:
            try:
                kept[key] = json.loads(json.dumps(value, allow_nan=False))
            except (TypeError, ValueError):
                continue
    return json.dumps(kept) if kept else ""
