"""Keeps the trained weights of all repeats of one network, and the optimizer's state, in a file of plain arrays."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

FILE = "weights.npz"


def save(folder: Path, states: Sequence[Any], steps: int) -> None:
    """Writes the states of all repeats after so many steps, whole or not at all.

    Args:
      folder: made if it is not there.
      states: pytrees of one structure.
      steps: that have been taken.
    """
    import jax

    folder.mkdir(parents=True, exist_ok=True)
    columns = zip(*(jax.tree.leaves(state) for state in states), strict=True)  # The same leaf of all repeats.
    arrays = {str(place): np.stack([np.asarray(leaf) for leaf in column]) for place, column in enumerate(columns)}
    scratch = folder / f".{FILE}.partial"
    with scratch.open("wb") as file:
        np.savez(file, steps=np.int64(steps), **arrays)  # pyright: ignore[reportArgumentType]
    os.replace(scratch, folder / FILE)


def load(folder: Path, like: Sequence[Any], steps: int) -> list[Any] | None:
    """Reads what `save` wrote.

    Args:
      folder: where it may be.
      like: states of the same structure and shapes, one a repeat.
      steps: after which they were to be written.

    Returns:
      the states; None if there is no file, or it is of another moment or shape: then it is of no use.
    """
    import jax

    try:
        with (folder / FILE).open("rb") as file, np.load(file) as arrays:
            found = dict(arrays)
    except (OSError, EOFError, ValueError, BadZipFile):
        return None
    leaves, structure = jax.tree.flatten(like[0])
    wanted = [(len(like), *np.shape(leaf)) for leaf in leaves]
    kept = [found.get(str(place)) for place in range(len(leaves))]
    if found.get("steps") != steps or [None if one is None else one.shape for one in kept] != wanted:
        return None
    arrays_of = [[one[repeat] for one in kept if one is not None] for repeat in range(len(like))]
    return [jax.tree.unflatten(structure, own) for own in arrays_of]
