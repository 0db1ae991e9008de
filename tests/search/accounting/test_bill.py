"""The cost of a search: carbon.md, section 6. Fact 12 needs a quiet machine: it is a benchmark's, not a test's."""

import json
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.evaluators.protocol import Status
from isozyme.search.accounting.bill import (
    Session,
    Totals,
    amortisation,
    bill_lines,
    bill_scalars,
    price_search,
    share_time,
)
from isozyme.search.accounting.power import LABELS, Power
from isozyme.search.protocol import Effort, Proposal, Trial

HOUR = 3600.0
NOTHING = Totals()
KNOWN = {"watts_per_core": 100.0, "pue": 1.0, "grid_intensity": 0.5, "source": "table"}


def session(hours=1.0, began=0.0, workers=1, processors=1, accelerators=0, machine="here", joules=None):
    return Session(began, began + hours * HOUR, workers, processors, accelerators, machine, joules)


def trial(number=0, status=Status.OK, seconds=0.0, saved_seconds=0.0, cpu_seconds=0.0):
    return Trial(
        number,
        Proposal(None),
        status,
        effort=Effort(seconds=seconds, cpu_seconds=cpu_seconds),
        saved_seconds=saved_seconds,
    )


def cost(*sessions, totals=NOTHING, **figures):
    return price_search(sessions, totals, Power(**{**KNOWN, **figures}))


def test_gpt_3():
    """Fact 1."""
    run = session(hours=14.8 * 24, processors=0, accelerators=10_000)
    found = cost(run, watts_per_accelerator=330.0, pue=1.10, grid_intensity=0.429)
    assert found.kwh.mid / 1000 == pytest.approx(1289, abs=1)
    assert found.kg_co2e.mid / 1000 == pytest.approx(553, abs=1)


def test_one_device_for_an_hour():
    """Fact 2."""
    found = cost(session())
    assert (found.kwh.low, found.kwh.mid, found.kwh.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.kg_co2e.mid == pytest.approx(0.05)
    assert found.device_seconds == HOUR


@pytest.mark.parametrize("factor", [0.25, 3.0])
def test_every_factor_is_linear(factor):
    """Fact 3."""
    base = cost(session(processors=4), pue=4.0)
    scaled = [
        cost(session(hours=factor, processors=4), pue=4.0),
        cost(session(processors=int(4 * factor)), pue=4.0),
        cost(session(processors=4), pue=4.0, watts_per_core=100.0 * factor),
        cost(session(processors=4), pue=4.0 * factor),
    ]
    for one in scaled:
        assert one.kwh.mid / base.kwh.mid == pytest.approx(factor, rel=1e-9)
        assert one.kg_co2e.mid / base.kg_co2e.mid == pytest.approx(factor, rel=1e-9)
    dirtier = cost(session(processors=4), pue=4.0, grid_intensity=0.5 * factor)
    assert dirtier.kwh == base.kwh
    assert dirtier.kg_co2e.mid / base.kg_co2e.mid == pytest.approx(factor, rel=1e-9)


def test_parts_add_up_in_any_order():
    """Fact 3."""
    rng = random.Random(0)
    parts, began = [], 1.7e9
    for number in range(30):
        one = session(rng.uniform(0.1, 9), began, processors=rng.randint(1, 64), accelerators=rng.randint(0, 8))
        began = one.seen + rng.uniform(0, 1e5)
        done = trial(number, rng.choice(list(Status)), *(rng.uniform(0, 100) for _ in range(3)))
        parts.append((one, Totals.of([done]), done))
    whole = price_search([one for one, _, _ in parts], Totals.of(done for _, _, done in parts), Power())
    rng.shuffle(parts)
    first, *rest = (price_search([one], totals, Power()) for one, totals, _ in parts)
    added = sum(rest, start=first)
    for name in ("low", "mid", "high"):
        assert getattr(added.kwh, name) == pytest.approx(getattr(whole.kwh, name), rel=1e-9)
        assert getattr(added.kg_co2e, name) == pytest.approx(getattr(whole.kg_co2e, name), rel=1e-9)
    for name in ("device_seconds", "useful_seconds", "failed_seconds", "hurdle_seconds", "cpu_seconds"):
        assert bill_scalars(added, None)[f"cost/{name}"] == pytest.approx(
            bill_scalars(whole, None)[f"cost/{name}"], rel=1e-9
        )
    shuffled = price_search([one for one, _, _ in parts], added.totals, Power())
    assert shuffled.kwh.mid == pytest.approx(whole.kwh.mid, rel=1e-9)


def test_the_number_of_workers_does_not_matter():
    """Fact 3: the same core hours cost the same."""
    few, many = session(4.0, workers=2, processors=2), session(1.0, workers=8, processors=8)
    assert cost(few).kwh.mid == pytest.approx(cost(many).kwh.mid, rel=1e-9)


def test_a_twin_costs_nothing_and_avoids_what_its_owner_cost():
    """Fact 4."""
    owner, twin = trial(0, seconds=36.0), trial(1, saved_seconds=36.0)
    held = session(workers=2, processors=2)
    alone, both = cost(held, totals=Totals.of([owner])), cost(held, totals=Totals.of([owner, twin]))
    assert (both.kwh, both.kg_co2e, both.device_seconds) == (alone.kwh, alone.kg_co2e, alone.device_seconds)
    assert both.totals.avoided_seconds - alone.totals.avoided_seconds == owner.effort.seconds
    assert alone.avoided_kwh == 0.0
    assert both.avoided_kwh == pytest.approx(0.001)  # 36 s of a worker's one core at 100 W.
    assert cost(session(workers=0), totals=both.totals).avoided_kwh == pytest.approx(0.001)


@pytest.mark.parametrize("status", Status)
def test_time_is_billed_however_a_trial_ended(status):
    """Fact 5: a trial stopped at a hurdle is billed for the time it used, and so is one that crashed."""
    kinds = {Status.OK: "useful", Status.PARTIAL: "useful", Status.HURDLE: "hurdle"}
    totals = Totals.of([trial(status=status, seconds=3.0, cpu_seconds=5.0)])
    split_up = {name: getattr(totals, f"{name}_seconds") for name in ("useful", "failed", "hurdle")}
    assert split_up == {"useful": 0.0, "failed": 0.0, "hurdle": 0.0, kinds.get(status, "failed"): 3.0}
    assert totals.cpu_seconds == 5.0
    assert cost(session(), totals=totals).kwh.mid == pytest.approx(0.1)


def test_a_clock_that_goes_back_takes_no_energy_back():
    """Fact 6."""
    back = session(hours=-2.0, began=10 * HOUR)
    assert (cost(back).kwh.mid, cost(back, session(began=20 * HOUR)).kwh.mid) == pytest.approx((0.0, 0.1))
    counted = price_search([session(hours=-2.0, began=10 * HOUR, joules=7.2e6)], NOTHING, Power(pue=1.0))
    assert counted.kwh.mid == pytest.approx(2.0)


def test_trials_that_overlap_on_one_device_share_it():
    """Fact 7."""
    assert share_time([(0.0, 10.0), (5.0, 20.0)]) == [7.5, 12.5]
    assert share_time([(0.0, 9.0), (0.0, 9.0), (20.0, 30.0), (8.0, 8.0), (9.0, 1.0)]) == [4.5, 4.5, 10.0, 0.0, 0.0]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8))
def test_shares_add_up_to_the_time_that_passed(spans):
    """Fact 7: moment by moment."""
    expected = [0.0] * len(spans)
    for moment in range(30):
        under_way = [i for i, (begin, end) in enumerate(spans) if begin <= moment < end]
        for i in under_way:
            expected[i] += 1 / len(under_way)
    assert share_time(spans) == pytest.approx(expected)


def test_sessions_that_overlap_on_one_machine_are_billed_once():
    """Fact 7; machines differ, or sessions do not overlap: both are billed."""
    twice = [session(processors=4), session(processors=4)]
    assert cost(*twice).device_seconds == pytest.approx(4 * HOUR)
    assert cost(session(processors=4), session(processors=4, machine="there")).device_seconds == 8 * HOUR
    assert cost(session(processors=4), session(processors=4, began=HOUR)).device_seconds == 8 * HOUR
    counted = [session(joules=3.6e6), session(joules=3.6e6)]
    assert price_search(counted, NOTHING, Power(pue=1.0)).kwh.mid == pytest.approx(1.0)


def test_a_finished_log_is_priced_again():
    """Fact 9: from records alone, as a journal holds them."""
    description = {"workers": 2, "processors": 3, "accelerators": 0, "machine": "here", "commit": "abc"}
    sessions = [Session.read(10.0, 7210.0, json.dumps(description))]
    totals = Totals.of([trial(seconds=100.0), trial(1, saved_seconds=100.0)])
    first, second = (price_search(sessions, totals, Power(pue=pue, grid_intensity=0.1)) for pue in (1.5, 1.2))
    assert first.kwh.mid == pytest.approx(2 * 3 * 0.010 * 1.5)
    assert second.kwh.mid == pytest.approx(first.kwh.mid * 1.2 / 1.5)
    assert second.avoided_kwh == pytest.approx(first.avoided_kwh * 1.2 / 1.5)
    assert second.kg_co2e.mid == pytest.approx(second.kwh.mid * 0.1)
    assert second.totals == first.totals


@pytest.mark.parametrize("left_out", ["watts_per_core", "watts_per_accelerator", "pue", "grid_intensity"])
def test_one_default_makes_the_result_assumed(left_out):
    """Fact 10: a product is as sure as its least sure factor."""
    figures: dict[str, Any] = {"watts_per_core": 9.0, "watts_per_accelerator": 99.0, "pue": 1.2, "grid_intensity": 0.1}
    known = price_search([session(accelerators=1)], NOTHING, Power(**figures, source="meter"))
    assert (known.kwh.label, known.kg_co2e.label) == ("table", "table")
    del figures[left_out]
    found = price_search([session(accelerators=1)], NOTHING, Power(**figures, source="meter"))
    assert found.kg_co2e.label == "assumed"
    assert found.kwh.label == ("table" if left_out == "grid_intensity" else "assumed")
    assert all(line.rpartition(": ")[2] in LABELS for line in bill_lines(found))
    assert f" kWh: {found.kwh.label}" in "\n".join(bill_lines(found))


def test_lines_and_scalars():
    """Fact 10; section 5: the interval is reported."""
    totals = Totals.of([trial(seconds=50.0), trial(1, Status.CRASHED, 7.0), trial(2, saved_seconds=50.0)])
    found = price_search([session(workers=2, processors=3)], totals, Power())
    text = "\n".join(bill_lines(found))
    for part in (
        "3 CPU core hours",
        "50 s, failures 7 s",
        "of 7200 s",
        "avoided 50 s",
        "energy 0.0474 (0.012 to 0.12)",
    ):
        assert part in text
    assert "emissions 0.0225 (0.0006 to 0.108) kg CO2e, gross: assumed" in text
    values = bill_scalars(found, best=0.5)
    assert values["cost/kwh"] == pytest.approx(0.0474)
    assert values["cost/best_per_kwh"] == pytest.approx(0.5 / 0.0474)
    assert values["cost/device_seconds"] == 3 * HOUR
    assert "cost/best_per_kwh" not in bill_scalars(found, best=None)
    assert found.avoided_kwh == pytest.approx(0.0474 * 50 / 7200)


def test_a_counter_comes_before_an_assumption_and_after_known_watts():
    """Section 5: what was counted is used, unless watts were given together with their source."""
    counted = session(joules=7.2e6)
    assert price_search([counted], NOTHING, Power(pue=1.0)).kwh.mid == pytest.approx(2.0)
    assert price_search([counted], NOTHING, Power(pue=1.0)).kwh.label == "table"
    assert price_search([counted], NOTHING, Power(pue=1.0, watts_per_core=9.0)).kwh.mid == pytest.approx(2.0)
    assert price_search([counted], NOTHING, Power(pue=1.0, watts_per_core=9.0, source="table")).kwh.mid == 0.009
    assert price_search([counted, session(began=HOUR)], NOTHING, Power(pue=1.0)).kwh.label == "assumed"


@pytest.mark.parametrize("field", ["workers", "processors", "accelerators", "machine"])
def test_a_missing_field_of_a_session_is_an_error(field):
    """Fact 10."""
    description = {"workers": 2, "processors": 3, "accelerators": 0, "machine": "here"}
    for wrong in ({**description, field: None}, {n: v for n, v in description.items() if n != field}):
        with pytest.raises(ValueError, match=f"{field} not recorded"):
            Session.read(0.0, 1.0, json.dumps(wrong))


def test_missing_numbers_are_errors():
    """Fact 10."""
    wrong: Any
    for wrong in (None, math.nan, -1.0, True):
        with pytest.raises(ValueError, match="processors is"):
            session(processors=wrong)
        for name in ("seconds", "saved_seconds", "cpu_seconds"):
            with pytest.raises(ValueError, match=f"trial 0: {name} is"):
                Totals.of([trial(**{name: wrong})])
    with pytest.raises(ValueError, match="no session"):
        price_search([], NOTHING, Power())


@pytest.mark.parametrize(
    ("days", "kg_per_hour", "tonnes"), [(1145.8, 0.0749, 2.06), (2062.5, 0.173, 8.54), (2 * 71_800 / 24, 0.204, 29.26)]
)
def test_the_rows_of_primer(days, kg_per_hour, tonnes):
    """Fact 11, and the rows below it in section 4, to the three digits of kg per chip-hour."""
    run = session(hours=days * 24, processors=0, accelerators=1)
    found = cost(run, watts_per_accelerator=1000.0, grid_intensity=kg_per_hour)
    assert found.kg_co2e.mid / 1000 == pytest.approx(tonnes, rel=0.004)


def test_amortisation():
    """Section 4: one run at a third of the compute saves 4.7 times what the Primer search emitted."""
    assert amortisation(2.06, 14.63, 14.63 / 3) == pytest.approx(4.7, abs=0.05)
    assert amortisation(2.0, 1.0, 2.0) == -0.5
    with pytest.raises(ValueError, match="nothing to amortise"):
        amortisation(0.0, 2.0, 1.0)
