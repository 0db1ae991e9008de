"""The order in which trials are fed back: that of their numbers, or that in which they finish.

Both say which trials a proposal has to wait for, which one is fed back next, and how a journal is taken up again.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import NamedTuple, Protocol

from isozyme.search.journal.journal import Journal
from isozyme.search.protocol import Trial
from isozyme.search.rules import Rules


class AgendaEntry(NamedTuple):
    """What comes next in a run.

    Attributes:
      number: of a trial.
      trial: as an earlier session journalled it; None if it is to be proposed.
      owed: whether it has to be proposed whatever the budget, since an earlier session had it under way.
    """

    number: int
    trial: Trial | None = None
    owed: bool = False


class FeedbackOrder(Protocol):
    """Decides which trial is fed back when.

    Attributes:
      column: of the journal, by which trials are read again.
      margin: how many trials after a snapshot have to be journalled, so that what an earlier session had under way is
        proposed again from a state that is old enough.
    """

    column: str
    margin: int

    def agenda(self, journalled: Iterator[Trial], fed: int, journal: Journal) -> Iterator[AgendaEntry]:
        """Yields what comes, without end.

        Args:
          journalled: trials of earlier sessions that have not been fed back, in the order of `column`.
          fed: how many trials have been fed back.
          journal: as the earlier sessions left it.
        """
        ...

    def after(self, first: int, trials: Sequence[Trial]) -> int:
        """Returns from where in `column` to read on after `trials`, which were read from `first` on."""
        ...

    def finish(self, trial: Trial) -> None:
        """Takes in a trial that has been concluded."""
        ...

    def is_due(self, number: int, fed: int, under_way: int, lag: int) -> bool:
        """Tells whether more has to be fed back before proposal `number`, with so many trials fed back and open."""
        ...

    def following(self, fed: int) -> Trial | None:
        """Returns the trial to be fed back after `fed` others; None while it is under way."""
        ...

    def drop(self, trial: Trial) -> None:
        """Forgets the trial that `following` has returned; it is being fed back."""
        ...

    def arrival(self, fed: int, uncommitted: int) -> int | None:
        """Returns how many trials had finished before the last `uncommitted` ones; None where that does not matter."""
        ...

    def complete(self, fed: int, under_way: Iterable[int]) -> int:
        """Returns a number before which all trials are journalled."""
        ...

    def unfed(self) -> Iterable[Trial]:
        """Returns the trials that have been concluded and not fed back."""
        ...


class InOrder:
    """Feeds trials back in the order of their numbers: proposal i sees those up to i - lag, whatever the timing."""

    column = "trial"

    def __init__(self, lag: int) -> None:
        self.margin = lag - 1
        self._finished: dict[int, Trial] = {}

    def agenda(self, journalled: Iterator[Trial], fed: int, journal: Journal) -> Iterator[AgendaEntry]:
        """See `FeedbackOrder`: numbers from `fed` on, each as it was journalled or to be proposed."""
        del journal
        following = next(journalled, None)
        for number in count(fed):
            if following is not None and following.number == number:
                yield AgendaEntry(number, following)
                following = next(journalled, None)
            else:
                yield AgendaEntry(number, owed=following is not None)

    def after(self, first: int, trials: Sequence[Trial]) -> int:
        """See `FeedbackOrder`."""
        del first
        return trials[-1].number + 1

    def finish(self, trial: Trial) -> None:
        """See `FeedbackOrder`."""
        self._finished[trial.number] = trial

    def is_due(self, number: int, fed: int, under_way: int, lag: int) -> bool:
        """See `FeedbackOrder`."""
        del under_way
        return fed <= number - lag

    def following(self, fed: int) -> Trial | None:
        """See `FeedbackOrder`."""
        return self._finished.get(fed)

    def drop(self, trial: Trial) -> None:
        """See `FeedbackOrder`."""
        del self._finished[trial.number]

    def arrival(self, fed: int, uncommitted: int) -> None:
        """See `FeedbackOrder`."""
        del fed, uncommitted

    def complete(self, fed: int, under_way: Iterable[int]) -> int:
        """See `FeedbackOrder`."""
        del under_way
        return fed

    def unfed(self) -> Iterable[Trial]:
        """See `FeedbackOrder`."""
        return self._finished.values()


class AsTheyCome:
    """Feeds trials back as they finish, and lets a proposal go out as soon as fewer than `lag` are under way."""

    column = "arrival"
    margin = 0

    def __init__(self) -> None:
        self._arrived: deque[Trial] = deque()
        self._owed: deque[int] = deque()

    def agenda(self, journalled: Iterator[Trial], fed: int, journal: Journal) -> Iterator[AgendaEntry]:
        """See `FeedbackOrder`: first what arrived, then what was under way, then what is new."""
        del fed
        next_number = journal.next_number()
        self._owed.extend(journal.missing(0, next_number))
        for trial in journalled:
            yield AgendaEntry(trial.number, trial)
        while self._owed:
            yield AgendaEntry(self._owed[0], owed=True)
            self._owed.popleft()  # Only now that it is under way: `complete` must not pass over it.
        for number in count(next_number):
            yield AgendaEntry(number)

    def after(self, first: int, trials: Sequence[Trial]) -> int:
        """See `FeedbackOrder`."""
        return first + len(trials)

    def finish(self, trial: Trial) -> None:
        """See `FeedbackOrder`."""
        self._arrived.append(trial)

    def is_due(self, number: int, fed: int, under_way: int, lag: int) -> bool:
        """See `FeedbackOrder`."""
        del number, fed
        return under_way >= lag or bool(self._arrived)

    def following(self, fed: int) -> Trial | None:
        """See `FeedbackOrder`."""
        del fed
        return self._arrived[0] if self._arrived else None

    def drop(self, trial: Trial) -> None:
        """See `FeedbackOrder`."""
        del trial
        self._arrived.popleft()

    def arrival(self, fed: int, uncommitted: int) -> int:
        """See `FeedbackOrder`."""
        return fed + len(self._arrived) - uncommitted

    def complete(self, fed: int, under_way: Iterable[int]) -> int:
        """See `FeedbackOrder`."""
        return min([*under_way, *self._owed], default=fed)

    def unfed(self) -> Iterable[Trial]:
        """See `FeedbackOrder`."""
        return self._arrived


def feedback_order(rules: Rules) -> FeedbackOrder:
    """Returns the order that the rules of a run ask for, before any trial."""
    return AsTheyCome() if rules.asynchronous else InOrder(rules.lag)
