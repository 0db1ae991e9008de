"""Feed-forward networks for tables under a hard limit on parameters (TabNAS, Yang et al., NeurIPS 2022).

A one-shot search learns a policy over three widths together with weights that all networks share; its draws within the
limit are then trained from scratch, and the best of them is chosen on rows that neither has seen. The limit is what the
paper's 32-144-24 would have with the inputs and outputs of the table.

* `python launch/run.py --config launch/configs/tabnas.py`: quality of cut of 53,940 diamonds
* `…/tabnas.py:flights`, `:diamonds_price`, `:rand_visits`, `:churn`, `:earnings`: one table each
* `…/tabnas.py:toy`: two layers of 2 to 4 units on churn, with no more parameters than 4-2
* `…/tabnas.py:smoke`: a few steps on churn: whether everything works
* `…/tabnas.py:evolution`: the same space and limit by regularized evolution with feasible-only mutation
"""

from isozyme.evaluators.tabular import TableTask, TabularEvaluator, TabularSupernet, space_for
from isozyme.launch import Budget, Experiment
from isozyme.search import Maximize, Minimize, OneShot, RegularizedEvolution
from isozyme.search.algorithms.feasible_only import FeasibleOnly
from isozyme.search.policy.feasible_share import FeasibleShare
from isozyme.spaces.costs import ParameterCount
from isozyme.spaces.feasible import FeasibleSpace
from isozyme.spaces.limits import Limit
from isozyme.spaces.tabnas import FeedForward

WIDTHS = (8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144)  # The paper's up to 144: a step costs what the widest does.
REFERENCE = (32, 144, 24)


def experiment() -> Experiment:
    """Five classes of cut."""
    return _one_shot("diamonds_cut")


def flights() -> Experiment:
    """Whether a flight leaves New York more than a quarter of an hour late."""
    return _one_shot("flights")


def diamonds_price() -> Experiment:
    """Logarithm of a diamond's price."""
    return _one_shot("diamonds_price")


def rand_visits() -> Experiment:
    """Whether a person sees a doctor within a year."""
    return _one_shot("rand_visits")


def churn() -> Experiment:
    """Whether a customer leaves."""
    return _one_shot("churn")


def earnings() -> Experiment:
    """Hourly earnings."""
    return _one_shot("earnings")


def toy() -> Experiment:
    """Nine networks, of which the limit leaves some."""
    return _one_shot("churn", layers=2, widths=(2, 3, 4), reference=(4, 2), steps=400, trials=6)


def smoke() -> Experiment:
    """Five widths, few steps."""
    return _one_shot("churn", widths=(8, 16, 24, 32, 144), steps=60, trials=4)


def evolution() -> Experiment:
    """Trial by trial, each from scratch, at the number of trials that a one-shot search ends with."""
    task = TableTask("diamonds_cut")
    space = space_for(task, widths=WIDTHS)
    limit = _limit(space, REFERENCE)
    return Experiment(
        space=FeasibleSpace(space, limit),
        evaluator=TabularEvaluator(task),
        search=RegularizedEvolution(10, 3, variation=FeasibleOnly(limit=limit)),
        objectives=_OBJECTIVES,
        budget=Budget(100),
    )


_OBJECTIVES = [Maximize("score", 0.0), Minimize("parameters", 1e6)]


def _one_shot(
    table: str,
    layers: int = 3,
    widths: tuple[int, ...] = WIDTHS,
    reference: tuple[int, ...] = REFERENCE,
    steps: int = 3_000,
    trials: int = 16,
) -> Experiment:
    task = TableTask(table, steps=min(steps, 1_000))
    space = space_for(task, layers, widths)
    return Experiment(
        space=space,
        evaluator=TabularEvaluator(task),
        search=OneShot(
            supernet=TabularSupernet(task.clone(override={"steps": steps})),
            steps=steps,
            limit=_limit(space, reference),
            feasible_share=FeasibleShare(exact=True),
        ),
        objectives=_OBJECTIVES,
        budget=Budget(trials),
    )


def _limit(space: FeedForward, reference: tuple[int, ...]) -> Limit:
    """No more parameters than the reference has."""
    cost = ParameterCount([space.widths] * space.layers, space.inputs, space.outputs)
    return Limit(cost, cost([space.widths.index(width) for width in reference]))
