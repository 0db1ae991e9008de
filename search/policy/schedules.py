"""Learning rates of a controller, as optax takes them: functions of the step."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

Schedule = Callable[[Any], Any]


def delayed(base: float, delay: int) -> Schedule:
    """Returns the schedule that is 0 for the first `delay` steps, while weights or baseline settle, and then `base`."""
    return lambda step: base * (step >= delay)


def delayed_exponential(base: float, steps: int, delay: float = 0.25, growth: float = 10.0) -> Schedule:
    """Returns TuNAS's schedule: 0 for a quarter of all steps, then from `base` exponentially to `growth` times as much.

    Bender et al., CVPR 2020, arXiv 2008.06120, and its released code.

    Args:
      base: just after the delay.
      steps: of the whole search.
      delay: share of steps at rate 0.
      growth: what the rate is multiplied by from the delay to the end.
    """

    def schedule(step: Any) -> Any:
        progress = (step / steps - delay) / (1.0 - delay)
        return jnp.where(progress < 0.0, 0.0, base * growth**progress)

    return schedule
