"""Candidates a second: the interpreter, one jit a candidate, and the compiled program's own run time.

    python benchmarks/optimizer_programs.py [--quick]

All three train the same network from the same start with programs of AdamW's length, taking turns so that drifts of
the machine's speed meet them alike. Rates are per core: the process is pinned to one, since XLA compiles on all. The
task of the headline is a perceptron of 2,410 parameters on digits, 200 steps of batch 64. The second table gives both
ratios over parameter count and step count, and from how many runs on a candidate's compilation pays for itself.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from isozyme.evaluators import process

process.fix()
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # What one jit a candidate costs, it costs every candidate.

import jax  # noqa: E402

from isozyme.evaluators.optimizer import Task  # noqa: E402
from isozyme.evaluators.optimizer.compiled import trace  # noqa: E402
from isozyme.evaluators.optimizer.runner import Runner  # noqa: E402
from isozyme.evaluators.optimizer.tasks import LoadedTask  # noqa: E402
from isozyme.spaces.lion import NAMED, OptimizerPrograms, Program  # noqa: E402


class Figures(NamedTuple):
    """Seconds: medians with least and most, over repeats; the first, compiling call of the interpreter apart."""

    parameters: int
    steps: int
    interpreter: list[float]
    jit: list[float]
    compiled: list[float]
    first: float

    def over_jit(self) -> float:
        """Candidates a second through the interpreter over those with one jit each."""
        return float(np.median(self.jit) / np.median(self.interpreter))

    def over_compiled(self) -> float:
        """Candidates a second through the interpreter over those of programs already compiled."""
        return float(np.median(self.compiled) / np.median(self.interpreter))

    def crossing(self) -> float:
        """Runs of one candidate from which on compiling it is the cheaper way."""
        saved = np.median(self.interpreter) - np.median(self.compiled)
        return float((np.median(self.jit) - np.median(self.compiled)) / saved) if saved > 0 else float("inf")


def pin() -> str:
    """Keeps the process on one core, where the system can, and says which."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned: this system cannot"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"pinned to core {core}"


def variants(count: int) -> list[Program]:
    """AdamW with other constants: the same length, and a new program to a compiler."""
    space, source = OptimizerPrograms(), OptimizerPrograms().to_source(NAMED["adamw"])
    return [space.from_source(source.replace("0.999", f"{0.99 + 0.0001 * i:.4f}")) for i in range(count)]


def seconds(function: Callable[[], Any]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def measure(hidden: int, steps: int, jits: int, runs: int) -> Figures:
    """Times all three ways on one task size."""
    task = LoadedTask(
        Task("digits", "digits", "mlp", {"hidden": [hidden]}, batch_size=64, steps=steps), seed=0, download=False
    )
    runner = Runner(task, OptimizerPrograms(), "interpreter")
    weights, batches = jax.device_put(task.batches("search", 0, 1.0))

    def run(program: Any) -> float:
        return float(program(weights, batches)[0])

    def interpret(program: Program) -> float:
        return run(runner.load(program))  # Lowering is part of the candidate's cost.

    programs = variants(jits)
    first = seconds(lambda: interpret(programs[0]))
    compiled = [runner.compile(trace(task.network, program)) for program in programs]
    jit, ready, interpreted = [], [], []
    for i, (program, function) in enumerate(zip(programs, compiled, strict=True)):
        jit.append(seconds(lambda f=function: run(f)))  # Tracing, compiling, running.
        for _ in range(runs):
            ready.append(seconds(lambda f=function: run(f)))
            interpreted.append(seconds(lambda p=program: interpret(p)))
        assert abs(run(function) - interpret(program)) < 1e-4, f"candidate {i}: both ways must train alike"
    return Figures(int(weights.size), steps, interpreted, jit, ready, first)


def main() -> None:
    """Measures, prints two tables and one JSON line."""
    parser = argparse.ArgumentParser(description="See the head of this file.")
    parser.add_argument("--quick", action="store_true", help="fewer repeats and sizes")
    quick = parser.parse_args().quick
    console, pinned = Console(), pin()
    headline = measure(32, 200, jits=4 if quick else 10, runs=10 if quick else 20)
    title = f"{platform.machine()}, {pinned}; {headline.parameters:,} parameters, {headline.steps} steps, seed 0"
    table = Table("", "candidates/s", "ms: median", "least", "most", "repeats", title=title)
    for name, times in (
        ("interpreter", headline.interpreter),
        ("one jit a candidate", headline.jit),
        ("compiled program, run only", headline.compiled),
    ):
        ms = [1e3 * t for t in times]
        row = (f"{1e3 / np.median(ms):.2f}", f"{np.median(ms):.2f}", f"{min(ms):.2f}", f"{max(ms):.2f}", f"{len(ms)}")
        table.add_row(name, *row)
    console.print(table)
    print(f"the interpreter's one compilation: {headline.first:.2f} s")
    print(f"interpreter over jit {headline.over_jit():.0f} (aim: at least 150), over compiled "
          f"{headline.over_compiled():.2f} (aim: at least 1/1.5 = 0.67)")  # fmt: skip
    sizes = [(32, 1000), (256, 200)] if quick else [(32, 20), (32, 1000), (128, 200), (512, 200), (512, 1000)]
    curve = [headline] + [measure(h, s, jits=1 if quick else 2, runs=3 if quick else 5) for h, s in sizes]
    table = Table("parameters", "steps", "over jit", "over compiled", "compiling pays from", title="larger tasks")
    for f in sorted(curve, key=lambda f: (f.parameters, f.steps)):
        row = (f"{f.over_jit():.1f}", f"{f.over_compiled():.2f}", f"{f.crossing():.0f} runs")
        table.add_row(f"{f.parameters:,}", f"{f.steps:,}", *row)
    console.print(table)
    print(
        json.dumps(
            {
                "interpreter_over_jit": headline.over_jit(),
                "interpreter_over_compiled": headline.over_compiled(),
                "interpreter_ms": 1e3 * float(np.median(headline.interpreter)),
                "jit_ms": 1e3 * float(np.median(headline.jit)),
                "compiled_ms": 1e3 * float(np.median(headline.compiled)),
                "curve": [
                    {
                        "parameters": f.parameters,
                        "steps": f.steps,
                        "interpreter_over_jit": f.over_jit(),
                        "interpreter_over_compiled": f.over_compiled(),
                        "compiling_pays_from_runs": None if np.isinf(f.crossing()) else f.crossing(),
                    }
                    for f in curve
                ],
            }
        )
    )


if __name__ == "__main__":
    main()
