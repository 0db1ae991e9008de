"""Which seeds an evaluation takes: those of the search, of the closing splits and of further draws never meet."""

_CLOSING_DRAWS = 1_000_000
"""Further draws on the closing splits begin so far up; a search's own stay far below."""


def repeats(split: str, draw: int, search: int, closing: int) -> range:
    """Numbers of the repeats of one evaluation.

    Args:
      split: see `Job`. The two closing splits have the same seeds, and other data to score on.
      draw: see `Job`.
      search: repeats of an evaluation in the search, which come first; those of further draws come after the closing
        ones.
      closing: repeats on the closing splits.
    """
    if split == "search":
        first, count = draw * search + (closing if draw else 0), search
    else:
        first, count = (_CLOSING_DRAWS + draw * closing if draw else search), closing
    return range(first, first + count)
