"""Algorithms inside algorithms: the inner one counts trials from 0 on its own."""

from collections.abc import Callable
from dataclasses import replace

from isozyme.search.protocol import Proposal, Trial


def inward(trial: Trial, number: Callable[[int], int | None]) -> Trial:
    """Returns a trial as the inner algorithm knows it.

    Args:
      trial: as the outer one knows it.
      number: translates numbers of trials; None for a trial that the inner algorithm is not told of.
    """
    own = number(trial.number)
    assert own is not None
    parents = tuple(parent for parent in map(number, trial.parents) if parent is not None)
    return replace(trial, number=own, proposal=replace(trial.proposal, parents=parents))


def outward(proposal: Proposal, number: Callable[[int], int]) -> Proposal:
    """Returns an inner proposal as the outer algorithm passes it on; `number` translates numbers of trials."""
    return replace(proposal, parents=tuple(map(number, proposal.parents)))
