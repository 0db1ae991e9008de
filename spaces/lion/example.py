"""A worked example of an optimizer program: gradients and the updates that it makes of them.

Whoever writes the optimizer again, for another framework or by hand, can hold it against these numbers.
"""

from io import BytesIO

import numpy as np

from isozyme.spaces.lion import execution
from isozyme.spaces.lion.execution import FlatLayout
from isozyme.spaces.lion.graph import Graph

_SHAPES = ((4, 3), (5,))
_STEPS = 6
_SEED = 20230213


def example_file(graph: Graph) -> bytes:
    """Writes an `.npz` file with the updates of a few steps from states of zeros, all float64.

    The tensors are `first` [4, 3] and `second` [5]: `weights_first` and `weights_second` before the first step,
    `gradients_…` and `updates_…` [steps, …], and `rates` [steps], the `lr` of each step. An update is subtracted.
    """
    random = np.random.Generator(np.random.PCG64(_SEED))
    sizes = [int(np.prod(shape)) for shape in _SHAPES]
    weights = random.normal(size=sum(sizes))
    gradients = random.normal(size=(_STEPS, sum(sizes)))
    rates = np.geomspace(1e-1, 1e-3, _STEPS)
    with np.errstate(all="ignore"):
        updates = execution.updates(graph, FlatLayout(sizes), weights, gradients, rates)
    arrays = {"rates": rates}
    for name, shape, end, size in zip(("first", "second"), _SHAPES, np.cumsum(sizes), sizes, strict=True):
        part = slice(end - size, end)
        arrays[f"weights_{name}"] = weights[part].reshape(shape)
        arrays[f"gradients_{name}"] = gradients[:, part].reshape(_STEPS, *shape)
        arrays[f"updates_{name}"] = updates[:, part].reshape(_STEPS, *shape)
    file = BytesIO()
    np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
    return file.getvalue()
