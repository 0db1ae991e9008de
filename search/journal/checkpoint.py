"""A pytree of arrays in a file: written whole or not at all, read back without executing anything."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from isozyme.search.journal.database import JournalError

_CONDITIONS = "conditions"


class Checkpoint:
    """Keeps the state of a search that is not made of trials.

    Args:
      path: of the file, an .npz of plain arrays.
      conditions: all that the state depends on, as text.
    """

    def __init__(self, path: Path, conditions: str) -> None:
        self._path, self._conditions = path, conditions

    def save(self, leaves: list[Any]) -> None:
        """Replaces the file; a kill at any time leaves the old one or the new one."""
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("wb") as file:
            arrays = {f"{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
            np.savez(file, allow_pickle=False, **{_CONDITIONS: np.array(self._conditions)}, **arrays)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)

    def load(self, like: list[Any]) -> list[np.ndarray] | None:
        """Arrays of the shapes and types of `like`; None if there is no file yet.

        Raises:
          JournalError: it is damaged, or belongs to other conditions.
        """
        if not self._path.exists():
            return None
        try:
            with self._path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                conditions = str(file[_CONDITIONS])
                found = [file[f"{i}"] for i in range(len(like))]
        except Exception as error:  # A damaged zip file raises many kinds.
            what = " ".join(str(error).split()) or type(error).__name__
            raise JournalError(f"{self._path}: damaged ({what}); remove it to search again from the start") from None
        if conditions != self._conditions or any(
            (a.shape, a.dtype) != (np.shape(b), np.asarray(b).dtype) for a, b in zip(found, like, strict=True)
        ):
            raise JournalError(
                f"{self._path}: made under other conditions (libraries, data or settings); choose another folder"
            )
        return found
