"""Run folders below TensorBoard's log folder, and one reader for each that is looked at."""

import os
import time
import uuid
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from isozyme.launch import workdir
from isozyme.launch.errors import UsageError
from isozyme.launch.reading import RunReader
from isozyme.search.journal.journal import FILE
from isozyme.search.objectives import objective_from_json

_LOOK_EVERY = 5.0  # seconds
_CONTROL = ".RandomSearch"


class Open(NamedTuple):
    """A reader that is kept.

    Attributes:
      reader: of the run folder.
      edition: another one for every reader, so that a page knows when to begin anew.
      file: device and number of the journal's file: a run that was deleted and made again is another one.
    """

    reader: RunReader
    edition: str
    file: tuple[int, int]


class Folders:
    """Finds run folders and opens them; threads may share it.

    Args:
      logdir: below which they are looked for, or None: there are none then, as with `--logdir_spec`.
    """

    def __init__(self, logdir: Path | None) -> None:
        self._logdir = logdir
        self._finding, self._opening = Lock(), Lock()  # Opening a large journal takes seconds; the list does not wait.
        self._found: dict[str, Path] = {}
        self._looked = -_LOOK_EVERY
        self._open: dict[str, Open] = {}

    def names(self) -> dict[str, Path]:
        """Run folders by their path below the log folder, in the order of these; looked for every few seconds."""
        with self._finding:
            if time.monotonic() - self._looked >= _LOOK_EVERY:
                self._found = _find(self._logdir) if self._logdir is not None else {}
                self._looked = time.monotonic()
            return self._found

    def open(self, name: str) -> Open:
        """The reader of a run.

        Raises:
          UsageError: there is no such run, or its experiment.json is damaged.
          JournalError: its journal cannot be read.
        """
        folder = self.names().get(name)
        if folder is None:
            raise UsageError(f"run={name}: no such run below {self._logdir}; the tab lists those there are")
        with self._opening:
            known = self._open.get(name)
            file = _file(folder)
            if known is None or known.file != file:
                known = self._open[name] = Open(RunReader(folder), uuid.uuid4().hex, file)
            return known

    def describe(self) -> list[dict[str, Any]]:
        """All runs as the page lists them; one that cannot be read says why in place of its content."""
        return [_describe(name, folder) for name, folder in self.names().items()]


def _find(logdir: Path) -> dict[str, Path]:
    found = dict[str, Path]()
    for place, below, files in os.walk(logdir):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if FILE in files and workdir.EXPERIMENT_FILE in files:
            below.clear()  # A run folder holds no others.
            folder = Path(place)
            relative = str(folder.relative_to(logdir))
            found[folder.resolve().name if relative == "." else relative] = folder
    return found


def _file(folder: Path) -> tuple[int, int]:
    try:
        status = (folder / FILE).stat()
    except OSError:
        return (0, 0)  # The reader says what is wrong.
    return status.st_dev, status.st_ino


def _describe(name: str, folder: Path) -> dict[str, Any]:
    try:
        record = workdir.read(folder)
    except UsageError as error:
        return {"name": name, "error": str(error)}
    objectives = map(objective_from_json, record["objectives"])
    search = record["identity"].get("search")
    search = str(search.get("_type")) if isinstance(search, dict) else ""
    return {
        "name": name,
        "objectives": [{"metric": o.metric, "direction": o.direction} for o in objectives],
        "search": search.rpartition(".")[2],
        "control": search.endswith(_CONTROL),
        "seed": record.get("seed"),
    }
