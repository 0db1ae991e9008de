"""What a loop body says of its candidate."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyglove as pg

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search.pyglove_bridge.exchange import Ticket
from isozyme.search.pyglove_bridge.study import Study

StopsEarly = Callable[[pg.tuning.Trial], bool]


class StudyFeedback(pg.tuning.Feedback):
    """Reports the outcome of one candidate to a study. Once `done` or `skip` has returned, it is in the journal."""

    def __init__(
        self, study: Study, ticket: Ticket, dna: pg.DNA, metrics_to_optimize: Sequence[str], stops: StopsEarly | None
    ) -> None:
        super().__init__(metrics_to_optimize)
        self._study, self._ticket, self._dna, self._stops = study, ticket, dna, stops

    @property
    def id(self) -> int:
        """One more than the number of the trial. Twins have ids too, and never get here."""
        return self._ticket.number + 1

    @property
    def dna(self) -> pg.DNA:
        """The candidate."""
        return self._dna

    @property
    def checkpoint_to_warm_start_from(self) -> str | None:
        """None: nothing is chosen to start from."""
        return None

    def get_trial(self) -> pg.tuning.Trial:
        """Returns the trial as far as it has come in this process."""
        ticket = self._ticket
        done = ticket.state == "done"
        return pg.tuning.Trial(
            id=self.id,
            dna=self._dna.clone(deep=True),
            status="COMPLETED" if done else "PENDING",
            measurements=[one.clone() for one in ticket.measurements],
            final_measurement=ticket.measurements[-1].clone() if done and ticket.measurements else None,
            metadata=dict(ticket.metadata),
            related_links=dict(ticket.links),
            created_time=int(ticket.began),
        )

    def set_metadata(self, key: str, value: Any, per_trial: bool = True) -> None:
        """Keeps a value with the trial once it is done, or with the study.

        Raises:
          TypeError: it is no plain JSON.
        """
        kept = _plain(key, value)
        if per_trial:
            with self._ticket.lock:
                self._require_open()
                self._ticket.metadata[key] = kept
        else:
            self._study.set_metadata(key, kept)

    def get_metadata(self, key: str, per_trial: bool = True) -> Any:
        """Returns a value that was set before, of the study maybe by an earlier session; None if there is none."""
        return (self._ticket.metadata if per_trial else self._study.metadata).get(key)

    def add_link(self, name: str, url: str) -> None:
        """Keeps a link with the trial once it is done."""
        with self._ticket.lock:
            self._require_open()
            self._ticket.links[name] = str(url)

    def _require_open(self) -> None:
        if self._ticket.state != "open":
            reason = (
                "done already" if self._ticket.state == "done" else "no longer this loop's: it was left, and begun anew"
            )
            raise pg.tuning.RaceConditionError(f"trial {self.id} is {reason}")

    def _add_measurement(
        self,
        reward: float | None,
        metrics: dict[str, float],
        step: int,
        checkpoint_path: str | None,
        elapse_secs: float,
    ) -> None:
        numbers = {name: float(value) for name, value in metrics.items()}
        measurement = pg.tuning.Measurement(
            step=step, elapse_secs=elapse_secs, reward=reward, metrics=numbers, checkpoint_path=checkpoint_path
        )
        with self._ticket.lock:
            self._require_open()
            self._ticket.measurements.append(measurement)

    def done(self, metadata: Mapping[str, Any] | None = None, related_links: Mapping[str, str] | None = None) -> None:
        """Ends the trial with the last measurement; nothing happens if another member of the group has ended it.

        A reward or metric that is not a finite number makes it a failure.

        Raises:
          ValueError: there is no measurement.
        """
        kept = {key: _plain(key, value) for key, value in (metadata or {}).items()}
        if not self._ticket.measurements:
            raise ValueError(f"trial {self.id} has no measurement; call feedback(reward) or add_measurement")
        last = self._ticket.measurements[-1]
        metrics = {name: float(value) for name, value in (last.metrics or {}).items()}
        if last.reward is not None and "reward" not in metrics and not self._repeats(metrics):
            metrics["reward"] = float(last.reward)
        wrong = next((f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)), None)
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self._finish(Status.OK if wrong is None else Status.DIVERGED, wrong, finite, kept, related_links or {})

    def _repeats(self, metrics: dict[str, float]) -> bool:
        """Returns whether the reward repeats the only metric to optimise."""
        return len(self._metrics_to_optimize) == 1 and self._metrics_to_optimize[0] in metrics

    def skip(self, reason: str | None = None) -> None:
        """Ends the trial as a failure, and tells the algorithm. The journal keeps the last line of the reason."""
        lines = (reason or "").strip().splitlines()
        self._finish(Status.CRASHED, f"skipped: {lines[-1].strip()}" if lines else "skipped", {}, {}, {})

    def _finish(
        self,
        status: Status,
        reason: str | None,
        metrics: dict[str, float],
        metadata: Mapping[str, Any],
        links: Mapping[str, str],
    ) -> None:
        ticket = self._ticket
        with ticket.lock:
            if ticket.state == "done":
                return
            self._require_open()
            ticket.state = "done"
            ticket.metadata.update(metadata)
            ticket.links.update(links)
        seconds, cpu = time.time() - ticket.began, time.process_time() - ticket.cpu_began
        self._study.finish(ticket, Outcome(status, reason, metrics, seconds, cpu), _facts(ticket))

    def should_stop_early(self) -> bool:
        """Returns what the early stopping policy says of the measurements so far; false without one."""
        return bool(self._ticket.measurements and self._stops is not None and self._stops(self.get_trial()))

    def end_loop(self) -> None:
        """Ends this loop, all others of this name, and later ones."""
        self._study.end()


def _plain(key: str, value: Any) -> Any:
    """Returns a copy of a value; raises `TypeError` unless it is plain JSON."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"metadata {key!r}: only plain JSON can be kept ({error})") from None
    copy = json.loads(text)
    if copy != value:
        raise TypeError(f"metadata {key!r}: only plain JSON can be kept, and {value!r:.60} would become {copy!r:.60}")
    return copy


def _facts(ticket: Ticket) -> str:
    """Returns as JSON what is to be kept of a trial besides its last metrics; empty if that is all."""
    more = len(ticket.measurements) > 1 or any(one.step or one.checkpoint_path for one in ticket.measurements)
    measurements = [_measured(one) for one in ticket.measurements] if more else []
    facts = {"measurements": measurements, "metadata": ticket.metadata, "links": ticket.links}
    kept = {name: value for name, value in facts.items() if value}
    return json.dumps(kept) if kept else ""


def _measured(one: pg.tuning.Measurement) -> dict[str, Any]:
    """Returns a measurement as plain JSON; numbers that are not finite become text, which `float` reads."""
    numbers = {name: value if math.isfinite(value) else str(value) for name, value in (one.metrics or {}).items()}
    reward = one.reward if one.reward is None or math.isfinite(one.reward) else str(one.reward)
    place = {"step": one.step, "seconds": one.elapse_secs, "checkpoint": one.checkpoint_path}
    return {**place, "reward": reward, "metrics": numbers}
