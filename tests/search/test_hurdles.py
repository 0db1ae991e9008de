"""Hurdles: rolling quantiles over what each stage evaluated (AutoML-Zero, arXiv 2003.03384; primer.md, section 3)."""

import json
import math

import numpy as np
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search import Maximize, Minimize, Proposal, QuantileHurdle, Trial, halving_bands

LOSS = (Minimize("loss", 1.0),)


def finished(number, costs, taken=0, status=Status.OK):
    """A trial that has these costs after its stages; None where it has no metric."""
    stages = tuple({} if cost is None else {"short_loss": cost} for cost in costs)
    return Trial(number, Proposal(number), status, stages=stages, taken=taken)


def hurdle(stages=2, objectives=LOSS, metric="short_loss", **members):
    return QuantileHurdle(metric, **members).start(objectives, stages)


def test_all_pass_until_warmed_up():
    """automl_zero.md, section 4: a rolling quantile, which takes some evaluations to know."""
    made = hurdle(warmup=3, quantile=0.5)
    thresholds = []
    for number, cost in enumerate([4.0, 1.0, 2.0, 8.0]):
        thresholds.append(made.thresholds())
        made.feedback(finished(number, [cost]))
    assert thresholds == [(None,), (None,), (None,), (2.0,)]
    assert made.thresholds() == (3.0,)


@pytest.mark.parametrize("quantile", [0.0, 0.25, 0.75, 1.0])
def test_the_share_that_would_pass(quantile):
    """automl_zero.md, section 4: the quantile is the share that passes."""
    made = hurdle(warmup=1, window=1000, quantile=quantile)
    costs = np.random.default_rng(0).permutation(201).astype(float)
    for number, cost in enumerate(costs.tolist()):
        made.feedback(finished(number, [cost]))
    (threshold,) = made.thresholds()
    assert threshold is not None
    assert sum(costs <= threshold) == 1 + 200 * quantile


def test_only_the_latest_count():
    """automl_zero.md, section 4: rolling."""
    made = hurdle(warmup=2, window=3, quantile=1.0)
    for number, cost in enumerate([100.0, 1.0, 3.0, 2.0]):
        made.feedback(finished(number, [cost]))
    assert made.thresholds() == (3.0,)


def test_twins_and_unmeasured_failures_do_not_count():
    """automl_zero.md, section 4: of unique evaluations."""
    made = hurdle(warmup=2, quantile=1.0)
    made.feedback(finished(0, [1.0]))
    made.feedback(finished(1, [50.0], taken=1))
    made.feedback(finished(2, [None], status=Status.CRASHED))
    assert made.thresholds() == (None,)
    made.feedback(finished(3, [2.0], status=Status.HURDLE))  # Stopped, but its short run was measured.
    assert made.thresholds() == (2.0,)


def test_a_hurdle_after_every_stage_but_the_last():
    """primer.md, section 3: each stage has its own threshold, made by those that ran it."""
    made = hurdle(stages=4, warmup=1, quantile=1.0)
    assert made.thresholds() == (None, None, None)
    made.feedback(finished(0, [1.0, 2.0, 3.0, 4.0]))
    assert made.thresholds() == (1.0, 2.0, 3.0)
    made.feedback(finished(1, [9.0, 9.0, 9.0, 9.0], taken=2))  # A twin that took the behaviour two stages further.
    assert made.thresholds() == (1.0, 2.0, 9.0)
    made.feedback(finished(2, [7.0], status=Status.PARTIAL))
    assert made.thresholds() == (7.0, 2.0, 9.0)


def test_direction_is_that_of_the_objective():
    """primer.md, section 3: what is compared has one direction, less is better unless it is an objective."""
    accuracy = (Minimize("loss", 1.0), Maximize("accuracy", 0.0))
    made = hurdle(objectives=accuracy, metric="accuracy", warmup=1, quantile=0.0)
    assert QuantileHurdle("accuracy").cost(accuracy)({"accuracy": 0.75}) == -0.75
    assert QuantileHurdle("short_loss").cost(accuracy)({"short_loss": 0.75}) == 0.75
    assert QuantileHurdle("accuracy").cost(accuracy)({}) == math.inf
    for number, value in enumerate([0.5, 0.9, 0.7]):
        made.feedback(Trial(number, Proposal(number), Status.OK, stages=({"accuracy": value},)))
    assert made.thresholds() == (-0.9,)


def test_runs_are_apart():
    """primer.md, fact 13: the same run gives the same thresholds, also from settings used before."""
    settings = QuantileHurdle("short_loss", warmup=1)
    one, other = (settings.start(LOSS, 2) for _ in range(2))
    one.feedback(finished(0, [1.0]))
    assert one.thresholds() == (1.0,)
    assert other.thresholds() == settings.start(LOSS, 2).thresholds() == (None,)
    assert settings == QuantileHurdle("short_loss", warmup=1)


def test_the_evaluator_names_the_metric_where_the_hurdle_does_not():
    """evaluators/protocol.py, `stage_metric`; without one hurdles compare the first objective."""
    named, unnamed = QuantileHurdle("loss", quantile=0.5), QuantileHurdle(quantile=0.5)
    assert named.comparing("early_loss") == named
    assert unnamed.comparing("early_loss") == QuantileHurdle("early_loss", quantile=0.5)
    assert unnamed.metric is None
    assert unnamed.comparing(None).cost(LOSS)({"loss": 0.25}) == 0.25


def test_snapshots():
    """Design, section 3.3: restored from its snapshot, a hurdle goes on as if nothing had happened; it stays small."""
    rng = np.random.default_rng(4)
    made = hurdle(stages=3, window=7, warmup=3)
    for number in range(200):
        made.feedback(finished(number, rng.random(3).tolist()[: int(rng.integers(1, 4))]))
        text = json.dumps(made.snapshot(), allow_nan=False)
        restored = hurdle(stages=3, window=7, warmup=3)
        restored.restore(json.loads(text))
        assert restored.thresholds() == made.thresholds()
        assert restored.snapshot() == made.snapshot()
        assert len(text) < 2 * 7 * 25


def test_halving_table():
    """primer.md, fact 7: the table of section 3 from (total, hurdles, share), and a mean cost ratio of 6.2."""
    table = halving_bands(25_200.0, 4, 0.5)
    assert table.bands == pytest.approx((812.9, 1625.8, 3251.6, 6503.2, 13006.5), abs=0.06)
    assert table.hurdles == pytest.approx((812.9, 2438.7, 5690.3, 12193.5), abs=0.06)
    assert table.mean == pytest.approx(4064.5, abs=0.06)
    assert table.saving == pytest.approx(6.2)
    assert table.saving * 24 / 7 == pytest.approx(21.3, abs=0.05)
    assert halving_bands(13.0, 2, share=1 / 3).bands == pytest.approx((1.0, 3.0, 9.0))
    assert halving_bands(7.0, 0) == ((7.0,), (), 7.0)


def test_a_sixteenth_reaches_the_last_band():
    """primer.md, fact 7: with i.i.d. fitness 6.25 % ± 1 point reach the last band, at a sixth of the cost."""
    made = hurdle(stages=5, quantile=0.5)
    table = halving_bands(1.0, 4)
    reached = np.zeros(5)
    for number, cost in enumerate(np.random.default_rng(5).normal(size=10_000).tolist()):
        thresholds = made.thresholds()
        stopped = (stage for stage, limit in enumerate(thresholds) if limit is not None and cost > limit)
        ran = next(stopped, 4) + 1
        reached[:ran] += 1
        made.feedback(finished(number, [cost] * ran))
    shares = reached / reached[0]
    assert shares[4] == pytest.approx(1 / 16, abs=0.01)
    assert shares @ table.bands == pytest.approx(1 / 6.2, rel=0.1)
