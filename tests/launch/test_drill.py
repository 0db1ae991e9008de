"""A short drill: a search whose controller and workers are killed ends as one that was left alone.

`make drill` kills thirty controllers and thirty workers.
"""

import random
from pathlib import Path

import pytest

from isozyme.tests.drill.drill import Drill

pytestmark = pytest.mark.ray


def test_nothing_is_lost_and_the_trajectory_is_the_same(tmp_path: Path) -> None:
    """Issue 3, drill: the same journal in everything but times, attempts and names of workers."""
    result = Drill(tmp_path, random.Random(1), controllers=2, workers=3).run()
    assert (result.controllers, result.workers) == (2, 3)
    assert result.lost == 0
    assert result.same
    assert result.quarantined == 0
