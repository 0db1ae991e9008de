"""What `pg.tuning.poll_result` reads in a run folder."""

import datetime
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pyglove as pg

from isozyme.evaluators.protocol import Status
from isozyme.search.journal.database import JournalError
from isozyme.search.journal.journal import Journal
from isozyme.search.objectives import objective_from_json
from isozyme.search.progress.pareto import ParetoArchive
from isozyme.search.protocol import Trial
from isozyme.search.pyglove_bridge.spec import SpecSpace, space_of, spec_of
from isozyme.search.pyglove_bridge.study import ACTIVE, fact


class StudyResult(pg.tuning.Result):
    """The trials of a run folder as they were when it was read; nothing is written, and others may go on writing.

    Args:
      folder: of a study.

    Raises:
      JournalError: there is none, or it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        with closing(Journal.read(folder)) as journal:
            identity = fact(journal, "identity")
            if identity is None:
                raise JournalError(f"{folder}: no study of the backend 'isozyme'; name one")
            self._space: SpecSpace = space_of(spec_of(identity["space"]))
            self._objectives = [objective_from_json(one) for one in identity["objectives"]]
            self._metadata: dict[str, Any] = fact(journal, "metadata") or {}
            self._active = fact(journal, "state") == ACTIVE
            self._trials = list(journal.trials(self._space.from_source))
            self._facts = {t.number: fact(journal, f"trial/{t.number}") or {} for t in self._trials if t.evaluated}

    @property
    def metadata(self) -> dict[str, Any]:
        """What was set for the whole study."""
        return self._metadata

    @property
    def is_active(self) -> bool:
        """Whether there is more to sample: false once all examples are done or `end_loop` was called."""
        return self._active

    @property
    def last_updated(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
    ) -> datetime.datetime | None:
        """When the last trial finished; None without trials."""
        last = max((trial.finished for trial in self._trials), default=None)
        return None if last is None else datetime.datetime.fromtimestamp(last, datetime.UTC)

    @property
    def trials(self) -> list[pg.tuning.Trial]:
        """All trials, twins and failures included; made on demand, which takes milliseconds a trial."""
        return [self._made(trial) for trial in self._trials]

    @property
    def best_trial(self) -> pg.tuning.Trial | None:
        """The trial with the best score in the first objective; None if none has a score."""
        scored = [trial for trial in self._trials if trial.status is Status.OK]
        cost = self._objectives[0].cost
        best = min(scored, key=lambda trial: cost(trial.metrics), default=None)
        return None if best is None else self._made(best)

    @property
    def front(self) -> list[pg.tuning.Trial]:
        """The Pareto front of all objectives."""
        archive = ParetoArchive(self._objectives)
        for trial in self._trials:
            if trial.status is Status.OK:
                archive.add(trial)
        return [self._made(trial) for trial in archive.trials]

    def evaluated(self) -> list[pg.tuning.Trial]:
        """Returns the trials that a loop body has evaluated."""
        return [self._made(trial) for trial in self._trials if trial.evaluated]

    def _made(self, trial: Trial) -> pg.tuning.Trial:
        own = trial.number if trial.cached_from is None else trial.cached_from
        facts = self._facts.get(own, {})
        scored = trial.status is Status.OK
        measurements = [_measurement(one) for one in facts.get("measurements", ())] or (
            [self._only_measurement(trial)] if scored else []
        )
        twin = None if trial.cached_from is None else f"the same as trial {trial.cached_from + 1}"
        return pg.tuning.Trial(
            id=trial.number + 1,
            description=trial.reason or twin,
            dna=self._space.to_dna(trial.candidate),
            status="COMPLETED",
            infeasible=not scored,
            measurements=measurements,
            final_measurement=measurements[-1].clone() if scored else None,
            metadata=facts.get("metadata", {}),
            related_links=facts.get("links", {}),
            created_time=int(trial.finished - trial.effort.seconds),
            completed_time=int(trial.finished),
        )

    def _only_measurement(self, trial: Trial) -> pg.tuning.Measurement:
        metrics = dict(trial.metrics)
        reward = metrics.pop("reward", None)
        if reward is None and len(self._objectives) == 1:
            reward = metrics[self._objectives[0].metric]
        return pg.tuning.Measurement(step=0, elapse_secs=trial.effort.seconds, reward=reward, metrics=metrics)

    def format(self, compact: bool = False, verbose: bool = True, root_indent: int = 0, **kwargs: Any) -> str:
        """Returns folder, number of trials and the best, as JSON."""
        best = self.best_trial
        facts = {
            "name": str(self._folder),
            "trials": len(self._trials),
            "evaluated": sum(trial.evaluated for trial in self._trials),
            "best_trial": best and {"id": best.id, "reward": best.final_measurement.reward, "dna": str(best.dna)},
        }
        return json.dumps(facts, indent=None if compact else 1)


def _measurement(one: dict[str, Any]) -> pg.tuning.Measurement:
    return pg.tuning.Measurement(
        step=one["step"],
        elapse_secs=one["seconds"],
        reward=None if one["reward"] is None else float(one["reward"]),
        metrics={name: float(value) for name, value in one["metrics"].items()},
        checkpoint_path=one["checkpoint"],
    )
