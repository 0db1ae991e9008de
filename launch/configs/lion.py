"""Symbolic discovery of optimizers (Lion, Chen et al. 2023, arXiv 2302.06675) on a laptop.

* `python launch/run.py --config launch/configs/lion.py`: about a minute and a half on two cores (1,000 trials,
  about 310 of them evaluated); relative loss 0.37 of AdamW falls to about 0.23 on the final split, seed 0
* `python launch/run.py --config launch/configs/lion.py:smoke`: 100 trials, a quarter of a minute
"""

from isozyme.evaluators.optimizer import OptimizerEvaluator, Task
from isozyme.launch import Budget, Experiment
from isozyme.search import Minimize, QuantileHurdle, RegularizedEvolution
from isozyme.spaces.lion import OptimizerPrograms


def experiment() -> Experiment:
    """Three proxy tasks: a perceptron and a convolutional network on digits, a transformer on Python source."""
    return _experiment([_perceptron(), _convolutional(), _transformer()], RegularizedEvolution(100, 10), Budget(1000))


def smoke() -> Experiment:
    """One proxy task and 100 trials: whether everything works, not what can be found."""
    return _experiment([_perceptron()], RegularizedEvolution(20, 5), Budget(100))


def _experiment(tasks: list[Task], search: RegularizedEvolution, budget: Budget) -> Experiment:
    return Experiment(
        space=OptimizerPrograms(),
        evaluator=OptimizerEvaluator(tasks),
        search=search,
        objectives=[Minimize("loss", 1.0), Minimize("live_length", 30.0), Minimize("state_bytes", 12.0)],
        budget=budget,
        hurdle=QuantileHurdle(),
    )


def _perceptron() -> Task:
    return Task("digits_mlp", "digits", "mlp", {"hidden": [32]}, batch_size=64, steps=200)


def _convolutional() -> Task:
    return Task("digits_cnn", "digits", "cnn", {"channels": [8, 16]}, batch_size=32, steps=100)


def _transformer() -> Task:
    return Task("source_transformer", "python_source", "transformer", {"width": 24}, batch_size=16, steps=100)
