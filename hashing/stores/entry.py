"""What a store keeps of a behaviour, and how it is written as a row and read back with every field checked."""

import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from isozyme.hashing.digest import DIGEST_BYTES, digest

FORMAT = "1"
_MOST_STAGES = 999
_MOST_EVALUATIONS = 2**43  # Lua, by which Redis compares, counts in doubles.
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one behaviour under one set of conditions.

    Attributes:
      stages: metrics after each stage, means over the evaluations; at least one stage.
      seconds: wall time of each stage, means over the evaluations.
      evaluations: how many there were, n.
      m2: by metric of the last stage, the sum of squared deviations from the mean (Welford).
      origin: where it was evaluated, for people ("folder, trial 17").
    """

    stages: tuple[Mapping[str, float], ...]
    seconds: tuple[float, ...]
    evaluations: int = 1
    m2: Mapping[str, float] = field(default_factory=dict)
    origin: str = ""


class Row(NamedTuple):
    """An entry as it is stored."""

    rank: int  # Of two entries of one key the greater stays; so that a server can compare without reading them.
    text: str | bytes  # Strict JSON in ASCII.
    digest: bytes  # Of key and text.


def to_row(key: bytes, entry: Entry) -> Row:
    """The row of an entry.

    Raises:
      ValueError: the key is no digest, or a field of the entry is of a wrong type or value.
    """
    if not isinstance(key, bytes) or len(key) != DIGEST_BYTES:
        raise ValueError(f"a key is {key!r}: it has to be a digest of {DIGEST_BYTES} bytes")
    e = _checked(entry.stages, entry.seconds, entry.evaluations, entry.m2, entry.origin)
    fields = {"stages": e.stages, "seconds": e.seconds, "evaluations": e.evaluations, "m2": e.m2, "origin": e.origin}
    text = _encode(fields)
    return Row(_rank(e), text, digest(key, text.encode()))


def from_row(key: bytes, row: Row) -> Entry:
    """The entry of a row.

    Raises:
      ValueError: the row does not fit its digest, or holds no valid entry.
    """
    text = row.text.encode() if isinstance(row.text, str) else row.text
    if digest(key, text) != row.digest:
        raise ValueError("it does not fit its digest")
    try:
        entry = _checked(**json.loads(text.decode(), parse_constant=_refused))
    except (TypeError, RecursionError) as error:
        raise ValueError(f"it is no entry ({error})") from None
    if row.rank != _rank(entry):
        raise ValueError(f"its rank is {row.rank} where it should be {_rank(entry)}")
    return entry


def _rank(entry: Entry) -> int:
    """More evaluations come first, then more stages."""
    return entry.evaluations * (_MOST_STAGES + 1) + len(entry.stages)


class Reader:
    """Reads rows, and leaves out damaged ones with one warning each."""

    def __init__(self, name: str) -> None:
        self._name, self._told = name, set[bytes]()

    def entries(self, keys: Iterable[bytes], rows: Mapping[bytes, Row]) -> dict[bytes, Entry]:
        """The sound entries of `keys`, in their order."""
        found = {}
        for key in keys:
            row = rows.get(key)
            if row is None or key in found:
                continue
            try:
                found[key] = from_row(key, row)
            except ValueError as error:
                self._warn(key, error)
        return found

    def _warn(self, key: bytes, error: ValueError) -> None:
        if key not in self._told:
            self._told.add(key)
            text = f"{self._name}: the entry of key {key.hex()} is damaged and left out: {error}"
            warnings.warn(text, RuntimeWarning, stacklevel=4)  # At the line that calls get.


def chunks(items: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """Lists of up to `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _checked(stages: Any, seconds: Any, evaluations: Any, m2: Any, origin: Any) -> Entry:
    """The entry of these fields, with plain floats and dicts; ValueError if there is none."""
    if not _is_list(stages) or not _is_list(seconds) or not 0 < len(stages) == len(seconds):
        raise ValueError("there has to be at least one stage, with one time each")
    if len(stages) > _MOST_STAGES:
        raise ValueError(f"there are {len(stages)} stages: at most {_MOST_STAGES}")
    if not _is_number(evaluations) or not isinstance(evaluations, int) or not 1 <= evaluations <= _MOST_EVALUATIONS:
        raise ValueError(f"evaluations are {evaluations!r}: a whole number of at least 1")
    if not isinstance(origin, str):
        raise ValueError(f"the origin is {origin!r}: a text")
    found, deviations = tuple(map(_metrics, stages)), _metrics(m2)
    times = tuple(map(_finite, seconds))
    if not deviations.keys() <= found[-1].keys():
        raise ValueError(f"m2 names {sorted(deviations)}, the last stage {sorted(found[-1])}")
    if min(times) < 0 or min(deviations.values(), default=0) < 0:
        raise ValueError("a time or a sum of squares is negative")
    return Entry(found, times, evaluations, deviations, origin)


def _metrics(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"metrics are {value!r}: numbers by name")
    return {name: _finite(number) for name, number in value.items()}


def _finite(value: Any) -> float:
    try:
        if _is_number(value) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise ValueError("a metric, time or sum of squares is no finite number")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _refused(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no JSON")
