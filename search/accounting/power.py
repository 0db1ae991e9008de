"""Turns time into energy and emissions: watts, PUE and grid intensity, with intervals and labels; counters; traces.

Patterson et al., IEEE Computer 55(7), 2022, arXiv 2204.05149: energy E = T · n · P · PUE, emissions M = E · c.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyglove as pg

LABELS = ("measured", "table", "assumed")  # Where a figure comes from, the surest first.
_DEFAULTS = {
    "watts_per_core": (4.0, 10.0, 20.0),
    "watts_per_accelerator": (100.0, 300.0, 700.0),
    "pue": (1.0, 1.58, 2.0),
    "grid_intensity": (0.05, 0.475, 0.9),
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quantity that is not negative, with its bounds and where it comes from: one of `LABELS`."""

    low: float
    mid: float
    high: float
    label: str

    @classmethod
    def exactly(cls, value: float, label: str = "measured") -> "Estimate":
        """Returns a quantity that is its own bounds."""
        return cls(value, value, value, label)

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(self.low + other.low, self.mid + other.mid, self.high + other.high, self._weaker(other))

    def __mul__(self, other: "Estimate | float") -> "Estimate":
        """The product; its bounds are the worst case, in which all factors err the same way."""
        factor = other if isinstance(other, Estimate) else Estimate.exactly(other)
        low, mid, high = self.low * factor.low, self.mid * factor.mid, self.high * factor.high
        return Estimate(low, mid, high, self._weaker(factor))

    def _weaker(self, other: "Estimate") -> str:
        """Returns the label of what is made from both: the one that is less sure."""
        return max(self.label, other.label, key=LABELS.index)

    def __str__(self) -> str:
        bounds = "" if self.low == self.high else f" ({rounded(self.low)} to {rounded(self.high)})"
        return rounded(self.mid) + bounds


def rounded(value: float) -> str:
    """Writes a number with three digits, and whole from a thousand on."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _figure(name: str, minimum: float = 0.0) -> Any:
    number = pg.typing.Float(min_value=minimum)
    return pg.typing.Union([number, pg.typing.Tuple([number] * 3)], default=_DEFAULTS[name])


@pg.members(
    [
        ("watts_per_core", _figure("watts_per_core"), "P of a CPU core held, with its share of the host."),
        ("watts_per_accelerator", _figure("watts_per_accelerator"), "P of an accelerator held; its host has cores."),
        ("pue", _figure("pue", 1.0), "Energy of the facility over that of its machines."),
        ("grid_intensity", _figure("grid_intensity"), "c: kg CO2e per kWh, by location."),
        ("region", pg.typing.Str("unknown"), "Where the grid is."),
        (
            "source",
            pg.typing.Enum("assumed", ["meter", "counter", "table", "assumed"]),
            "Where the watts given come from.",
        ),
    ],
    serialization_key="isozyme.Power",
)
class Power(pg.Object):
    """What turns time into energy and emissions. Each figure is a number, or (low, mid, high).

    Watts are means while held, idle or busy, not thermal design power (TDP). All defaults are assumptions:

    * 10 W a core (4 to 20): server processors are rated at about 4 to 15 W a core, and memory, fans and power supply
      come on top. Our own round figures.
    * 300 W an accelerator (100 to 700): from inference cards to the largest; a V100 is put at 330 W. Ours as well.
    * PUE 1.58 (1 to 2): about the mean of the industry; 1 is a machine at home, 1.1 an efficient cloud.
    * c 0.475 (0.05 to 0.9): about the world's average; from clean grids to coal.
    """

    watts_per_core: float | tuple[float, float, float]
    watts_per_accelerator: float | tuple[float, float, float]
    pue: float | tuple[float, float, float]
    grid_intensity: float | tuple[float, float, float]
    region: str
    source: str

    def _on_bound(self) -> None:
        super()._on_bound()
        for name in _DEFAULTS:
            one = self.estimate(name)
            if not (one.low <= one.mid <= one.high < math.inf):
                raise ValueError(f"{name} is {getattr(self, name)}: give a finite number, or (low, mid, high) in order")

    def estimate(self, name: str) -> Estimate:
        """Returns a figure with its interval and label."""
        value = getattr(self, name)
        bounds = value if isinstance(value, tuple) else (value, value, value)
        return Estimate(*bounds, label=self._label(name))

    def _label(self, name: str) -> str:
        """Defaults are assumed, whatever `source` says; a PUE or c that is given counts as taken from a table."""
        if getattr(self, name) == _DEFAULTS[name]:
            return "assumed"
        if name in ("pue", "grid_intensity"):
            return "table"
        return "measured" if self.source in ("meter", "counter") else self.source

    def lines(self) -> list[str]:
        """Returns the figures and their labels as lines of text."""
        units = {
            "watts_per_core": "W a CPU core held",
            "watts_per_accelerator": "W an accelerator held",
            "pue": "PUE",
            "grid_intensity": f"kg CO2e per kWh (region {self.region})",
        }
        figures = {name: self.estimate(name) for name in units}
        return [f"{figure} {units[name]}: {figure.label}" for name, figure in figures.items()]


def integrate_power(times: Sequence[float], watts: Sequence[float]) -> float:
    """Returns the energy of a power trace in joules, by trapezoids.

    Args:
      times: seconds; where the clock was set back, no energy is counted.
      watts: power at these times.

    Raises:
      ValueError: lengths differ, fewer than two points, or a value that is missing or negative.
    """
    if len(times) != len(watts) or len(times) < 2:
        raise ValueError(f"{len(times)} times and {len(watts)} powers: a trace needs as many of both, and two at least")
    if not all(map(math.isfinite, times)) or not all(0.0 <= power < math.inf for power in watts):
        raise ValueError("a power trace needs finite times, and finite powers that are not negative")
    points = pairwise(zip(times, watts, strict=True))
    return math.fsum(max(t1 - t0, 0.0) * (p0 + p1) / 2 for (t0, p0), (t1, p1) in points)


class EnergyCounter:
    """The processors' own energy counters (RAPL): whole packages and their memory, whoever uses them.

    They leave out the rest of the host, and see the machine they are read on alone. Counters wrap around, after
    10 minutes at the earliest: read them every few minutes.
    """

    def __init__(self, zones: Sequence[Path]) -> None:
        self._zones = [(zone / "energy_uj", _number(zone / "max_energy_range_uj")) for zone in zones]
        self._last = [_number(path) for path, _ in self._zones]
        self._microjoules = 0

    @classmethod
    def open(cls, root: Path = Path("/sys/class/powercap")) -> "EnergyCounter | None":
        """Starts a counter; returns None where the machine has none or does not let us read it."""
        try:
            zones = [zone for zone in sorted(root.glob("intel-rapl:*")) if _counts(zone)]
            return cls(zones) if zones else None
        except (OSError, ValueError):
            return None

    def joules(self) -> float:
        """Returns the energy since the counter was opened.

        Raises:
          OSError: a counter has become unreadable.
        """
        for i, (path, span) in enumerate(self._zones):
            now = _number(path)
            step = now - self._last[i]
            # A large fall is a wrap-around. A small one is a counter that went back: nothing is counted.
            self._microjoules += step + span if step < -span / 2 else max(step, 0)
            self._last[i] = now
        return self._microjoules / 1e6


def _counts(zone: Path) -> bool:
    """Tells whether a zone is a package or memory: cores and graphics are parts of packages, psys holds all again."""
    name = (zone / "name").read_text().strip()
    return name.startswith("package") or name == "dram"


def _number(path: Path) -> int:
    return int(path.read_text())
