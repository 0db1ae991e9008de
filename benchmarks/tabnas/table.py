"""Trains every network of a small TabNAS space on one table and keeps the figures: `tabnas/diamonds_cut.npz`.

    python -m isozyme.benchmarks.tabnas.table

Each network is trained with one seed and scored on three splits: what a search would see. Those within the limit are
trained again with fresh seeds: what they are worth. A run that was stopped goes on where it was.
"""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from isozyme.benchmarks.tabnas.training import lesson, train
from isozyme.evaluators.protocol import SPLITS
from isozyme.evaluators.tabular import TableTask, space_for
from isozyme.spaces.tabnas import WIDTHS, FeedForward, parameters

TASK = TableTask("diamonds_cut", steps=300, batch_size=128, rate=1e-2)
LAYERS, COUNT = 3, 20
"""All widths of the paper: 8,000 networks, of which the widest two make 2,168 and most of the work."""
SEED, FRESH = 0, range(1, 5)
SHARE = 0.1
"""Of the networks that the limit leaves."""
INPUTS, OUTPUTS = 20, 5  # As `space_for(TASK)` says, which needs the table.
FILE = Path(__file__).with_name("diamonds_cut.npz")
_COMMAND = "python -m isozyme.benchmarks.tabnas.table"


def shells(count: int) -> list[tuple[int, ...]]:
    """All index triples below `count`, those of the narrowest widths first: the first k³ are the space of k widths."""
    return sorted(itertools.product(range(count), repeat=LAYERS), key=lambda genes: (max(genes), genes))


def counts(widths: int) -> np.ndarray:
    """Parameters of all networks of the narrowest widths, int [widths, widths, widths]."""
    chosen = itertools.product(WIDTHS[:widths], repeat=LAYERS)
    return np.array([parameters(one, INPUTS, OUTPUTS) for one in chosen]).reshape([widths] * LAYERS)


def limit_of(sizes: np.ndarray) -> int:
    """The most parameters that leave a share of `SHARE`."""
    return int(np.sort(sizes, axis=None)[int(SHARE * sizes.size) - 1])


def enumerate_all(path: Path) -> None:
    """Trains network by network; writes the file whenever all networks of one more width are done.

    Args:
      path: of the file; what it holds already is kept.
    """
    given, order = lesson(TASK, space_for(TASK), SEED), shells(COUNT)
    done = list(np.load(path)["figures"]) if path.exists() else []
    for genes in order[len(done) :]:
        done.append(np.array(train(given, [WIDTHS[i] for i in genes]), np.float32))
        if len(done) == (max(genes) + 1) ** LAYERS:
            _save(path, figures=np.stack(done))


def close(path: Path) -> None:
    """Trains the feasible networks with fresh seeds and adds the figures to the file."""
    sizes = counts(COUNT)
    feasible = np.argwhere(sizes <= limit_of(sizes)).tolist()
    given = [lesson(TASK, space_for(TASK), seed) for seed in FRESH]
    fresh = [[train(one, [WIDTHS[i] for i in genes]) for one in given] for genes in feasible]
    _save(path, figures=np.load(path)["figures"], fresh=np.array(fresh, np.float32))


def _save(path: Path, **arrays: np.ndarray) -> None:
    entries: dict[str, Any] = {"command": _COMMAND, "task": TASK.to_json_str(), "seed": SEED, "numpy": np.__version__}
    entries |= arrays
    np.savez_compressed(path, **entries)


class Landscape(NamedTuple):
    """What every network of the space is worth.

    Attributes:
      space: of k widths and three layers.
      score: accuracy, float32 [k, k, k, split]; splits are search, selection and final.
      loss: cross-entropy in nats, likewise.
      fresh: accuracy and loss, means over fresh seeds, [k, k, k, 2, split]; NaN beyond the limit.
      parameters: int [k, k, k].
      limit: T0, the most parameters that are feasible.
    """

    space: FeedForward
    score: np.ndarray
    loss: np.ndarray
    fresh: np.ndarray
    parameters: np.ndarray
    limit: int


def landscape(path: Path = FILE) -> Landscape:
    """Reads the file; the table itself is not needed."""
    stored, sizes = np.load(path), counts(COUNT)
    limit = limit_of(sizes)
    whole, fresh = (np.full([*sizes.shape, 2, len(SPLITS)], np.nan, np.float32) for _ in range(2))
    whole[tuple(np.array(shells(COUNT)).T)] = stored["figures"]
    fresh[sizes <= limit] = stored["fresh"].mean(axis=1)
    space = FeedForward(INPUTS, OUTPUTS, LAYERS, list(WIDTHS[:COUNT]))
    return Landscape(space, whole[..., 0, :], whole[..., 1, :], fresh, sizes, limit)


def main() -> None:
    """Makes the file, or goes on with it."""
    enumerate_all(FILE)
    close(FILE)


if __name__ == "__main__":
    main()
