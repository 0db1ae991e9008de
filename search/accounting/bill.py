"""Prices a search: device time, energy and emissions, from the journal's trials and sessions.

E [kWh] = T · n · P · PUE and M [kg CO2e] = E · c (Patterson et al., arXiv 2204.05149). T is the time that devices are
held, whatever happens meanwhile: waiting, compiling, failed trials and the controller included. Emissions are gross and
operational: neither offsets nor manufacture.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from isozyme.evaluators.protocol import Status
from isozyme.search.accounting.power import Estimate, Power, rounded
from isozyme.search.protocol import Trial

_KWH = 3.6e6  # joules
_HOUR = 3600.0  # seconds


def _check_amount(owner: str, name: str, value: Any) -> None:
    """Raises ValueError unless `value` is a number that can be billed: what is missing is not zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
        raise ValueError(f"{owner}: {name} is {value!r}; a cost needs a finite number that is not negative")


@dataclass(frozen=True, slots=True)
class Session:
    """One time that the command ran.

    Attributes:
      began, seen: its begin and its last sign of life, seconds since the epoch.
      workers: processes that evaluate; 0 if the controller evaluates itself.
      processors: CPU cores held by all workers and the controller.
      accelerators: accelerators held.
      machine: where it ran; sessions on one machine cannot hold its devices twice.
      joules: what an `EnergyCounter` counted meanwhile; None where nothing counted.
    """

    began: float
    seen: float
    workers: int
    processors: int
    accelerators: int
    machine: str
    joules: float | None = None

    def __post_init__(self) -> None:
        for name in ("began", "seen", "workers", "processors", "accelerators"):
            _check_amount("session", name, getattr(self, name))
        if self.joules is not None:
            _check_amount("session", "joules", self.joules)

    @classmethod
    def read(cls, began: float, seen: float, description: str) -> "Session":
        """A session from the journal, whose description is a JSON object with the other fields, and maybe more.

        Raises:
          ValueError: a field is missing, or no number that can be billed.
        """
        found = json.loads(description)
        names = [field.name for field in fields(cls)[2:]]
        missing = [name for name in names if found.get(name) is None and name != "joules"]
        if missing:
            raise ValueError(f"session: {', '.join(missing)} not recorded; its cost cannot be known")
        return cls(began, seen, **{name: found[name] for name in names if name in found})


@dataclass(frozen=True, slots=True)
class Totals:
    """Seconds of a search's evaluations, summed over workers.

    Attributes:
      useful_seconds: trials with a score, in part or in full.
      failed_seconds: trials that ended in a failure.
      hurdle_seconds: trials stopped at a hurdle, up to where they were stopped.
      avoided_seconds: what stages taken from the cache had cost when they were evaluated; never subtracted.
      cpu_seconds: processor time.
    """

    useful_seconds: float = 0.0
    failed_seconds: float = 0.0
    hurdle_seconds: float = 0.0
    avoided_seconds: float = 0.0
    cpu_seconds: float = 0.0

    @classmethod
    def of(cls, trials: Iterable[Trial]) -> "Totals":
        """Sums over trials, in any order.

        Raises:
          ValueError: a trial without its times.
        """
        sums = {field.name: 0.0 for field in fields(cls)}
        for trial in trials:
            seconds, cpu_seconds, *_ = trial.effort
            spent = {"seconds": seconds, "saved_seconds": trial.saved_seconds, "cpu_seconds": cpu_seconds}
            for name, value in spent.items():
                _check_amount(f"trial {trial.number}", name, value)
            sums[_kind(trial.status)] += seconds
            sums["avoided_seconds"] += trial.saved_seconds
            sums["cpu_seconds"] += cpu_seconds
        return cls(**sums)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def _kind(status: Status) -> str:
    if status in (Status.OK, Status.PARTIAL):
        return "useful_seconds"
    return "hurdle_seconds" if status is Status.HURDLE else "failed_seconds"


@dataclass(frozen=True, slots=True)
class Bill:
    """What a search cost; the bills of its parts add up.

    Attributes:
      totals: seconds of its evaluations.
      worker_seconds: time that workers were held, summed over them: evaluating, waiting, compiling.
      core_seconds, accelerator_seconds: time that CPU cores and accelerators were held, summed over them.
      kwh: energy, E, with its interval and label.
      kg_co2e: emissions, M, likewise.
      avoided_kwh: energy that the seconds avoided would have taken, at this search's mean power a worker.
    """

    totals: Totals
    worker_seconds: float
    core_seconds: float
    accelerator_seconds: float
    kwh: Estimate
    kg_co2e: Estimate
    avoided_kwh: float

    @property
    def device_seconds(self) -> float:
        """Time that devices of either kind were held, summed over them."""
        return self.core_seconds + self.accelerator_seconds

    def __add__(self, other: "Bill") -> "Bill":
        return Bill(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def share_time(spans: Sequence[tuple[float, float]]) -> list[float]:
    """Returns the seconds for which each span on one device is billed: spans share the time in which they overlap.

    The sum is the time in which any span was under way. A span that ends before it begins is billed for nothing.

    Args:
      spans: (begin, end), in seconds.
    """
    changes = [(begin, 1, i) for i, (begin, end) in enumerate(spans) if begin < end]
    changes += [(end, -1, i) for i, (begin, end) in enumerate(spans) if begin < end]
    shares = [0.0] * len(spans)
    share, under_way, last = 0.0, 0, 0.0  # `share`: what a span under way since the first begin would have.
    for now, change, i in sorted(changes):
        if under_way:
            share += (now - last) / under_way
        shares[i] -= change * share
        under_way, last = under_way + change, now
    return shares


def price_search(sessions: Sequence[Session], totals: Totals, power: Power) -> Bill:
    """Returns the bill of a search: a plain function of records, so that another `power` prices a search again.

    Raises:
      ValueError: there is no session.
    """
    if not sessions:
        raise ValueError("no session is recorded, so the cost cannot be known")
    joules = Estimate.exactly(0.0)
    worker_seconds = core_seconds = accelerator_seconds = 0.0
    for session, seconds in zip(sessions, _held(sessions), strict=True):
        joules += _energy(session, seconds, power)
        worker_seconds += seconds * max(session.workers, 1)
        core_seconds += seconds * session.processors
        accelerator_seconds += seconds * session.accelerators
    kwh = joules * power.estimate("pue") * (1 / _KWH)
    kg_co2e = kwh * power.estimate("grid_intensity")
    avoided_kwh = kwh.mid * totals.avoided_seconds / worker_seconds if worker_seconds else 0.0
    return Bill(totals, worker_seconds, core_seconds, accelerator_seconds, kwh, kg_co2e, avoided_kwh)


def _held(sessions: Sequence[Session]) -> list[float]:
    """Returns the seconds of each session; sessions that overlap on one machine share them."""
    seconds = [0.0] * len(sessions)
    for machine in dict.fromkeys(s.machine for s in sessions):
        here = [i for i, s in enumerate(sessions) if s.machine == machine]
        for i, share in zip(here, share_time([(sessions[i].began, sessions[i].seen) for i in here]), strict=True):
            seconds[i] = share
    return seconds


def _energy(session: Session, seconds: float, power: Power) -> Estimate:
    """Returns the joules of a session before PUE.

    Watts whose source is known come before the session's own counter, and the counter before an assumption.
    """
    joules, watts = Estimate.exactly(0.0), power.estimate("watts_per_core")
    if session.joules is not None and watts.label == "assumed":
        length = session.seen - session.began
        joules += Estimate.exactly(session.joules * (seconds / length if length > 0.0 else 1.0))
    elif session.processors:
        joules += watts * (seconds * session.processors)
    if session.accelerators:
        joules += power.estimate("watts_per_accelerator") * (seconds * session.accelerators)
    return joules


def amortisation(search_kg: float, kg_per_use_before: float, kg_per_use_after: float) -> float:
    """Returns how often one use of the winner pays for the search: emissions that it saves over those of the search.

    1 / amortisation uses break even; a winner that emits more than what it replaces gives a negative number.
    """
    if not search_kg > 0.0:
        raise ValueError(f"search_kg is {search_kg}: there is nothing to amortise")
    return (kg_per_use_before - kg_per_use_after) / search_kg


def bill_lines(bill: Bill) -> list[str]:
    """Puts a bill into words for the closing summary; each line says how its figures are known."""
    seconds, kwh = bill.totals, bill.kwh
    return [
        f"held {rounded(bill.core_seconds / _HOUR)} CPU core hours and {rounded(bill.accelerator_seconds / _HOUR)} "
        "accelerator hours: measured",
        f"evaluations took {seconds.useful_seconds:.0f} s, failures {seconds.failed_seconds:.0f} s, trials stopped at "
        f"hurdles {seconds.hurdle_seconds:.0f} s, of {bill.worker_seconds:.0f} s that workers were held: measured",
        f"evaluations took {seconds.cpu_seconds:.0f} s of processor time: measured",
        f"the cache avoided {seconds.avoided_seconds:.0f} s of evaluations: measured",
        f"and with them {rounded(bill.avoided_kwh)} kWh: {kwh.label}",
        f"energy {kwh} kWh: {kwh.label}",
        f"emissions {bill.kg_co2e} kg CO2e, gross: {bill.kg_co2e.label}",
    ]


def bill_scalars(bill: Bill, best: float | None) -> dict[str, float]:
    """Returns a bill as TensorBoard scalars by name.

    Args:
      bill: of the search so far.
      best: the best score so far, where more is better; None leaves out the score per kWh.
    """
    values = {
        "kwh": bill.kwh.mid,
        "kg_co2e": bill.kg_co2e.mid,
        "avoided_kwh": bill.avoided_kwh,
        "device_seconds": bill.device_seconds,
        **asdict(bill.totals),
    }
    if best is not None and bill.kwh.mid > 0.0:
        values["best_per_kwh"] = best / bill.kwh.mid
    return {f"cost/{name}": value for name, value in values.items()}
