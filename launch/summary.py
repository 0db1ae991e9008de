"""The closing summary: what was found, how it compares, what to type next."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from isozyme.evaluators.protocol import SPLITS, Outcome
from isozyme.launch.closing import Closing
from isozyme.launch.display import say
from isozyme.launch.experiment import Experiment
from isozyme.search.accounting.bill import Bill, bill_lines
from isozyme.search.progress.progress import Progress
from isozyme.search.validation.funnel import RungVerdict, best_trial

_HITS = {"static": "twins by static key", "numeric": "twins by numeric key", "store": "known to the store"}


def show(
    console: Console,
    experiment: Experiment,
    folder: Path,
    progress: Progress,
    closing: Closing | None,
    cost: Bill | None,
    remarks: Sequence[str] = (),
) -> None:
    """Prints the summary of a finished run."""
    hits = sum(progress.hits.values())
    console.rule("finished")
    say(
        console,
        f"{progress.trials} trials, {progress.unique} evaluated, {hits} spared "
        f"({', '.join(f'{progress.hits[name]} {what}' for name, what in _HITS.items())}), "
        f"{progress.evaluation_seconds:.0f} s of evaluation",
    )
    audit = progress.audit
    if experiment.equivalence.audits:
        say(
            console,
            f"audit: {audit.audited} twins evaluated all the same, {audit.collisions} of them unlike their owner "
            f"(largest difference {audit.worst:.2g}); {audit.splits} behaviours scored exactly as an earlier one",
        )
    failures = ", ".join(f"{n} {status}" for status, n in sorted(progress.statuses.items()) if status != "ok")
    say(console, f"not ok: {failures or 'none'}; front: {len(progress.archive.trials)} trials in {folder}/pareto.csv")
    for line in _operators(progress):
        say(console, line)
    for line in [*(bill_lines(cost) if cost is not None else ()), *remarks]:
        say(console, line)
    if closing is None:
        say(console, "no trial was scored, so there is no winner; look at the reasons above")
    else:
        _show_funnel(console, experiment, closing)
        _show_winner(console, experiment, folder, closing)
    say(console, "\nnext:")
    for command in (
        f"tensorboard --logdir {folder.parent}",
        f"python launch/report.py front {folder}",
        f"python launch/report.py trials {folder} --jsonl",
    ):
        say(console, f"  {command}")
    say(console, f"  the same command with --config.budget.trials={2 * progress.trials} goes on from here")


def _show_funnel(console: Console, experiment: Experiment, closing: Closing) -> None:
    """What the finalists came to on each rung."""
    guiding = experiment.objectives[0]
    for one in closing.comparisons:
        say(
            console,
            f"\nfunnel, rung {one.rung}: {guiding.metric} over that of the best tuned baseline, {one.baseline} "
            f"({guiding.sign * one.cost:.4f}); {one.evaluations} paired evaluations, "
            f"intervals of confidence {one.confidence:g}",
        )
        table = Table("trial", "tuned to", "mean", "low", "high", "passed")
        for verdict in one.verdicts:
            table.add_row(str(verdict.trial), verdict.tuning, *map(_share, verdict.difference), _passed(verdict))
        console.print(table)
    if closing.comparisons and best_trial(closing.comparisons) is None:
        say(console, "nothing beat the tuned baseline; the winner is the best of them on the selection split")


def _show_winner(console: Console, experiment: Experiment, folder: Path, closing: Closing) -> None:
    """The candidate as found and as simplified, beside the references."""
    space, winner = experiment.space, closing.winner
    where = f"as found in {folder}/best/raw/" if closing.steps else f"also in {folder}/best/"
    say(console, f"\nwinner: trial {winner.number}, {where}\n")
    say(console, space.to_source(winner.candidate))
    if closing.steps:
        taken = [step for step in closing.steps if step.accepted]
        say(console, f"simplified: {len(taken)} of {len(closing.steps)} steps taken, all in best/simplification.jsonl")
        for step in taken:
            say(console, f"  {step.description}: {step.evidence}")
        say(console, f"\nsimplified, also in {folder}/best/\n")
        say(console, space.to_source(closing.candidate))
    console.print(_table(experiment, closing))
    say(console, "references have their published constants; on selection and final, seeds are fresh, and only")
    say(console, "final took no part in what was chosen")


def _operators(progress: Progress) -> list[str]:
    """What each variation operator came to."""
    return [
        f"operator {name}: {tally.proposals} proposals, {sum(tally.twins.values())} twins, {tally.failures} failures, "
        f"{tally.improvements} of {tally.compared} better than their parent, by {tally.mean_gain:.3g} in the mean"
        for name, tally in sorted(progress.operators.tallies.items())
    ]


def _table(experiment: Experiment, closing: Closing) -> Table:
    metric = experiment.objectives[0].metric
    forms = list(experiment.space.form(closing.winner.candidate))
    table = Table("", *(f"{metric}, {split}" for split in SPLITS), *forms)
    for name, by_split in closing.scores.items():
        scores = [_score(by_split[split], metric) for split in SPLITS]
        table.add_row(name, *scores, *(f"{by_split['final'].metrics[form]:g}" for form in forms))
    return table


def _score(outcome: Outcome, metric: str) -> str:
    value = outcome.metrics.get(metric)
    return str(outcome.status) if value is None else f"{value:.4f}"


def _passed(verdict: RungVerdict) -> str:
    if verdict.passed:
        return "yes"
    return "not kept" if verdict.difference.high < 0.0 else "no"


def _share(value: float) -> str:
    return f"{value:+.2%}" if math.isfinite(value) else "failed"
