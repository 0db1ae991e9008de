"""Charts of the two benchmarks."""

import math
from collections.abc import Mapping
from pathlib import Path

from isozyme.benchmarks.charts.svg import COLOURS, svg
from isozyme.search.validation.paired_test import Interval


def draw_differences(path: Path, found: Mapping[str, Mapping[str, Interval]], baseline: str) -> None:
    """Relative differences to the baseline, a panel a problem and a row an optimizer; left is better.

    Args:
      path: of the SVG file.
      found: problem -> optimizer -> interval; one that failed gets no mark.
      baseline: whose loss is 0.
    """
    height = 0.28 * len(next(iter(found.values()))) + 1.2
    with svg(path, (2.0 * len(found) + 1.2, height)) as figure:
        for panel, (problem, rows) in zip(figure.subplots(1, len(found), sharey=True, squeeze=False)[0], found.items(),
                                          strict=True):  # fmt: skip
            for place, row in enumerate(rows.values()):
                if math.isfinite(row.mean):
                    colour = COLOURS[2] if row.high < 0 else COLOURS[1] if row.low > 0 else "#777777"
                    reach = [[100 * (row.mean - row.low)], [100 * (row.high - row.mean)]]
                    panel.errorbar(100 * row.mean, place, xerr=reach, fmt="o", ms=4, lw=1.2, capsize=2, color=colour)
            panel.axvline(0, color="black", lw=1)
            panel.set_title(problem, fontsize=9)
            panel.set_yticks(range(len(rows)), list(rows))
        figure.axes[0].invert_yaxis()
        figure.supxlabel(f"held-out loss relative to {baseline} [%], 95 % intervals; left is better", fontsize=9)


def draw_gains(path: Path, found: Mapping[str, Mapping[int, Interval]]) -> None:
    """Lion's gain over AdamW by batch size, a line a problem."""
    with svg(path, (5.0, 3.4)) as figure:
        axes = figure.subplots()
        for colour, (problem, gains) in zip(COLOURS, found.items(), strict=False):
            shown = {size: gain for size, gain in gains.items() if math.isfinite(gain.mean)}
            means = [100 * gain.mean for gain in shown.values()]
            reach = [100 * (gain.mean - gain.low) for gain in shown.values()]
            axes.errorbar(list(shown), means, reach, color=colour, marker="o", ms=4, lw=1, capsize=2, label=problem)
        axes.axhline(0, color="black", lw=1)
        axes.set_xscale("log", base=2)
        axes.set(xlabel="batch size", ylabel="loss that Lion saves over AdamW [%]")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.legend(fontsize=8)
