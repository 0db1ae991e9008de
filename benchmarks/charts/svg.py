"""How all benchmarks draw."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
"""Told apart by the colour-blind too."""
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "isozyme",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


@contextlib.contextmanager
def svg(path: Path, size: tuple[float, float]) -> Iterator[Any]:
    """An empty figure, written as an SVG file that depends on nothing but what has been drawn.

    Args:
      path: of the file.
      size: width and height in inches.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        figure.savefig(path, metadata={"Date": None, "Creator": None})
