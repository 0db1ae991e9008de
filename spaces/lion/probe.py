"""Behaviour of a program on fixed inputs, hard ones first, in float64 numpy: the updates it applies over 24 steps.

64 weights in five tensors; gradients mix zeros, ties between neighbours, and scales from 1e-6 to 1e3. The gradients
do not depend on w, so the fingerprint is of the program alone; w itself moves with the updates.

A program that runs out of finite numbers there may still be a good optimizer where gradients are small, and then the
hard inputs show next to nothing of it: NaN is like NaN. Such a program runs on gentle inputs too, as small as those of
training. (Of 2,231 audited hits of one search all 36 wrong ones were of such programs.)
"""

from functools import cache

import numpy as np

from isozyme.spaces.lion import execution
from isozyme.spaces.lion.execution import FlatLayout
from isozyme.spaces.lion.graph import Graph

SHAPES = ((6, 5), (5,), (2, 3, 3), (10,), (1,))
STEPS = 24
_SEED = 20230213


def updates(graph: Graph) -> list[np.ndarray]:
    """The updates of all steps, shape [STEPS, 64]: on the hard inputs, then on the gentle ones unless all is finite."""
    weights, gradients, rates, layout = inputs()
    with np.errstate(all="ignore"):
        hard = execution.updates(graph, layout, weights, gradients, rates)
        if np.isfinite(hard).all():
            return [hard]
        gentle = execution.updates(graph, layout, weights / 10, np.clip(gradients, -1.0, 1.0) / 3, rates)
    return [hard, gentle]


@cache
def inputs() -> tuple[np.ndarray, np.ndarray, np.ndarray, FlatLayout]:
    """Weights [64], gradients [STEPS, 64], rates [STEPS], and how the weights divide into tensors."""
    sizes = [int(np.prod(shape)) for shape in SHAPES]
    size = sum(sizes)
    random = np.random.Generator(np.random.PCG64(_SEED))
    weights = random.normal(size=size)
    weights[::9] = 0.0
    scales = np.ones(size)
    scales[::3] = np.logspace(-6, 3, len(scales[::3]))
    gradients = random.normal(size=(STEPS, size)) * scales
    gradients[:, 4::8] = gradients[:, 5::8]  # ties
    gradients[random.uniform(size=gradients.shape) < 0.1] = 0.0
    gradients[5] = 0.0
    # Up and down again like a training schedule, down to rates as small as its last ones.
    rates = np.concatenate([np.logspace(-2, 0, 6), np.logspace(0, -5, STEPS - 6)])
    return weights, gradients, rates, FlatLayout(sizes)
