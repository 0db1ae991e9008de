"""Steps a second: a supernet with sampled widths, against a stand-alone network of the mean sampled size.

    python benchmarks/one_shot.py [--quick]

A step of the supernet is what a one-shot search does: widths are sampled on device, the sampled network takes a weight
step on a batch, and its quality is looked at on a batch of the search split. The stand-alone network has weights of its
own size only, and takes weight steps; of the paper's space, it is the one whose number of parameters is nearest to the
mean over all. Next to both, the supernet with every layer at its widest, which is what masks alone would cost always.
All run in loops on device and take turns, on one core, since XLA is given one thread.
"""

import argparse
import itertools
import json
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from isozyme.evaluators import process

process.fix()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402
from jax import lax  # noqa: E402

from isozyme.evaluators import training  # noqa: E402
from isozyme.evaluators.networks import Weights, narrowed  # noqa: E402
from isozyme.evaluators.tabular import TableTask, TabularSupernet, space_for  # noqa: E402
from isozyme.evaluators.tabular.tasks import LoadedTable  # noqa: E402
from isozyme.spaces.tabnas import FeedForward, parameters  # noqa: E402

TASK = TableTask("diamonds_cut")


def mean_network(space: FeedForward) -> tuple[int, ...]:
    """Widths of the network whose size is nearest to the mean over the space."""
    every = list(itertools.product(space.widths, repeat=space.layers))
    sizes = np.array([parameters(widths, space.inputs, space.outputs) for widths in every])
    return every[int(np.argmin(abs(sizes - sizes.mean())))]


def loop(step: Callable[[Any, jax.Array], Any], steps: int) -> Any:
    """Many steps in one call: (state, key) -> state."""
    return jax.jit(lambda state, key: lax.fori_loop(0, steps, lambda t, s: step(s, jax.random.fold_in(key, t)), state))


def shared_step(supernet: TabularSupernet, space: FeedForward, warm: bool) -> Callable[[Any, jax.Array], Any]:
    """Sampling, a weight step and a look, as a one-shot search takes them; qualities are added up."""

    def step(carry: tuple[training.State, jax.Array], key: jax.Array) -> tuple[training.State, jax.Array]:
        state, total = carry
        sample, train, look = jax.random.split(key, 3)
        choices = jax.random.randint(sample, (space.layers,), 0, len(space.widths))
        choices = jnp.where(warm, len(space.widths) - 1, choices)
        state = supernet.train(state, choices, train, False)
        return state, total + supernet.quality(state, choices, look)

    return step


def alone_step(task: LoadedTable) -> Callable[[training.State, jax.Array], training.State]:
    """A weight step of a network without masks."""

    def loss(weights: Weights, rows: Any) -> jax.Array:
        columns = [table[rows.categorical[:, i]] for i, table in enumerate(weights.embeddings)]
        x = jnp.concatenate([rows.numeric, *columns], axis=1)
        for weight, bias in weights.layers[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        logits = x @ weights.layers[-1][0] + weights.layers[-1][1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, rows.target).mean()

    def step(state: training.State, key: jax.Array) -> training.State:
        rows = training.batch(task.train, key, task.recipe.batch_size)
        return training.step(task.recipe, state, lambda weights: loss(weights, rows))

    return step


def rates(runs: dict[str, tuple[Any, Any]], steps: int, repeats: int) -> dict[str, list[float]]:
    """Steps a second of each loop, in turns; a first call, which compiles, is not counted."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, (run, state) in runs.items():
            began = time.perf_counter()
            jax.block_until_ready(run(state, jax.random.key(repeat)))
            if repeat:
                found[name].append(steps / (time.perf_counter() - began))
    return found


def main() -> None:
    """Measures, prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description="See the head of this file.")
    parser.add_argument("--quick", action="store_true", help="fewer steps and repeats")
    steps, repeats = (50, 5) if parser.parse_args().quick else (200, 15)
    space, supernet = space_for(TASK), TabularSupernet(TASK)
    supernet.setup(space, seed=0)
    task, start, widths = LoadedTable(TASK, space, seed=0), supernet.start(0), mean_network(space)
    own = training.start(task.recipe, narrowed(start.weights, widths))
    runs = {
        "supernet": (loop(shared_step(supernet, space, warm=False), steps), (start, jnp.zeros(()))),
        "supernet, all at their widest": (loop(shared_step(supernet, space, warm=True), steps), (start, jnp.zeros(()))),
        "stand-alone": (loop(alone_step(task), steps), own),
    }
    found = rates(runs, steps, repeats)
    medians = {name: float(np.median(values)) for name, values in found.items()}
    sizes = dict(
        zip(
            runs,
            ("sampled", "-".join([str(max(space.widths))] * space.layers), "-".join(map(str, widths))),
            strict=True,
        )
    )
    title = f"{platform.machine()}, one XLA thread; {TASK.data}, batches of {TASK.batch_size}, seed 0, {repeats} turns"
    table = Table("", "widths", "steps/s: median", "least", "most", title=title)
    for name, values in found.items():
        table.add_row(name, sizes[name], f"{medians[name]:.1f}", f"{min(values):.1f}", f"{max(values):.1f}")
    Console().print(table)
    compilations = runs["supernet"][0]._cache_size()
    print(f"{steps * (repeats + 1):,} sampled networks, {compilations} compilation of the supernet's step")
    print(
        json.dumps(
            {
                "supernet_steps_per_s": medians["supernet"],
                "standalone_steps_per_s": medians["stand-alone"],
                "ratio": medians["supernet"] / medians["stand-alone"],
                "compilations": compilations,
            }
        )
    )


if __name__ == "__main__":
    main()
