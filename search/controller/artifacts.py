"""Keeps what stages leave for later ones, such as weights: a folder for each evaluation, as long as it is wanted."""

import shutil
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from isozyme.evaluators.protocol import Status
from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import Trial

_PARTIAL = 1_000  # Trials that stopped as asked may be taken further; of so many of them artifacts are kept.


def evaluation_folder(folder: Path, evaluation: int) -> Path:
    """Returns the folder of one of the evaluations of a behaviour, whose first one has `folder` itself."""
    return folder if evaluation == 0 else folder.with_name(f"{folder.name}-{evaluation}")


class Artifacts:
    """Removes the artifacts of all but the best trials, the front, and the behaviours that may yet be taken further.

    What a killed session has left behind is removed as well, once its trials have been taken in again.

    Args:
      folder: of all artifacts of a run; made by whoever writes the first one. None where none are kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._present = {path.name for path in folder.iterdir()} if folder is not None and folder.is_dir() else set()
        self._partial: deque[str] = deque(maxlen=_PARTIAL)

    def folder_of(self, key: bytes) -> Path | None:
        """Returns where the first evaluation of a behaviour keeps its artifacts; None where none are kept."""
        return None if self._folder is None else self._folder / key.hex()

    def note(self, trial: Trial) -> None:
        """Takes in a finished trial, whose artifacts are there."""
        self._present.update(path.partition("/")[0] for path in trial.artifacts)
        if trial.status is Status.PARTIAL:
            self._partial.append(trial.keys.behaviour)

    def remove_unwanted(self, progress: Progress, unfed: Iterable[str]) -> None:
        """Removes the folders of behaviours that nobody wants.

        Args:
          progress: holds the best trials and the front.
          unfed: behaviour keys of the trials that are open, or have not been fed back yet.
        """
        if not self._present:
            return
        kept = {trial.keys.behaviour for trial in (*progress.leaders, *progress.archive.trials)}
        kept.update(unfed, self._partial)
        assert self._folder is not None
        for name in [name for name in self._present if name.partition("-")[0] not in kept]:
            shutil.rmtree(self._folder / name, ignore_errors=True)
            self._present.discard(name)
