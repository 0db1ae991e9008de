"""Charts with matplotlib, of runs whose texts are data."""

import base64
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from isozyme.launch.reading import Hypervolume, TrialColumns
from isozyme.launch.reading.fronts import costs
from isozyme.launch.reports.printing import escaped
from isozyme.search.objectives import Objective

_DOTS = 150  # to the inch, where many points are drawn as a picture within the picture


@contextmanager
def plain() -> Iterator[None]:
    """A block in which names of metrics are drawn as they are: `$` begins no formula, missing glyphs are no matter."""
    import matplotlib

    settings: Any = {"text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "isozyme"}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def image(draw: Callable[[], Any]) -> str:
    """The figure that `draw` returns, as an address that holds all of it (SVG)."""
    with plain():
        text = io.BytesIO()
        draw().savefig(text, format="svg", metadata={"Date": None, "Creator": None}, dpi=_DOTS)
    return f"data:image/svg+xml;base64,{base64.b64encode(text.getvalue()).decode()}"


def draw_front(objectives: Sequence[Objective], columns: TrialColumns, front: np.ndarray) -> Callable[[], Any]:
    """What draws the first objective against the second, the third by colour, and the other scored trials in grey.

    Args:
      objectives: of the run.
      columns: of its trials.
      front: positions of those on the front.
    """

    def values(objective: Objective) -> np.ndarray:
        return columns.metrics[objective.metric]

    def draw() -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9.0, 4.8), layout="constrained")
        axes = figure.subplots()
        vertical = values(objectives[0])
        horizontal = values(objectives[1]) if len(objectives) > 1 else columns.trial.astype(float)
        scored = np.isfinite(costs(columns, objectives)).all(axis=1)
        axes.scatter(horizontal[scored], vertical[scored], s=7, c="#9aa0a6", alpha=0.4, lw=0, rasterized=True)
        colour: Any = (
            {"c": values(objectives[2])[front], "cmap": "viridis"} if len(objectives) > 2 else {"c": "#1a5fb4"}
        )
        points = axes.scatter(horizontal[front], vertical[front], s=34, edgecolors="white", lw=0.6, zorder=3, **colour)
        if len(objectives) > 2:
            figure.colorbar(points, label=escaped(objectives[2].metric))
        axes.set_ylim(*_limits(vertical[scored], vertical[front]))
        if len(objectives) > 1:
            axes.set_xlim(*_limits(horizontal[scored], horizontal[front]))
        label = escaped(objectives[1].metric) if len(objectives) > 1 else "trial"
        axes.set(xlabel=label, ylabel=escaped(objectives[0].metric))
        axes.grid(alpha=0.3)
        return figure

    return draw


def _limits(scored: np.ndarray, front: np.ndarray) -> tuple[float, float]:
    """Of an axis: the front and a quarter of its width on either side; if it has none, the middle of the others."""
    low, high = float(front.min()), float(front.max())
    if low == high:
        quarters = np.percentile(scored, [25.0, 75.0])
        low, high = min(low, float(quarters[0])), max(high, float(quarters[1]))
    margin = 0.25 * (high - low) or abs(high) or 1.0
    return low - margin, high + margin


def unit_of_time(seconds: float) -> tuple[str, float]:
    """In which unit to tell of a time, and its length in seconds."""
    return next((unit for unit in (("hours", 3600.0), ("minutes", 60.0)) if seconds >= 2.0 * unit[1]), ("seconds", 1.0))


def draw_growth(grown: Hypervolume) -> Callable[[], Any]:
    """What draws the hypervolume against evaluations and against time."""
    unit, length = unit_of_time(grown.seconds.max(initial=0.0))

    def draw() -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9.0, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        left.step(grown.evaluations, grown.value, where="post", color="#1a5fb4")
        right.step(grown.seconds / length, grown.value, where="post", color="#1a5fb4")
        left.set(xlabel="evaluations", ylabel="hypervolume")
        right.set(xlabel=unit)
        for axes in (left, right):
            axes.grid(alpha=0.3)
        return figure

    return draw
