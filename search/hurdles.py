"""Hurdles: who goes on from the short run to the full one."""

from collections import deque

import numpy as np
import pyglove as pg

from isozyme.search.protocol import Trial


@pg.members(
    [
        ("metric", pg.typing.Str("short_loss"), "Cost after the short run; less is better."),
        (
            "quantile",
            pg.typing.Float(0.75, min_value=0.0, max_value=1.0),
            "Share of recent evaluations that would pass.",
        ),
        ("window", pg.typing.Int(100, min_value=1), "How many of the latest evaluations count."),
        ("warmup", pg.typing.Int(20, min_value=1), "Evaluations before the hurdle stands."),
    ]
)
class QuantileHurdle(pg.Object):
    """A rolling quantile over unique evaluations, as AutoML-Zero's hurdles (arXiv 2003.03384, section 3.2)."""

    metric: str
    quantile: float
    window: int
    warmup: int

    def setup(self) -> None:
        """Starts afresh."""
        self._costs: deque[float] = deque(maxlen=self.window)

    def threshold(self) -> float | None:
        """The largest cost that passes, or None while all do."""
        if len(self._costs) < self.warmup:
            return None
        return float(np.quantile(self._costs, self.quantile))

    def feedback(self, trial: Trial) -> None:
        """Counts an evaluation; twins were counted when their owner ran."""
        cost = trial.metrics.get(self.metric)
        if trial.cached_from is None and cost is not None:
            self._costs.append(cost)
