"""Reads a run folder, also while the run goes on: columns of all trials, fronts and their history, cards."""

from isozyme.launch.reading.card import Card
from isozyme.launch.reading.columns import TrialColumns
from isozyme.launch.reading.fronts import Hypervolume, Stay
from isozyme.launch.reading.reader import RunReader

__all__ = ["Card", "Hypervolume", "RunReader", "Stay", "TrialColumns"]
