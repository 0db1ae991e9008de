"""Tables as arrays: numbers standardised, labels coded, by what the training rows hold and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

UNKNOWN = 0
"""Code of a label that no training row has."""


@dataclass(frozen=True)
class Table:
    """One split of a table.

    Attributes:
      numeric: [rows, n] float32, no NaN. Columns have mean 0 and variance 1 over the training rows; after them come
        indicators, 1 where a number was missing and 0 elsewhere.
      categorical: [rows, m] int32. Codes from 1 on, in the order of the labels; `UNKNOWN` is 0.
      sizes: of the m vocabularies, `UNKNOWN` included: codes are below them.
      target: [rows]; int32 classes, or float32 numbers with mean 0 and variance 1 over the training rows.
      groups: [rows] int64. Rows with the same number belong together (a day, a person) and are in one split.
      kind: 'classes' or 'number'.
      classes: how many; 0 where the target is a number.
      numeric_names: of the n columns; `x_missing` is the indicator of `x`.
      categorical_names: of the m columns.
    """

    numeric: np.ndarray
    categorical: np.ndarray
    sizes: tuple[int, ...]
    target: np.ndarray
    groups: np.ndarray
    kind: str
    classes: int
    numeric_names: tuple[str, ...]
    categorical_names: tuple[str, ...]


class TableColumns(NamedTuple):
    """A split before encoding.

    Attributes:
      numeric: [rows, n] floats; NaN is a missing value.
      categorical: [rows, m] labels, an array of str.
      target: [rows] codes of classes from 0 on, or real numbers.
      groups: [rows] int64, see `Table`.
    """

    numeric: np.ndarray
    categorical: np.ndarray
    target: np.ndarray
    groups: np.ndarray


def encode(
    splits: Mapping[str, TableColumns], numeric_names: tuple[str, ...], categorical_names: tuple[str, ...], classes: int
) -> dict[str, Table]:
    """Encodes all splits by the training rows.

    Missing numbers become the median of the training rows. Columns in which training rows miss numbers get an
    indicator; where only held-out rows do, no model could learn what it means. Indicators are not standardised: one
    that is set in ten of 200,000 rows would be 140 there.

    Args:
      splits: 'train' and others.
      numeric_names: of the n columns.
      categorical_names: of the m columns.
      classes: how many the target has; 0 for a number.

    Returns:
      Tables of the same names.
    """
    train = splits["train"]
    missed = np.asarray(np.isnan(train.numeric).any(axis=0))
    medians = np.nanmedian(np.asarray(train.numeric, np.float64), axis=0)
    mean, scale = _moments(_fill(train.numeric, medians))
    vocabularies = [np.unique(labels) for labels in train.categorical.T]
    target_mean, target_scale = _moments(np.asarray(train.target, np.float64))
    names = numeric_names + tuple(f"{name}_missing" for name, m in zip(numeric_names, missed, strict=True) if m)

    def one(raw: TableColumns) -> Table:
        target = raw.target if classes else (raw.target.astype(np.float64) - target_mean) / target_scale
        standard = (_fill(raw.numeric, medians) - mean) / scale
        return Table(
            numeric=np.hstack([standard, np.isnan(raw.numeric[:, missed])]).astype(np.float32),
            categorical=_codes(raw.categorical, vocabularies),
            sizes=tuple(len(vocabulary) + 1 for vocabulary in vocabularies),
            target=target.astype(np.int32 if classes else np.float32),
            groups=raw.groups,
            kind="classes" if classes else "number",
            classes=classes,
            numeric_names=names,
            categorical_names=categorical_names,
        )

    return {split: one(raw) for split, raw in splits.items()}


def _fill(numeric: np.ndarray, medians: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(numeric), medians, numeric.astype(np.float64))


def _moments(values: np.ndarray) -> tuple[Any, Any]:
    """Means and standard deviations over rows; a constant column is divided by 1."""
    deviation = values.std(axis=0)
    return values.mean(axis=0), np.where(deviation > 0, deviation, 1.0)


def _codes(labels: np.ndarray, vocabularies: list[np.ndarray]) -> np.ndarray:
    codes = np.empty(labels.shape, np.int32)
    for column, vocabulary in enumerate(vocabularies):
        place = np.minimum(np.searchsorted(vocabulary, labels[:, column]), len(vocabulary) - 1)
        codes[:, column] = np.where(vocabulary[place] == labels[:, column], place + 1, UNKNOWN)
    return codes
