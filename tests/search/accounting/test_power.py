"""Figures of power, counters and traces of energy: carbon.md, sections 5 and 6."""

import math
from typing import Any

import pyglove as pg
import pytest

from isozyme.search.accounting.power import EnergyCounter, Estimate, Power, integrate_power


@pytest.fixture
def counters(tmp_path):
    """A tree like /sys/class/powercap, with everything that must not be counted twice."""
    zones = {
        "intel-rapl": None, "intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram",
        "intel-rapl:1": "psys", "intel-rapl-mmio:0": "package-0",
    }  # fmt: skip
    for zone, name in zones.items():
        (tmp_path / zone).mkdir()
        if name is not None:
            for file, text in (("name", name), ("energy_uj", "500000"), ("max_energy_range_uj", "1000000")):
                (tmp_path / zone / file).write_text(f"{text}\n")
    return tmp_path


def test_an_energy_counter_that_wraps_around_or_goes_back(counters):
    """Fact 6."""
    counter = EnergyCounter.open(counters)
    assert counter is not None
    steps = [(900_000, 0.4), (100_000, 0.2), (90_000, 0.0), (190_000, 0.1), (190_000, 0.0)]
    expected = 0.0
    for reading, joules in steps:
        (counters / "intel-rapl:0" / "energy_uj").write_text(f"{reading}\n")
        expected += joules
        assert counter.joules() == pytest.approx(expected)


def test_which_counters_count(counters):
    """Packages and memory; cores are part of a package, psys and the mmio interface count it again."""
    counter = EnergyCounter.open(counters)
    assert counter is not None
    for path in counters.glob("*/energy_uj"):
        path.write_text("600000")
    assert counter.joules() == pytest.approx(0.2)


def test_no_counter_where_none_can_be_read(counters, tmp_path):
    assert EnergyCounter.open(tmp_path / "nowhere") is None
    unreadable = counters / "intel-rapl:0" / "energy_uj"
    unreadable.unlink()
    unreadable.mkdir()  # To read it is an OSError even for root.
    assert EnergyCounter.open(counters) is None


def test_a_clock_that_goes_back_takes_no_energy_back():
    """Fact 6."""
    assert integrate_power([0.0, 10.0, 5.0, 15.0], [2.0] * 4) == pytest.approx(40.0)


def test_integrals_of_traces():
    """Fact 8."""
    uneven = [0.0, 0.1, 7.0, 7.5, 100.0]
    assert integrate_power(uneven, [330.0] * 5) == 33_000.0
    assert integrate_power([0.0, 1.0, 5.0], [0.0, 100.0, 0.0]) == 250.0
    times = [i * 10 / 4_999 for i in range(5_000)]  # The peak, at 5, is not among them.
    assert integrate_power(times, [100.0 - 20 * abs(t - 5) for t in times]) == pytest.approx(500.0, rel=1e-6)


@pytest.mark.parametrize(
    ("times", "watts"),
    [([0.0, 1.0], [5.0]), ([0.0], [5.0]), ([0.0, 1.0], [5.0, math.nan]), ([0.0, math.inf], [5.0, 5.0]),
     ([0.0, 1.0], [5.0, -5.0])],
)  # fmt: skip
def test_traces_with_holes_are_refused(times, watts):
    """Facts 6 and 10."""
    with pytest.raises(ValueError, match="power"):
        integrate_power(times, watts)


@pytest.mark.parametrize(
    ("source", "label"), [("meter", "measured"), ("counter", "measured"), ("table", "table"), ("assumed", "assumed")]
)
def test_every_figure_says_how_it_is_known(source, label):
    """Fact 10: a default is assumed, whatever is said of the source of watts."""
    assert [line.rpartition(": ")[2] for line in Power(source=source).lines()] == ["assumed"] * 4
    assert str(Estimate.exactly(1_289_376.0)) == "1,289,376"
    power = Power(watts_per_core=9.0, watts_per_accelerator=(1.0, 2.0, 3.0), pue=1.2, grid_intensity=0.1, source=source)
    assert power.lines() == [
        f"9 W a CPU core held: {label}",
        f"2 (1 to 3) W an accelerator held: {label}",
        "1.2 PUE: table",
        "0.1 kg CO2e per kWh (region unknown): table",
    ]


@pytest.mark.parametrize(
    "figures",
    [{"watts_per_core": -1.0}, {"watts_per_core": math.inf}, {"watts_per_core": math.nan}, {"pue": 0.9},
     {"grid_intensity": (0.3, 0.2, 0.4)}, {"grid_intensity": (0.1, 0.2)}, {"source": "guess"}],
)  # fmt: skip
def test_figures_that_cannot_be(figures: dict[str, Any]):
    with pytest.raises((ValueError, TypeError), match=next(iter(figures))):
        Power(**figures)


def test_figures_survive_json():
    """The figures of a run stand in its experiment.json, defaults included."""
    power = Power(pue=1, grid_intensity=(0.1, 0.2, 0.3))
    text = power.to_json_str()
    assert pg.from_json_str(text) == power
    assert "10.0" in text
