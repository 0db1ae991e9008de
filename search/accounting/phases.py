"""Where the controller's time goes: seconds of each phase of a trial's path, of one session."""

import json
import time
from collections import Counter
from collections.abc import Iterable

PHASES: tuple[str, ...] = ("proposal", "keys", "dispatch", "evaluation", "journal", "feedback")


class Stopwatch:
    """Gives the time since its last reading to a phase; two readings enclose what is measured.

    Attributes:
      seconds: by phase. 'evaluation' is the work itself where it is done in this process, and waiting for it
        otherwise; 'feedback' holds listeners, displays and looks at other tasks.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._last = time.perf_counter()

    def start(self) -> None:
        """What has passed since the last reading belongs to no phase."""
        self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        """What has passed since the last reading was spent on `phase`."""
        now = time.perf_counter()
        self.seconds[phase] += now - self._last
        self._last = now


def of_sessions(descriptions: Iterable[str]) -> list[str]:
    """The shares of all sessions together, as a line of words, the largest first; none where nothing was measured.

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
