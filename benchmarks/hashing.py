"""What keys cost, how often they err, and what the equivalence cache saves (arXiv 2302.05433).

    python benchmarks/hashing.py [--quick]

Four answers, each a table: microseconds a key; errors of both kinds by mantissa bits; regularized evolution of three
families on real data with the cache off, with static keys, and with static and numeric keys, proposals and seeds being
the same; and whether the saving is the one that hits and cost of keys predict. The families are optimizer programs
(imperative code), graphs that make columns of a table, and lambdas that serve as activation functions. Evaluations
run in this process, one at a time.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence

from isozyme.evaluators import process

process.fix()  # Before numpy starts its threads.

from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from isozyme.benchmarks.equivalence import curve  # noqa: E402
from isozyme.benchmarks.equivalence.searches import FAMILIES, MODES, Run, Saving, compare, saving  # noqa: E402

_LAW = "programs"  # The family whose evaluations take longest.


def _show(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], notes: str) -> None:
    table = Table(*head, title=title)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    print(notes, flush=True)


def _spread(values: Sequence[float], form: str = ",.0f") -> str:
    """The median, and the range if there is one."""
    middle, least, most = (format(function(values), form) for function in (statistics.median, min, max))
    return middle if least == most else f"{middle} [{least}, {most}]"


def show_keys(count: int) -> dict[str, object]:
    """Prints the first answer."""
    figures = {
        f"{name}, random": curve.key_microseconds(family.space, curve.random_candidates(family.space, count, seed=1))
        for name, family in FAMILIES.items()
    }
    adamw = curve.key_microseconds(FAMILIES["programs"].space, curve.adamw_mutants(count, seed=1))
    rows = [(name, *(f"{us:.0f}" for us in f.values())) for name, f in {"AdamW and mutants": adamw, **figures}.items()]
    notes = f"medians of {count} candidates, each keyed once; mutants have 8 to 12 statements, AdamW has 10"
    _show("1. A key", ("candidates", "static [µs]", "numeric [µs]"), rows, notes)
    return {**adamw, "per_family": {name: figures[f"{name}, random"] for name in FAMILIES}}


def show_curve(count: int) -> dict[str, object]:
    """Prints the second answer."""
    different, kinds = [], []
    for name, family in FAMILIES.items():
        found = curve.different(family.space, curve.random_candidates(family.space, count, seed=0))
        different += found
        kinds.append(f"{len(found):,} {name} with {found[0][0].size:,} values")
    close = curve.close_pairs(curve.adamw_mutants(count, seed=2), seed=0)
    equal = curve.rewritten_pairs(count, seed=0)
    points = {bits: curve.errors(different, close, equal, bits) for bits in curve.BITS}
    rows = [
        (f"{bits}", f"{p[0]:.4f}", f"{p[1]:.4f}", *(f"{100 * share:.1f}" for share in p[2:]))
        for bits, p in points.items()
    ]
    head = ("bits", "models a key", "either grid", "close, merged [%]", "either grid [%]", "equal, split [%]",
            "either grid [%]")  # fmt: skip
    notes = (
        f"models: different random candidates, {', '.join(kinds)}; close: {len(close):,} pairs of programs, one with "
        f"numbers larger by 1e-6 to 1e-1 of them; different: by more than {curve.TOLERANCE:g} somewhere; equal: "
        f"{len(equal):,} pairs of lambdas with {equal[0][0][0].size} values, rewritten, that round differently"
    )
    _show("2. Errors of numeric keys", head, rows, notes)
    return {str(bits): p._asdict() for bits, p in points.items()}


def _values(seeds: list[dict[str, Run]]) -> dict[str, list[float]]:
    """All figures of a family, one a seed; `hits` are those of all keys together."""
    fields: dict[str, Callable[[Run], float]] = {
        "evaluations": lambda r: r.evaluations,
        "seconds": lambda r: r.seconds,
        "quality": lambda r: r.loss,
    }
    values = {f"{name}_{mode}": [get(s[mode]) for s in seeds] for name, get in fields.items() for mode in MODES}
    values["hits"] = [1 - s["on"].evaluations / s["on"].proposals for s in seeds]
    values["saving"] = [s["off"].seconds / s["on"].seconds for s in seeds]
    return values


def show_families(runs: dict[str, list[dict[str, Run]]]) -> dict[str, object]:
    """Prints the third answer."""
    rows, figures = [], {}
    for name, seeds in runs.items():
        values = _values(seeds)
        for mode in MODES:
            shares = [
                [100 * s[mode].hits.get(kind, 0) / s[mode].proposals for s in seeds] for kind in ("static", "numeric")
            ]
            rows.append(
                (
                    name, mode, _spread(values[f"evaluations_{mode}"]), *map(_spread, shares),
                    _spread(values[f"seconds_{mode}"], ".1f"), _spread(values[f"quality_{mode}"], ".4f"),
                )
            )  # fmt: skip
        figures[name] = {
            "proposals": seeds[0]["off"].proposals,
            **{key: statistics.median(v) for key, v in values.items()},
            "ranges": {key: [min(v), max(v)] for key, v in values.items()},
        }
    head = ("family", "keys", "evaluations", "static [%]", "numeric [%]", "seconds", "least loss")
    proposals, seeds = next(iter(figures.values()))["proposals"], len(next(iter(runs.values())))
    notes = (
        f"{proposals:,} proposals each, lag 8, seeds 0 to {seeds - 1}: medians and ranges; hits in per cent of "
        "proposals; seconds: wall time of the search, start-up and compilation aside; aims: more hits than misses, "
        "saving 2 to 10 times, loss no larger"
    )
    _show("3. Regularized evolution", head, rows, notes)
    return figures


def show_law(runs: dict[str, list[dict[str, Run]]]) -> dict[str, object]:
    """Prints the fourth answer."""
    savings: dict[str, list[Saving]] = {name: [saving(s) for s in seeds] for name, seeds in runs.items()}
    rows = [
        (
            name, f"{i}", f"{s.measured:.2f}", f"{s.predicted:.2f}", f"{100 * (s.measured / s.predicted - 1):+.0f}",
            f"{s.h:.3f}", f"{s.c:.3f}", f"{s.rest:.3f}",
        )
        for name, found in savings.items() for i, s in enumerate(found)
    ]  # fmt: skip
    head = ("family", "seed", "measured", "1 / ((1 − h) + c)", "off by [%]", "hits h", "cost c", "rest")
    notes = (
        "processor time of the whole search, off over on; c: keys and cache of a proposal over an evaluation; "
        "rest: share of proposing, controller and journal, most of which both searches pay; aim: within 10 %"
    )
    _show("4. The saving law", head, rows, notes)
    medians = {
        name: {key: statistics.median([s._asdict()[key] for s in found]) for key in Saving._fields}
        for name, found in savings.items()
    }
    return {
        "saving_measured": medians[_LAW]["measured"],
        "saving_predicted": medians[_LAW]["predicted"],
        "savings": medians,
    }


def main() -> None:
    """Measures, prints four tables and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed and fewer candidates")
    quick, began = parser.parse_args().quick, time.perf_counter()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    figures = show_keys(300 if quick else 1_000)
    figures["curve"] = show_curve(300 if quick else 1_000)
    seeds = range(1 if quick else 3)
    runs = {name: [compare(family, seed, 1_000) for seed in seeds] for name, family in FAMILIES.items()}
    figures["families"] = show_families(runs)
    figures |= show_law(runs)
    print(f"{time.perf_counter() - began:.0f} s in all")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
