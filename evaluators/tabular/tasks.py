"""What to train on: a table and a recipe; and a task loaded into a process."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.evaluators import conditions, process
from isozyme.evaluators.datasets import Table, full_name, load_table
from isozyme.evaluators.protocol import SPLITS
from isozyme.evaluators.seeds import derived
from isozyme.evaluators.tabular.columns import network_for
from isozyme.spaces.networks import input_shape, output_shape
from isozyme.spaces.tabnas import WIDTHS, FeedForward


@pg.members(
    [
        ("data", pg.typing.Str(), "Which table."),
        ("steps", pg.typing.Int(1000, min_value=1), "Weight steps, over which the rate falls to zero as a cosine."),
        ("batch_size", pg.typing.Int(256, min_value=1), "Rows in a step."),
        ("rate", pg.typing.Float(2e-3, min_value=1e-9), "Adam's rate at the first step."),
        ("held_rows", pg.typing.Int(4096, min_value=1), "At most so many rows in each held-out split."),
    ],
    serialization_key="isozyme.TableTask",
)
class TableTask(pg.Object):
    """Trains feed-forward networks on one table."""

    def check(self) -> None:
        """Raises `DataUnavailable` unless the table can be had."""
        _tables(self.data)


def space_for(task: TableTask, layers: int = 3, widths: Sequence[int] = WIDTHS) -> FeedForward:
    """Makes the space of networks with the inputs and outputs that a task's table has.

    Args:
      task: gives the table, which has to be there.
      layers: hidden layers.
      widths: what each layer's width is chosen from, in ascending order.
    """
    return FeedForward(*_sizes(_tables(task.data)["train"]), layers, list(widths))


class LoadedTable:
    """A table and its task in memory, with the columns where they are computed on.

    Random numbers are a function of the seed, the task and what `key` is asked for alone.

    Attributes:
      network: the widest one of the space.
      recipe: how networks are trained.
      widths: what each hidden layer's width is chosen from, int32 [choices].
      widest: the widest network's widths, int32 [layers].
      train: all training rows.
      held: rows of each held-out split, as many in all, so that one executable serves them.
    """

    def __init__(self, task: TableTask, space: FeedForward, seed: int) -> None:
        process.fix()
        import jax.numpy as jnp

        from isozyme.evaluators.training import adam_recipe

        self._task, self._seed = task, seed
        tables = _tables(task.data)
        wanted = _sizes(tables["train"])
        if (space.inputs, space.outputs) != wanted:
            raise ValueError(
                f"space has inputs={space.inputs} and outputs={space.outputs}, the table {task.data!r} needs "
                f"inputs={wanted[0]} and outputs={wanted[1]}; space_for(task) makes such a space"
            )
        widest = [max(space.widths)] * space.layers
        self.network = network_for(tables["train"], widest)
        self.recipe = adam_recipe(task.rate, task.batch_size, task.steps)
        self.widths = jnp.asarray(list(space.widths), jnp.int32)
        self.widest = jnp.asarray(widest, jnp.int32)
        shared = min(task.held_rows, *(len(tables[split].target) for split in SPLITS))
        self.train = _rows(tables["train"], len(tables["train"].target))
        self.held = {split: _rows(tables[split], shared) for split in SPLITS}

    def key(self, *parts: Any) -> Any:
        """Derives a key of random numbers for what `parts` name."""
        import jax

        return jax.random.key(derived(self._seed, self._task.data, *parts))

    def conditions(self, version: str, split: str, **facts: Any) -> str:
        """Writes down an evaluator's conditions on this task: versions, data, task, network, seed and `facts`."""
        return conditions.written(
            version,
            ["optax"],
            split=split,
            data=full_name(self._task.data),
            task=self._task.to_json_str(),
            network=repr(self.network),  # Initial weights are slices of the widest network's.
            seed=self._seed,
            **facts,
        )


@lru_cache(maxsize=1)
def _tables(name: str) -> Mapping[str, Table]:
    """The splits of a table, which a config, `check` and a loaded task ask for one after another."""
    return load_table(name)


def _sizes(table: Table) -> tuple[int, int]:
    """Inputs and outputs of networks for a table."""
    network = network_for(table, [])
    return input_shape(network)[0], output_shape(network.layers, input_shape(network))[0]


def _rows(table: Table, count: int) -> Any:
    """`count` rows at equal distances."""
    import jax.numpy as jnp

    from isozyme.evaluators.tabular.training import Rows

    chosen = np.linspace(0, len(table.target) - 1, count).astype(int)
    return Rows(*(jnp.asarray(column[chosen]) for column in (table.numeric, table.categorical, table.target)))
