"""Do searches for optimizers meta-overfit, and how early (Lion, arXiv 2302.06675, section 2.4)?

    python benchmarks/meta_overfitting.py [--quick] [--runs 20] [--programs 4000] [--chart FILE]

The paper: over 50 runs about half overfit early, and runs that overfit later end with better meta-validation. Here
each run is a search of its own on a small proxy task, with its own proposals, initial weights and batches. Every
incumbent, the best program so far, is then trained on larger tasks, and compared with AdamW there on the same seeds.

A run overfits if its best incumbent on the larger tasks is not its last one, and the last one is worse than it on
fresh seeds and other data (paired t-test, one-sided, 5 %): early if that best one was found in the first half. The
best one is chosen on other seeds than it is tested on, or luck would make overfitting of noise.
"""

import argparse
import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from isozyme.evaluators import process

process.fix()

from isozyme.benchmarks.charts.svg import svg  # noqa: E402
from isozyme.benchmarks.lion import searches  # noqa: E402
from isozyme.evaluators.optimizer import OptimizerEvaluator, Task  # noqa: E402
from isozyme.evaluators.optimizer.runner import Runner  # noqa: E402
from isozyme.evaluators.optimizer.tasks import LoadedTask  # noqa: E402
from isozyme.launch import Budget, Experiment  # noqa: E402
from isozyme.search import Minimize, RegularizedEvolution  # noqa: E402
from isozyme.search.executors.in_process import InProcessExecutor  # noqa: E402
from isozyme.search.executors.protocol import Request  # noqa: E402
from isozyme.spaces.lion import NAMED, OptimizerPrograms, Program  # noqa: E402

PROXY = Task("proxy", "digits", "mlp", {"hidden": [16]}, batch_size=32, steps=100)
LARGER = (
    Task("larger_mlp", "digits", "mlp", {"hidden": [64, 32]}, batch_size=64, steps=500),
    Task("larger_transformer", "python_source", "transformer", {"width": 24}, batch_size=16, steps=200, context=8),
)
"""About twenty times the proxy's cost, together; of the second one the search has seen neither data nor network."""

_LOOKS, _FRESH = range(3), range(3, 11)  # seeds of the larger tasks
_SIGNIFICANT = 0.05
_QUICK = (3, 100)  # runs, programs


class Run(NamedTuple):
    """One search, and its incumbents on the larger tasks, where losses are shares of AdamW's on the same seeds.

    Attributes:
      found: when each incumbent was found, as a share of the run.
      search: loss of each in the search, as a share of the first one's: AdamW.
      elsewhere: mean loss of each on the larger tasks.
      best: index of the incumbent that was best there.
      fresh_best, fresh_last: losses of that one and of the last one with fresh seeds on other data, [seeds].
    """

    found: np.ndarray
    search: np.ndarray
    elsewhere: np.ndarray
    best: int
    fresh_best: np.ndarray
    fresh_last: np.ndarray

    @property
    def position(self) -> float:
        """When the incumbent was found that was best on the larger tasks, as a share of the run."""
        return float(self.found[self.best])

    @property
    def overfits(self) -> bool:
        """Whether the search went on to something that is worse there."""
        if self.best == len(self.found) - 1 or (self.fresh_last == self.fresh_best).all():
            return False
        test: Any = stats.ttest_rel(self.fresh_last, self.fresh_best, alternative="greater")
        return bool(test.pvalue < _SIGNIFICANT)

    @property
    def early(self) -> bool:
        """Whether it overfits from its first half on."""
        return self.overfits and self.position < 0.5


class LargerTasks:
    """Trains programs on the larger tasks, with one executable each."""

    def __init__(self, space: OptimizerPrograms) -> None:
        self._runners = [Runner(LoadedTask(task, 0, False), space, "interpreter") for task in LARGER]
        self._adamw: dict[tuple[str, int], np.ndarray] = {}

    def relative(self, program: Program, split: str, seeds: Sequence[int]) -> np.ndarray:
        """Losses as shares of AdamW's with the same seed, geometric means over tasks, [seeds]."""
        return np.array([stats.gmean(self._losses(program, split, s) / self._of_adamw(split, s)) for s in seeds])

    def _of_adamw(self, split: str, seed: int) -> np.ndarray:
        if (split, seed) not in self._adamw:
            self._adamw[split, seed] = self._losses(NAMED["adamw"], split, seed)
        return self._adamw[split, seed]

    def _losses(self, program: Program, split: str, seed: int) -> np.ndarray:
        """By task; what is worse than a uniform guess, or diverges, counts as one: means over seeds need a bound."""
        losses = [runner.run(runner.load(program), split, seed, 1.0)[0] for runner in self._runners]
        return np.array([loss if loss < 1.0 else 1.0 for loss in losses])


class _OneRun(InProcessExecutor):
    """Evaluates with the seeds of one run of many: its executable is compiled once for all of them."""

    run = 0

    def submit(self, ticket: int, request: Request) -> None:
        """See `Executor`; each run is one more independent draw of the task's initial weights and batches."""
        super().submit(ticket, request._replace(evaluation=self.run))


def experiment(seed: int) -> Experiment:
    """The search of one run: a small population, since it is a short one, and no hurdle."""
    return Experiment(
        space=OptimizerPrograms(),
        evaluator=OptimizerEvaluator([PROXY], repeats=1, short_share=0.01),  # Nobody looks at the short run.
        search=RegularizedEvolution(50, 5),
        objectives=[Minimize("loss", 1.0)],
        budget=Budget(),
        seed=seed,
    )


def measure(seed: int, programs: int, executor: _OneRun, larger: LargerTasks) -> Run:
    """Searches, then looks at all incumbents."""
    executor.run = seed
    incumbents = searches.search(experiment(seed), executor, programs).incumbents
    elsewhere = np.array([larger.relative(one.program, "selection", _LOOKS).mean() for one in incumbents])
    best = int(np.argmin(elsewhere))
    fresh = {i: larger.relative(incumbents[i].program, "final", _FRESH) for i in {best, len(incumbents) - 1}}
    losses = np.array([one.loss for one in incumbents])
    found = np.array([one.programs for one in incumbents]) / programs
    return Run(found, losses / losses[0], elsewhere, best, fresh[best], fresh[len(incumbents) - 1])


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """Both claims: the share that overfits early, with its 95 % interval (Wilson); and rank correlations."""
    early = sum(run.early for run in runs)
    interval = stats.binomtest(early, len(runs)).proportion_ci(method="wilson")
    positions = [run.position for run in runs]
    return {
        "runs": len(runs),
        "overfit": sum(run.overfits for run in runs),
        "early": early,
        "early_share": [early / len(runs), float(interval.low), float(interval.high)],
        "later_is_better_at_the_end": _correlation(positions, [float(run.fresh_last.mean()) for run in runs]),
        "later_is_better_at_best": _correlation(positions, [float(run.fresh_best.mean()) for run in runs]),
    }


def _correlation(positions: Sequence[float], losses: Sequence[float]) -> dict[str, float] | None:
    """Spearman's, of position with loss, so that below 0 later is better; None where all values are equal."""
    if len(set(positions)) < 2 or len(set(losses)) < 2:
        return None
    ranks = [stats.rankdata(values) for values in (positions, losses)]
    # Runs are few: the p-value is that of permutations.
    found: Any = stats.pearsonr(*ranks, method=stats.PermutationMethod(n_resamples=9999, rng=np.random.default_rng(0)))
    return {"rho": float(found.statistic), "p": float(found.pvalue)}


def show(runs: Sequence[Run], title: str) -> None:
    """Prints a row a run."""
    columns = ("run", "incumbents", "search loss / AdamW's", "elsewhere: best", "last", "best found at", "overfits")
    table = Table(*columns, title=title)
    for number, run in enumerate(runs):
        row = (f"{len(run.found)}", f"{run.search[-1]:.3f}", f"{run.fresh_best.mean():.3f}",
               f"{run.fresh_last.mean():.3f}", f"{run.position:.0%}")  # fmt: skip
        table.add_row(str(number), *row, "early" if run.early else "later" if run.overfits else "no")
    Console(width=120).print(table)


def draw(path: Path, runs: Sequence[Run]) -> None:
    """Incumbents on the larger tasks by progress of their run, and what runs end with by when they were best."""
    with svg(path, (9.4, 3.6)) as figure:
        left, right = figure.subplots(1, 2)
        for run in runs:
            colour = "#d55e00" if run.early else "#0072b2"  # Told apart by the colour-blind too.
            left.step([*run.found, 1.0], [*run.elsewhere, run.elsewhere[-1]], where="post", color=colour, lw=0.7)
            left.plot(run.position, run.elsewhere[run.best], "o", color=colour, ms=3)
            right.plot(run.position, run.fresh_last.mean(), "o", color=colour, ms=4)
        left.set(xlabel="share of the run", ylabel="loss on larger tasks / AdamW's", yscale="log")
        for axes in (left, right):
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("{x:g}")
        left.set_title("incumbents; dots: the best one; orange: overfits early", fontsize=9)
        right.set(xlabel="share of the run where it was best", ylabel="loss / AdamW's, fresh seeds", yscale="log")
        right.set_title("the last incumbent", fontsize=9)


def main() -> None:
    """Runs all searches, prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK[0]} runs of {_QUICK[1]} programs")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--programs", type=int, default=4000, help="of each run")
    parser.add_argument("--chart", type=Path, help="where to draw, as SVG")
    options = parser.parse_args()
    number, programs = _QUICK if options.quick else (options.runs, options.programs)
    began, first = time.perf_counter(), experiment(0)
    executor, larger = _OneRun(first.evaluator, first.space, first.seed), LargerTasks(first.space)
    runs = [measure(seed, programs, executor, larger) for seed in range(number)]
    seconds = time.perf_counter() - began
    show(runs, f"{platform.machine()}, one process, seeds from 0; {programs:,} programs a run; {seconds:.0f} s")
    found = summary(runs)
    share, low, high = found["early_share"]
    print(f"overfit early: {share:.0%} of the runs (95 %: {low:.0%} to {high:.0%})")
    if options.chart:
        draw(options.chart, runs)
    positions = [round(run.position, 4) for run in runs]
    print(json.dumps({"programs": programs, "seconds": round(seconds, 1), **found, "positions": positions}))


if __name__ == "__main__":
    main()
