"""How far one controller goes, on virtual workers: docs/scale.md tells what came out.

    python benchmarks/scale.py [--quick] [--charts FOLDER]

Four answers, each a table: how many workers one controller feeds; what lag and asynchronous feedback cost in
utilisation; what they cost in search quality; where the journal saturates. The controller, its journal and the search
are real, on 20 four-way decisions with epistasis (an NK landscape); time is virtual
(isozyme.search.executors.simulated). The
first and the last answer measure this machine, so that nothing else should run on it; the others are the same on any.
"""

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from isozyme.benchmarks.scaling import charts, journal, lag, workers


def _show(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]], notes: str = "") -> None:
    table = Table(*head, title=title)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    print(notes, flush=True)


def show_workers(figures: workers.Figures) -> dict[str, object]:
    """Prints the first answer."""
    rows, kept = [], {}
    for seconds in workers.EVALUATIONS:
        kept[seconds] = found = figures.kept(seconds)
        busiest = max((p for p in figures.points if p.seconds == seconds), key=lambda p: p.workers)
        rows.append(
            (
                f"{seconds:g}", f"{figures.bound(seconds):,.0f}", "" if found is None else f"{found:,.0f}",
                f"{figures.bound_on_ray(seconds):,.0f}", f"{figures.bound_by_memory():,.0f}",
                f"{busiest.workers:,}", f"{100 * busiest.utilisation:.1f}", f"{1e6 * busiest.price:.0f}",
            )
        )  # fmt: skip
    prices = [1e6 * price for price in figures.prices]
    notes = (
        f"controller: {1e6 * figures.price:.0f} µs an evaluation ({min(prices):.0f} to {max(prices):.0f}, "
        f"{len(prices)} repeats) when it never waits, {100 * figures.twins:.0f} % twins included; with Ray's client "
        f"and two workers {1e6 * figures.ray_price:.0f} µs of processor time; {figures.bytes_in_flight:.0f} bytes "
        f"for a trial under way; simulating took {figures.overhead:.2f} times as long as the controller itself"
    )
    head = ("evaluation [s]", f"workers at {100 * workers.AIM:.0f} %: computed", "simulated", "with Ray's client",
            f"in {workers.MEMORY / 1e9:.0f} GB", "most simulated", "utilisation [%]", "controller [µs]")  # fmt: skip
    _show("1. Workers that one controller keeps busy (exponential times, asynchronous, lag 2 W)", head, rows, notes)
    return {
        "controller_us": prices,
        "ray_us": 1e6 * figures.ray_price,
        "bytes_in_flight": figures.bytes_in_flight,
        "simulation_over_controller": figures.overhead,
        "workers_computed": {str(s): figures.bound(s) for s in workers.EVALUATIONS},
        "workers_simulated": {str(s): found for s, found in kept.items()},
        "points": [p._asdict() for p in figures.points],
    }


def show_utilisation(found: list[lag.Utilisation]) -> dict[str, object]:
    """Prints the second answer."""
    ratios = sorted({ratio for one in found for ratio in one.by_ratio})
    rows = []
    for one in found:
        cells = [f"{100 * np.median(one.by_ratio[r]):.0f}" if r in one.by_ratio else "" for r in ratios]
        needed = one.needed()
        mode = "asynchronous" if one.asynchronous else "in order"
        rows.append((one.times, f"{one.workers}", mode, *cells, "" if needed is None else f"{needed:.1f}"))
    head = ("times", "workers W", "feedback", *(f"{r:g}" for r in ratios), f"lag/W for {100 * lag.AIM:.0f} %")
    widest = max(max(us) - min(us) for one in found for us in one.by_ratio.values())
    repeats = {one.workers: len(one.by_ratio[1.0]) for one in found}
    seeds = ", ".join(f"{number} of {workers} workers" for workers, number in repeats.items())
    notes = f"medians of repeats ({seeds}), which differ by {100 * widest:.0f} percentage points at most"
    _show("2. Utilisation [%] by lag / workers, of a controller that takes no time", head, rows, notes)
    return {
        f"{one.times}, {one.workers} workers, {'asynchronous' if one.asynchronous else 'in order'}": {
            "utilisation": {str(r): us for r, us in one.by_ratio.items()},
            "lag_over_workers_needed": one.needed(),
        }
        for one in found
    }


def show_quality(found: list[lag.Quality]) -> dict[str, object]:
    """Prints the third answer."""

    def cell(scores: np.ndarray) -> str:
        mean, low, high = lag.interval(scores)
        return f"{mean:.3f} [{low:.3f}, {high:.3f}]"

    rows = [
        (
            one.name, cell(one.by_trials), cell(one.by_trials - found[0].by_trials), cell(one.by_time),
            f"{100 * one.utilisation:.0f}",
        )
        for one in found
    ]  # fmt: skip
    hours = f"{lag.UNTIL / 3600:.2g} h"
    head = ("setting", f"best after {lag.TRIALS:,} trials", "less that of lag 1", f"best after {hours}", "utilisation")
    notes = (
        f"means and 95 % intervals over landscapes 0 to {len(found[0].by_trials) - 1}; evaluations of {lag.MEAN:g} s"
    )
    _show(f"3. Quality of evolution (P={lag.POPULATION}, S=25) on W={lag.WORKERS} workers", head, rows, notes)
    return {
        one.name: {
            "by_trials": lag.interval(one.by_trials),
            "less_lag_1": lag.interval(one.by_trials - found[0].by_trials),
            "by_time": lag.interval(one.by_time),
            "utilisation": one.utilisation,
        }
        for one in found
    }


def show_journal(figures: journal.Figures) -> dict[str, object]:
    """Prints the fourth answer."""
    rows = [
        (
            f"{r.journals}", f"{r.batch:,}", f"{np.median(r.rates):,.0f}",
            f"{min(r.rates):,.0f} to {max(r.rates):,.0f}", f"{np.median(r.rates) / r.batch:,.0f}",
            f"{1e3 * r.longest:.0f}", f"{r.bytes_a_trial:.0f}",
        )
        for r in figures.journals
    ]  # fmt: skip
    head = (
        "journals",
        "trials a commit",
        "trials/s",
        "least to most",
        "commits/s",
        "longest commit [ms]",
        "bytes a trial",
    )
    lines = []
    for name, most in (("median", statistics.median), ("best", max)):
        one, two = most(figures.searches[1]), most(figures.searches[2])
        gains = ", ".join(f"{gain:.2f}" for gain in figures.gains(most).values())
        lines.append(
            f"by the {name} of {len(figures.searches[1])} repeats a second journal gains a factor of {gains}; a second "
            f"search with a journal of its own {two / one:.2f}, from {one:,.0f} to {two:,.0f} trials/s"
        )
    _show("4. The journal alone (WAL, synchronous=NORMAL)", head, rows, "\n".join(lines))
    return {
        "journals": [r._asdict() for r in figures.journals],
        "searches": {str(number): rates for number, rates in figures.searches.items()},
        "gains": figures.gains(statistics.median),
        "search_gain": figures.search_gain(statistics.median),
    }


def main() -> None:
    """Measures, prints four tables and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer sizes and repeats")
    parser.add_argument("--charts", type=Path, help="writes charts, as SVG, into this folder")
    arguments = parser.parse_args()
    quick, began = arguments.quick, time.perf_counter()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    fed, written = workers.measure(quick), journal.measure(quick)
    answers = {"workers": show_workers(fed)}
    repeats = {lag.SHOWN: 1} if quick else lag.REPEATS
    busy = [lag.utilisation(times, lag.SHOWN, True, repeats[lag.SHOWN]) for times in lag.TIMES]
    busy += [lag.utilisation(times, n, False, seeds) for times in lag.TIMES for n, seeds in repeats.items()
             if n == lag.SHOWN or times != "constant"]  # fmt: skip
    answers["utilisation"] = show_utilisation(busy)
    scored = [lag.quality(name, 2 if quick else 20) for name in lag.settings()]
    answers["quality"] = show_quality(scored)
    answers["journal"] = show_journal(written)
    if arguments.charts:
        arguments.charts.mkdir(parents=True, exist_ok=True)
        charts.draw_workers(arguments.charts / "workers.svg", fed)
        charts.draw_lag(arguments.charts / "lag.svg", busy)
        charts.draw_quality(arguments.charts / "quality.svg", scored)
        charts.draw_journal(arguments.charts / "journal.svg", written, fed.price)
    answers["seconds"] = {"all": time.perf_counter() - began}
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
