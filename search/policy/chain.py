"""What `additive.py` offers, for the parameter count of a feed-forward network whose widths are chosen layer by layer.

The count, Σ h_i·h_{i+1} + h_{i+1} through inputs, widths and outputs, is no sum over layers but one over pairs of
neighbours: the dynamic program runs over (current width, parameters used).
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from isozyme.search.policy import recursion
from isozyme.search.policy.recursion import Logits
from isozyme.search.policy.trellis import Trellis, build_trellis
from isozyme.spaces.costs import parameter_tables

Widths = Sequence[Any] | np.ndarray
"""Of each hidden layer, the widths to choose from: [choices]."""


def chain_feasible_log_probability(
    logits: Logits, widths: Widths, inputs: int, outputs: int, limit: float
) -> jax.Array:
    """Returns log P(weights and biases <= limit); -inf, with a gradient of zero, where no network is feasible.

    Args:
      logits: of each hidden layer, [choices]; may be traced, all others must be known when a function is traced.
      widths: of each hidden layer, [choices]; one layer or more.
      inputs: numbers that the network takes.
      outputs: numbers that it returns.
      limit: the most parameters that it may have.

    Raises:
      ValueError: logits and widths do not match; or counts are too many: more than 200,000 pairs of width and
        parameters after a layer. Ten layers of 20 widths (multiples of 8) get along up to limits of about 60,000.
    """
    return recursion.log_probability(_trellis(widths, inputs, outputs, limit), list(logits))


def chain_sample_feasible(
    key: jax.Array, logits: Logits, widths: Widths, inputs: int, outputs: int, limit: float
) -> jax.Array:
    """Draws exactly from p(choices | weights and biases <= limit), as int32 [layers]; `vmap` over keys for several.

    Raises:
      ValueError: no network is feasible; else as `chain_feasible_log_probability`.
    """
    return recursion.sample(_trellis(widths, inputs, outputs, limit), key, list(logits))


def chain_feasible_argmax(logits: Logits, widths: Widths, inputs: int, outputs: int, limit: float) -> jax.Array:
    """Returns the most probable network within the limit, as int32 [layers]; of equal ones the first.

    Raises:
      ValueError: no network is feasible; else as `chain_feasible_log_probability`.
    """
    return recursion.most_probable(_trellis(widths, inputs, outputs, limit), list(logits))


def _trellis(widths: Widths, inputs: int, outputs: int, limit: float) -> Trellis:
    return build_trellis(parameter_tables(widths, inputs, outputs), limit)
