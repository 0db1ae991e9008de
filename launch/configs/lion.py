"""Symbolic discovery of optimizers (Lion, Chen et al. 2023, arXiv 2302.06675) on a laptop.

    python launch/run.py --config launch/configs/lion.py          # TIME
    python launch/run.py --config launch/configs/lion.py:smoke    # under two minutes
"""

from isozyme.evaluators.optimizer import OptimizerEvaluator, Task
from isozyme.launch import Budget, Experiment
from isozyme.search import Minimize, QuantileHurdle, RegularizedEvolution
from isozyme.spaces.lion import OptimizerPrograms

DIGITS = dict(data="digits", batch_size=64, steps=200)


def experiment() -> Experiment:
    """Three proxy tasks: a perceptron and a convolutional network on digits, a transformer on Python source."""
    return Experiment(
        space=OptimizerPrograms(),
        evaluator=OptimizerEvaluator(
            tasks=[
                Task("digits_mlp", network="mlp", sizes=dict(hidden=[32]), **DIGITS),
                Task("digits_cnn", data="digits", network="cnn", sizes=dict(channels=[8, 16]), steps=100),
                Task(
                    "source_transformer", data="python_source", network="transformer", sizes=dict(width=24),
                    batch_size=16, steps=100,
                ),
            ],
        ),
        search=RegularizedEvolution(population_size=100, tournament_size=10),
        objectives=[Minimize("loss", 1.0), Minimize("live_length", 30.0), Minimize("state_bytes", 12.0)],
        budget=Budget(1000),
        hurdle=QuantileHurdle(),
    )  # fmt: skip


def smoke() -> Experiment:
    """One proxy task and 100 trials: whether everything works, not what can be found."""
    return experiment().rebind(
        {
            "evaluator.tasks": [Task("digits_mlp", network="mlp", sizes=dict(hidden=[32]), **DIGITS)],
            "search.population_size": 20,
            "search.tournament_size": 5,
            "budget.trials": 100,
        }
    )
