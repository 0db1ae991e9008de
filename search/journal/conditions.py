"""What an evaluator's conditions were when a run folder was begun."""

from collections.abc import Callable

from isozyme.search.journal.journal import Journal


def known_conditions(journal: Journal, ask: Callable[[str], str], split: str, place: str = "conditions") -> str:
    """Returns an evaluator's conditions on a split; asks once a run folder, so that a finished run needs no workers.

    Args:
      journal: open for writing.
      ask: says the conditions on a split, as seen where the evaluator runs.
      split: what is scored on.
      place: under which the journal keeps them; evaluators other than that of the search have their own.
    """
    name = f"{place}/{split}"
    known = journal.meta(name)
    if known is None:
        known = ask(split)
        journal.set_meta(name, known)
    return known
