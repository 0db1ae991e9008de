"""Hurdles: a rolling quantile over unique evaluations (AutoML-Zero, arXiv 2003.03384, section 3.2)."""

import numpy as np
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search import QuantileHurdle, Trial


def finished(number, cost, cached_from=None, status=Status.OK):
    metrics = {} if cost is None else {"short_loss": cost}
    return Trial(number, number, (), status, None, metrics, cached_from=cached_from)


def hurdle(**members):
    made = QuantileHurdle(**members)
    made.setup()
    return made


def test_all_pass_until_warmed_up():
    made = hurdle(warmup=3, quantile=0.5)
    thresholds = []
    for number, cost in enumerate([4.0, 1.0, 2.0, 8.0]):
        thresholds.append(made.threshold())
        made.feedback(finished(number, cost))
    assert thresholds == [None, None, None, 2.0]
    assert made.threshold() == 3.0


@pytest.mark.parametrize("quantile", [0.0, 0.25, 0.75, 1.0])
def test_the_share_that_would_pass(quantile):
    made = hurdle(warmup=1, window=1000, quantile=quantile)
    costs = np.random.default_rng(0).permutation(201).astype(float)
    for number, cost in enumerate(costs):
        made.feedback(finished(number, cost))
    threshold = made.threshold()
    assert threshold is not None
    assert sum(costs <= threshold) == 1 + 200 * quantile


def test_only_the_latest_count():
    made = hurdle(warmup=2, window=3, quantile=1.0)
    for number, cost in enumerate([100.0, 1.0, 3.0, 2.0]):
        made.feedback(finished(number, cost))
    assert made.threshold() == 3.0


def test_twins_and_unmeasured_failures_do_not_count():
    made = hurdle(warmup=2, quantile=1.0)
    made.feedback(finished(0, 1.0))
    made.feedback(finished(1, 50.0, cached_from=0))
    made.feedback(finished(2, None, status=Status.CRASHED))
    assert made.threshold() is None
    made.feedback(finished(3, 2.0, status=Status.HURDLE))  # Stopped, but its short run was measured.
    assert made.threshold() == 2.0


def test_setup_starts_afresh():
    made = hurdle(warmup=1)
    made.feedback(finished(0, 1.0))
    made.setup()
    assert made.threshold() is None
