"""Command line, experiments, configs, displays."""

from isozyme.launch.experiment import Budget, Experiment

__all__ = ["Budget", "Experiment"]
