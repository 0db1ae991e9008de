"""The charts of docs/scale.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isozyme.benchmarks.charts.svg import COLOURS, svg
from isozyme.benchmarks.scaling import journal, lag, workers


def _figure(path: Path, panels: int, draw: Any) -> None:
    """Panels of one height side by side."""
    with svg(path, (4.4 * panels + 0.6, 3.4)) as figure:
        draw(figure.subplots(1, panels, squeeze=False)[0])


def _span(repeats: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Medians, and how far the least and the most are from them."""
    middle = np.array([np.median(one) for one in repeats])
    low, high = np.array([min(one) for one in repeats]), np.array([max(one) for one in repeats])
    return middle, np.array([middle - low, high - middle])


def draw_workers(path: Path, figures: workers.Figures) -> None:
    """Utilisation by workers, for each evaluation time; and the workers kept busy by evaluation time."""

    def draw(panels: Any) -> None:
        counts = np.geomspace(1, 1e8, 400)
        for colour, seconds in zip(COLOURS, workers.EVALUATIONS, strict=False):
            bound = seconds / figures.price
            panels[0].plot(counts, 100 * np.minimum(1.0, bound / counts), color=colour, lw=1, label=f"{seconds:g} s")
            points = [p for p in figures.points if p.seconds == seconds]
            panels[0].plot([p.workers for p in points], [100 * p.utilisation for p in points], "o", color=colour, ms=4)
        panels[0].set(xscale="log", xlabel="workers", ylabel="utilisation [%]", ylim=(40, 103))
        panels[0].set_title("lines: computed from the controller's time; dots: simulated", fontsize=9)
        panels[0].legend(title="an evaluation takes", fontsize=8, title_fontsize=8, loc="lower left")
        times = np.array(workers.EVALUATIONS)
        panels[1].plot(times, [figures.bound(t) for t in times], "o-", color=COLOURS[0], lw=1, ms=4,
                       label="by the controller's time")  # fmt: skip
        panels[1].plot(times, [figures.bound_on_ray(t) for t in times], "s-", color=COLOURS[1], lw=1, ms=4,
                       label="with the time of Ray's client")  # fmt: skip
        panels[1].axhline(figures.bound_by_memory(), color="black", lw=1, ls=":", label="by 16 GB of memory")
        panels[1].set(xscale="log", yscale="log", xlabel="an evaluation takes [s]", ylabel="workers")
        panels[1].set_title(f"workers that one controller keeps {100 * workers.AIM:.0f} % busy", fontsize=9)
        panels[1].legend(fontsize=8)

    _figure(path, 2, draw)


def draw_lag(path: Path, found: Sequence[lag.Utilisation]) -> None:
    """Utilisation by lag over workers: in order of numbers left, asynchronous right."""

    def draw(panels: Any) -> None:
        for axes, asynchronous in zip(panels, (False, True), strict=True):
            shown = [one for one in found if one.asynchronous == asynchronous and one.workers == lag.SHOWN]
            for colour, marker, one in zip(COLOURS, "osD^", shown, strict=False):
                middle, spread = _span([[100 * u for u in us] for us in one.by_ratio.values()])
                style = {"color": colour, "marker": marker, "ms": 4, "lw": 1, "capsize": 2}
                axes.errorbar(list(one.by_ratio), middle, spread, label=one.times, **style)
            axes.set_xscale("log", base=2)
            axes.set(xlabel="lag / workers", ylabel="utilisation [%]", ylim=(0, 105), xlim=(0.45, 13))
            axes.set_title("asynchronous" if asynchronous else "fed back in order", fontsize=9)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.legend(fontsize=7, loc="lower right")

    _figure(path, 2, draw)


def draw_quality(path: Path, found: Sequence[lag.Quality]) -> None:
    """Best fitness by lag, after a number of trials and after a time."""

    def draw(panels: Any) -> None:
        titles = (f"after {lag.TRIALS:,} trials", f"after {lag.UNTIL / 3600:.2g} virtual hours")
        for axes, title, which in zip(panels, titles, ("by_trials", "by_time"), strict=True):
            for name, colour, marker in (("evolution, in order", COLOURS[0], "o"),
                                         ("evolution, asynchronous", COLOURS[1], "s"),
                                         ("random search", COLOURS[2], "^")):  # fmt: skip
                rows = [one for one in found if _kind(one) == name]
                scores = [lag.interval(getattr(one, which)) for one in rows]
                style = {"color": colour, "marker": marker, "ms": 4, "lw": 1, "capsize": 2}
                spread = [[mean - low for mean, low, _ in scores], [high - mean for mean, _, high in scores]]
                axes.errorbar([r.lag for r in rows], [s[0] for s in scores], spread, label=name, **style)
            axes.set_xscale("log", base=2)
            axes.set(xlabel=f"lag [trials]; {lag.WORKERS} workers", ylabel="best fitness")
            axes.set_title(title, fontsize=9)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panels[0].legend(fontsize=8)

    _figure(path, 2, draw)


def _kind(one: lag.Quality) -> str:
    if one.name == "random search":
        return one.name
    return "evolution, asynchronous" if one.asynchronous else "evolution, in order"


def draw_journal(path: Path, figures: journal.Figures, price: float) -> None:
    """Trials a second by trials a commit, of one journal and of two at once, and what one controller makes."""

    def draw(panels: Any) -> None:
        (axes,) = panels
        for colour, number in zip(COLOURS, (1, 2), strict=False):
            rows = [rate for rate in figures.journals if rate.journals == number]
            middle, spread = _span([row.rates for row in rows])
            label = "one journal" if number == 1 else "two journals at once, together"
            axes.errorbar([r.batch for r in rows], middle, spread, color=colour, marker="o", ms=4, lw=1, capsize=2,
                          label=label)  # fmt: skip
        axes.axhline(1 / price, color="black", lw=1, ls=":", label="one controller, evaluations")
        axes.set(xscale="log", yscale="log", xlabel="trials a commit", ylabel="trials a second")
        axes.legend(fontsize=8)

    _figure(path, 1, draw)
