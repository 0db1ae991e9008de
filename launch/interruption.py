"""Ctrl-C and SIGTERM: the run ends at once, or at its next trial."""

import signal

from isozyme.search.progress import Progress
from isozyme.search.protocol import Trial


class Interruption:
    """A listener of the controller that insists.

    The exception that a signal raises may meet code that swallows every exception, such as an import that falls back
    to something else; it is raised again then, with the next trial.
    """

    def __init__(self) -> None:
        self._asked = False

    def install(self) -> None:
        """Has both signals end the run; a shell that has the process ignore Ctrl-C is obeyed."""
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self._asked = True
        raise KeyboardInterrupt

    def __call__(self, trial: Trial, progress: Progress) -> None:
        """Called with every finished trial."""
        if self._asked:
            raise KeyboardInterrupt
