"""How many valid children a second mutation makes on one core.

    python benchmarks/mutation.py [--quick]

Next to it, in the same run: what checking a child with jax.eval_shape would cost, and a mutation of a plain tuple,
which is as fast as Python gets. Children come from a walk in which every tenth child becomes the parent, so that
programs are of the lengths a search meets, and from AdamW, as lion.md's fact 14 asks.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from isozyme.evaluators import process

process.fix()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

from isozyme.spaces.lion import NAMED, FlatLayout, OptimizerPrograms, build, step_function  # noqa: E402


def rate(function: Callable[[], object], seconds: float) -> list[float]:
    """Calls a second, in each of five slices of `seconds`."""
    rates = []
    for _ in range(5):
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            for _ in range(20):
                function()
            count += 20
        rates.append(count / (time.perf_counter() - began))
    return rates


def main() -> None:
    """Measures, prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description="See the head of this file.")
    parser.add_argument("--quick", action="store_true", help="shorter slices")
    seconds = 0.3 if parser.parse_args().quick else 2.0
    space, rng, adamw = OptimizerPrograms(), np.random.default_rng(0), NAMED["adamw"]
    walk = {"program": adamw, "count": 0, "statements": 0}

    def in_walk() -> None:
        child = space.mutate(walk["program"], rng)
        walk["count"] += 1
        walk["statements"] += len(child.statements)
        if walk["count"] % 10 == 0:
            walk["program"] = child if walk["count"] % 1000 else adamw

    def tuple_only() -> tuple:
        index = int(rng.integers(9))
        return adamw.statements[:index] + adamw.statements[index + 1 :]

    array = jax.ShapeDtypeStruct((10,), jnp.float32)
    number = jax.ShapeDtypeStruct((), jnp.float32)

    def eval_shape() -> object:
        step = step_function(build(adamw), FlatLayout([6, 4], jnp, jnp.float32))
        return jax.eval_shape(lambda *inputs: step(*inputs), array, array, array, array, number)

    measured = {
        "children of AdamW": rate(lambda: space.mutate(adamw, rng), seconds),
        "children in a walk": rate(in_walk, seconds),
        "deletion from a tuple, unchecked": rate(tuple_only, seconds),
        "one check by jax.eval_shape": rate(eval_shape, seconds),
    }
    table = Table("", "a second: median", "least", "most", title=f"{platform.machine()}, one process; seed 0, 5 slices")
    for name, rates in measured.items():
        table.add_row(name, f"{np.median(rates):,.0f}", f"{min(rates):,.0f}", f"{max(rates):,.0f}")
    Console().print(table)
    print(
        f"mean length in the walk: {walk['statements'] / walk['count']:.1f} statements; aim: at least 10,000 a second"
    )
    medians = {name: float(np.median(rates)) for name, rates in measured.items()}
    print(
        json.dumps(
            {
                "mutations_per_s": medians["children of AdamW"],
                "walk_mutations_per_s": medians["children in a walk"],
                "over_eval_shape": medians["children of AdamW"] / medians["one check by jax.eval_shape"],
            }
        )
    )


if __name__ == "__main__":
    main()
