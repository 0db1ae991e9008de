"""Loads a data set by name into arrays, split four ways."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from isozyme.evaluators.datasets import registry
from isozyme.evaluators.datasets.examples import Examples
from isozyme.evaluators.datasets.tables import Table, TableColumns, encode
from isozyme.evaluators.protocol import SPLITS

# Of the rows of the train split; 'final' is the test split.
_SLICES = {"train": (0.0, 0.7), "search": (0.7, 0.85), "selection": (0.85, 1.0)}
_EXAMPLES = ("images", "text")


def check_available(name: str, download: bool) -> str:
    """Prepares the data set if it has to be.

    Returns:
      'images' or 'text'.

    Raises:
      DataUnavailable: with the choices in one line.
    """
    info = _examples_builder(name, download).info
    features, splits = set(info.features), set(info.splits)
    if not {"train", "test"} <= splits or not ({"image", "label"} <= features or "text" in features):
        why = "needs splits train and test, and features image and label, or text"
        raise registry.unavailable(name, why, *_EXAMPLES)
    return "text" if "text" in features else "images"


def full_name(name: str, download: bool = False) -> str:
    """Name, configuration and version of a data set, as TFDS writes them."""
    builder = _table_builder(name) if name in registry.names("table") else _examples_builder(name, download)
    return builder.info.full_name


def load(name: str, context: int, rows: int, download: bool = False) -> dict[str, Examples]:
    """Reads a data set into memory.

    Images are scaled to 0…1 and stay [height, width, channels]. Text becomes windows of `context` characters, each
    predicting the next; printable ASCII and newline are classes of their own, all else is one.

    Args:
      name: one of ours that holds images or text, or any TFDS name with features (image, label) or (text).
      context: window length of text.
      rows: at most so many rows in each held-out split, the same number in all of them.
      download: whether TFDS may fetch a set that is not yet prepared on this machine.

    Returns:
      'train', 'search', 'selection' and 'final'.

    Raises:
      DataUnavailable: with the choices in one line.
    """
    kind = check_available(name, download)
    builder = _examples_builder(name, download)
    source = {split: builder.as_data_source(split) for split in ("train", "test")}
    train, test = (source[split].__getitems__(list(range(len(source[split])))) for split in ("train", "test"))
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(train)).tolist()
    parts = {
        split: [train[i] for i in order[int(low * len(order)) : int(high * len(order))]]
        for split, (low, high) in _SLICES.items()
    }
    parts["final"] = list(test)
    examples = {split: _to_examples(kind, part, builder.info.features, context) for split, part in parts.items()}
    shared = min(rows, *(len(examples[split].inputs) for split in SPLITS))
    return {split: e if split == "train" else _thinned(e, shared) for split, e in examples.items()}


def load_table(name: str) -> dict[str, Table]:
    """Reads a table into memory, encoded by its training rows.

    Args:
      name: one of ours that is a table.

    Returns:
      'train' (about five eighths of the rows), 'search', 'selection' and 'final' (an eighth each).

    Raises:
      DataUnavailable: no such table, or the package that carries it is missing; the line says what to install.
    """
    if name not in registry.names("table"):
        raise registry.unavailable(name, "no such table", "table")
    builder = _table_builder(name)
    splits = {split: _columns(builder.as_data_source(split)) for split in ("train", *SPLITS)}
    return encode(splits, builder.numeric, builder.categorical, len(builder.classes))


def _examples_builder(name: str, download: bool) -> Any:
    return registry.prepared(name, download, *_EXAMPLES)


def _table_builder(name: str) -> Any:
    return registry.prepared(name, False, "table")


def _columns(source: Any) -> TableColumns:
    blocks = source.__getitems__(list(range(len(source))))
    columns = {field: np.concatenate([block[field] for block in blocks]) for field in TableColumns._fields}
    # TFDS hands out labels as objects of bytes; numpy compares arrays of str far faster.
    columns["categorical"] = columns["categorical"].astype("S").astype(str)
    return TableColumns(**columns)


def _thinned(examples: Examples, rows: int) -> Examples:
    """`rows` rows at equal distances."""
    chosen = np.linspace(0, len(examples.inputs) - 1, rows).astype(int)
    return Examples(examples.inputs[chosen], examples.targets[chosen], examples.classes)


def _to_examples(kind: str, rows: Sequence[dict[str, Any]], features: Any, context: int) -> Examples:
    from isozyme.evaluators.datasets import images, text

    if kind == "text":
        return text.windows([row["text"] for row in rows], context)
    return images.labelled([row["image"] for row in rows], [row["label"] for row in rows], features["label"])
