"""Random numbers of evaluations: functions of (seed, task, repeat), and which repeats an evaluation takes."""

from typing import Any

from isozyme.hashing import digest

_CLOSING_EVALUATIONS = 1_000_000
"""Repeats of further evaluations on the closing splits begin so far up; a search's own stay far below."""


def derived(seed: int, task: str, *parts: Any) -> int:
    """Derives a seed of 32 bits from a run's seed, a task's name and what the random numbers are for."""
    name = "/".join(map(str, (seed, task, *parts)))
    return int.from_bytes(digest(name.encode())[:4], "little")


def repeats(split: str, evaluation: int, search: int, closing: int) -> range:
    """Numbers the repeats of one evaluation, so that no two evaluations of a candidate share one.

    Args:
      split: see `Job`. The two closing splits have the same seeds, and other data to score on.
      evaluation: see `Job`.
      search: repeats of an evaluation in the search. Those of the first one come first, those of further ones after
        the closing repeats.
      closing: repeats of an evaluation on the closing splits.
    """
    if split == "search":
        first, count = evaluation * search + (closing if evaluation else 0), search
    else:
        first, count = (_CLOSING_EVALUATIONS + evaluation * closing if evaluation else search), closing
    return range(first, first + count)
