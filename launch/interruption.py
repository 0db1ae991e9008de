"""Ctrl-C and SIGTERM: the run ends at once, or at its next trial."""

import os
import signal
import sys
import threading
from typing import Any

from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import Trial

_SOON = 0.1  # seconds


class Interruption:
    """A listener of the controller that insists.

    The exception that a signal raises may meet code that swallows every exception, such as an import that falls back
    to something else; it is raised again then, with the next trial. If it meets a finalizer, where Python swallows it,
    the signal is sent again.
    """

    def __init__(self) -> None:
        self._asked = False

    def install(self) -> None:
        """Has both signals end the run; a shell that has the process ignore Ctrl-C is obeyed."""
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask)
        sys.unraisablehook = self._insist

    def _ask(self, *_: object) -> None:
        self._asked = True
        raise KeyboardInterrupt

    def _insist(self, unraisable: Any) -> None:
        if self._asked and issubclass(unraisable.exc_type, KeyboardInterrupt):
            again = threading.Timer(_SOON, os.kill, (os.getpid(), signal.SIGTERM))  # Raised here, it would be lost too.
            again.daemon = True
            again.start()
        else:
            sys.__unraisablehook__(unraisable)

    def __call__(self, trial: Trial, progress: Progress) -> None:
        """Called with every finished trial."""
        if self._asked:
            raise KeyboardInterrupt
