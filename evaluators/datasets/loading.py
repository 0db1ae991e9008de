"""Loads a data set by name into arrays, split four ways."""

import contextlib
import importlib
import io
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from isozyme.evaluators.datasets.tables import Columns, Table, encode
from isozyme.evaluators.protocol import SPLITS, DataUnavailable

BUILDERS: dict[str, tuple[str, str]] = {
    "digits": ("isozyme.evaluators.datasets.images", "IsozymeDigits"),
    "mnist_5k": ("isozyme.evaluators.datasets.images", "IsozymeMnist5k"),
    "python_source": ("isozyme.evaluators.datasets.python_source", "IsozymePythonSource"),
    "wordnet_glosses": ("isozyme.evaluators.datasets.wordnet_glosses", "IsozymeWordnetGlosses"),
}
TABLES: dict[str, tuple[str, str]] = {
    "flights": ("isozyme.evaluators.datasets.table_builders", "IsozymeFlights"),
    "diamonds_cut": ("isozyme.evaluators.datasets.table_builders", "IsozymeDiamondsCut"),
    "diamonds_price": ("isozyme.evaluators.datasets.table_builders", "IsozymeDiamondsPrice"),
    "rand_visits": ("isozyme.evaluators.datasets.table_builders", "IsozymeRandVisits"),
    "churn": ("isozyme.evaluators.datasets.table_builders", "IsozymeChurn"),
    "earnings": ("isozyme.evaluators.datasets.table_builders", "IsozymeEarnings"),
}
# Of the rows of the train split; 'final' is the test split.
_SLICES = {"train": (0.0, 0.7), "search": (0.7, 0.85), "selection": (0.85, 1.0)}
_OTHER, _NEWLINE, _FIRST, _LAST = 0, 1, 32, 126
TEXT_CLASSES = _LAST - _FIRST + 3


class Examples(NamedTuple):
    """Inputs [rows, …] and integer targets [rows] or [rows, context], and the number of classes of a target."""

    inputs: Any
    targets: Any
    classes: int


def check_available(name: str, download: bool) -> str:
    """Prepares the data set if it has to be.

    Returns:
      'images' or 'text'.

    Raises:
      DataUnavailable: with the choices in one line.
    """
    builder = _builder(name, download)
    features, splits = set(builder.info.features), set(builder.info.splits)
    if not {"train", "test"} <= splits or not ({"image", "label"} <= features or "text" in features):
        raise DataUnavailable(_unavailable(name, "needs splits train and test, and features image and label, or text"))
    return "text" if "text" in features else "images"


def full_name(name: str, download: bool = False) -> str:
    """Name, configuration and version of a data set, as TFDS writes them."""
    return _builder(name, download).info.full_name


def load(name: str, context: int, rows: int, download: bool = False) -> dict[str, Examples]:
    """Reads a data set into memory.

    Images are scaled to 0…1 and stay [height, width, channels]. Text becomes windows of `context` characters, each
    predicting the next; printable ASCII and newline are classes of their own, all else is one.

    Args:
      name: one of ours (`BUILDERS`) or any TFDS name with features (image, label) or (text).
      context: window length of text.
      rows: at most so many rows in each held-out split, the same number in all of them.
      download: whether TFDS may fetch a set that is not yet prepared on this machine.

    Returns:
      'train', 'search', 'selection' and 'final'.
    """
    check_available(name, download)
    builder = _builder(name, download)
    source = {split: builder.as_data_source(split) for split in ("train", "test")}
    train, test = (source[split].__getitems__(list(range(len(source[split])))) for split in ("train", "test"))
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(train)).tolist()
    parts = {
        split: [train[i] for i in order[int(low * len(order)) : int(high * len(order))]]
        for split, (low, high) in _SLICES.items()
    }
    parts["final"] = list(test)
    examples = {split: _to_arrays(part, builder.info.features, context) for split, part in parts.items()}
    shared = min(rows, *(len(examples[split].inputs) for split in SPLITS))
    return {split: e if split == "train" else _first(e, shared) for split, e in examples.items()}


def load_table(name: str) -> dict[str, Table]:
    """Reads a table into memory, encoded by its training rows.

    Args:
      name: one of `TABLES`.

    Returns:
      'train' (about five eighths of the rows), 'search', 'selection' and 'final' (an eighth each).

    Raises:
      DataUnavailable: no such table, or the package that carries it is missing; the line says what to install.
    """
    if name not in TABLES:
        raise DataUnavailable(_no_table(name, "no such table"))
    builder = _builder(name, download=False)
    splits = {split: _columns(builder.as_data_source(split)) for split in ("train", *SPLITS)}
    return encode(splits, builder.numeric, builder.categorical, len(builder.classes))


def _columns(source: Any) -> Columns:
    blocks = source.__getitems__(list(range(len(source))))
    columns = {field: np.concatenate([block[field] for block in blocks]) for field in Columns._fields}
    # TFDS hands out labels as objects of bytes; numpy compares arrays of str far faster.
    columns["categorical"] = columns["categorical"].astype("S").astype(str)
    return Columns(**columns)


def _first(examples: Examples, rows: int) -> Examples:
    chosen = np.linspace(0, len(examples.inputs) - 1, rows).astype(int)
    return Examples(examples.inputs[chosen], examples.targets[chosen], examples.classes)


def _to_arrays(rows: list[dict[str, Any]], features: Any, context: int) -> Examples:
    if "text" in features:
        return _windows(b"\n".join(bytes(row["text"]) for row in rows), context)
    images = np.stack([row["image"] for row in rows]).astype(np.float32) / 255
    labels = np.array([row["label"] for row in rows], np.int32)
    return Examples(images, labels, features["label"].num_classes)


def _windows(text: bytes, context: int) -> Examples:
    codes = np.frombuffer(text, np.uint8).astype(np.int32)
    printable = (codes >= _FIRST) & (codes <= _LAST)
    codes = np.where(printable, codes - _FIRST + 2, np.where(codes == ord("\n"), _NEWLINE, _OTHER)).astype(np.int32)
    count = (len(codes) - 1) // context
    inputs = codes[: count * context].reshape(count, context)
    targets = codes[1 : count * context + 1].reshape(count, context)
    return Examples(inputs, targets, TEXT_CLASSES)


@cache
def _builder(name: str, download: bool) -> Any:
    """A prepared builder. Prepared data come first: asking the network when there is none takes minutes."""
    import tensorflow_datasets as tfds
    from absl import logging

    tfds.disable_progress_bar()
    logging.set_verbosity(logging.ERROR)  # TFDS warns of every set that it is about to prepare.
    unavailable, extra = (_no_table, "tables") if name in TABLES else (_unavailable, "data")
    try:
        ours = BUILDERS | TABLES
        if name in ours:
            module, class_name = ours[name]
            builder = getattr(importlib.import_module(module), class_name)(file_format="array_record")
        else:
            builder = tfds.builder(name, file_format="array_record")
        if not builder.is_prepared():
            if name not in ours and not download:
                raise DataUnavailable(unavailable(name, "not prepared on this machine; allow `download` to fetch it"))
            with contextlib.redirect_stdout(io.StringIO()):
                builder.download_and_prepare(file_format="array_record")
    except DataUnavailable:
        raise
    except tfds.core.DatasetNotFoundError:
        raise DataUnavailable(unavailable(name, "no such data set")) from None
    except ImportError as error:
        raise DataUnavailable(unavailable(name, f"{error.name} is missing: pip install 'isozyme[{extra}]'")) from None
    except Exception as error:  # TFDS and its readers raise many kinds; each means that the data cannot be had.
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataUnavailable(unavailable(name, first_line)) from None
    return builder


def _unavailable(name: str, why: str) -> str:
    return f"data set {name!r}: {why}; choose one of {', '.join(BUILDERS)}, or a TFDS name"


def _no_table(name: str, why: str) -> str:
    return f"table {name!r}: {why}; choose one of {', '.join(TABLES)}"
