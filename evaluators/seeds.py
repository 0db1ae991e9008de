"""Which seeds an evaluation takes: those of the search, of its further draws, and of the closing splits never meet."""


def repeats(split: str, draw: int, search: int, closing: int) -> range:
    """Numbers of the repeats of one evaluation.

    Args:
      split: see `Job`.
      draw: see `Job`.
      search: repeats of an evaluation in the search, which come first; those of further draws come after the closing
        ones.
      closing: repeats on the closing splits.
    """
    if split != "search":
        return range(search, search + closing)
    first = draw * search + (closing if draw else 0)
    return range(first, first + search)
