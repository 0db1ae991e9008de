"""Measures where the controller's time goes: seconds of each phase of a trial's path, of one session."""

import json
import time
from collections import Counter
from collections.abc import Iterable

PHASES: tuple[str, ...] = ("proposal", "keys", "dispatch", "evaluation", "journal", "feedback")


class Stopwatch:
    """Adds the time since its last reading to a phase; two readings enclose what is measured.

    Attributes:
      seconds: by phase. 'evaluation' is the work itself where it is done in this process, and waiting for it
        otherwise; 'feedback' holds listeners, displays and looks at other tasks.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._last = time.perf_counter()

    def start(self) -> None:
        """Reads the clock; the time since the last reading belongs to no phase."""
        self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        """Reads the clock; the time since the last reading belongs to `phase`."""
        now = time.perf_counter()
        self.seconds[phase] += now - self._last
        self._last = now


def describe_phases(descriptions: Iterable[str]) -> list[str]:
    """Returns the phases' shares of all sessions together in one line, the largest first; no line without measures.

    Args:
      descriptions: of the journal's sessions, JSON objects.
    """
    seconds: Counter[str] = Counter()
    for description in descriptions:
        seconds.update(json.loads(description).get("phases", {}))
    if not seconds.total():
        return []
    shares = ", ".join(f"{name} {value / seconds.total():.1%}" for name, value in seconds.most_common())
    return [f"the controller's time: {shares}"]
