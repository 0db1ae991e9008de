"""How often policy gradients find a bottleneck within a hard limit, on TabNAS's toy.

    python benchmarks/tabnas_toy.py [--quick]

Rejection with the corrected gradient (TabNAS) next to the shaped reward that it is meant to replace, to the same
without the correction, and to the exact feasible probability in its place. All runs of a row are one compiled scan.
"""

import argparse
import json
import platform
import time

from rich.console import Console
from rich.table import Table

from isozyme.evaluators import process

process.fix()

from isozyme.benchmarks.tabnas.runs import Method, Result, run  # noqa: E402

_SEEDS = 4_000
_QUICK_SEEDS = 1_000
_SLOW, _MIDDLE, _FAST, _SHAPED = (0.005, 8_000), (0.02, 2_500), (0.1, 500), (0.05, 500)
_RUNS = {
    "absolute_beta_1_fast": (Method("absolute", -1.0), _SHAPED),
    "absolute_beta_2_fast": (Method("absolute", -2.0), _SHAPED),
    "absolute_beta_4_fast": (Method("absolute", -4.0), _SHAPED),
    "uncorrected_fast": (Method("uncorrected"), _FAST),
    "tabnas_n1_fast": (Method("rejection", 1), _FAST),
    "tabnas_n5_fast": (Method("rejection", 5), _FAST),
    "tabnas_n50_fast": (Method("rejection", 50), _FAST),
    "exact_fast": (Method("exact"), _FAST),
    "exact_draws_fast": (Method("exact draws"), _FAST),
    "absolute_beta_2": (Method("absolute", -2.0), _MIDDLE),
    "uncorrected": (Method("uncorrected"), _MIDDLE),
    "tabnas_n5": (Method("rejection", 5), _MIDDLE),
    "exact": (Method("exact"), _MIDDLE),
    "exact_draws": (Method("exact draws"), _MIDDLE),
    "absolute_beta_2_slow": (Method("absolute", -2.0), _SLOW),
    "tabnas_n5_slow": (Method("rejection", 5), _SLOW),
    "exact_slow": (Method("exact"), _SLOW),
    "exact_draws_slow": (Method("exact draws"), _SLOW),
}


def _label(method: Method) -> str:
    symbol = {"absolute": ", β = ", "rejection": ", N = "}.get(method.kind)
    return f"{method.kind}{symbol}{method.number:g}" if symbol else method.kind


def main() -> None:
    """Runs, prints a table and one JSON line of the shares that found the optimum."""
    parser = argparse.ArgumentParser(description="See the head of this file.")
    parser.add_argument("--quick", action="store_true", help="1,000 runs a row in place of 4,000, and no slow ones")
    quick = parser.parse_args().quick
    seeds = _QUICK_SEEDS if quick else _SEEDS
    began = time.perf_counter()
    results: dict[str, Result] = {}
    columns = ("", "rate × steps", "optimum in 50 draws", "P(4-2 | V)", "infeasible arg-max")
    table = Table(*columns, title=f"{platform.machine()}, one process; seeds 0 to {seeds - 1:,}")
    table.columns[0].no_wrap = True
    for name, (method, (rate, steps)) in _RUNS.items():
        if quick and (rate, steps) == _SLOW:
            continue
        result = results[name] = run(method, rate, steps, seeds)
        figures = [f"{share:.3f}" for share in result]
        table.add_row(_label(method), f"{rate} × {steps:,}", *figures)
    Console().print(table)
    print(f"{len(results) * seeds:,} searches in {time.perf_counter() - began:.0f} s")
    print(json.dumps({name: round(result.found, 4) for name, result in results.items()}))


if __name__ == "__main__":
    main()
