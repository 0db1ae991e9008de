"""How a trial is written in a row of the journal, and read back with every field checked.

One table of fields makes the schema, the statements, both directions, and the JSON of a trial.
"""

import inspect
import json
import math
from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from isozyme.evaluators.protocol import Status
from isozyme.search.protocol import Effort, Keys, Proposal, Trial


def _encoder() -> Callable[[Any, int], Sequence[str]]:
    """Makes an encoder of strict JSON once; `JSONEncoder.encode` makes one a call, which takes longer than encoding."""
    plain = json.JSONEncoder(allow_nan=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # An interpreter without the C encoder.
        return lambda value, _: plain.encode(value)
    quote = json.encoder.encode_basestring_ascii
    return make(None, plain.default, quote, None, plain.key_separator, plain.item_separator, False, False, False)


_encode, _raw_decode = _encoder(), json.JSONDecoder().raw_decode


def _decode(text: str) -> Any:
    """Reads JSON without the search for white space around it, which takes longer than a short value; none is there."""
    value, end = _raw_decode(text)
    if end != len(text):
        raise ValueError(f"{text} goes on after its value")
    return value


def dumps(value: Any) -> str:
    """Writes strict JSON.

    Raises:
      ValueError: a number is not finite.
    """
    return "".join(_encode(value, 0))


def parents(text: str) -> tuple[int, ...]:
    """Reads numbers of trials.

    Raises:
      ValueError: the text is no such list.
    """
    value = _decode(text)
    if not isinstance(value, list) or not all(isinstance(number, int) for number in value):
        raise ValueError(f"parents are {text}")
    return tuple(value)


def metrics(text: str) -> dict[str, float]:
    """Reads numbers by name.

    Raises:
      ValueError: the text is no such object.
    """
    return _metrics(_decode(text))


def _metrics(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or not all(isinstance(number, int | float) for number in value.values()):
        raise ValueError(f"metrics are {value}")
    return value


def _stages(text: str) -> tuple[dict[str, float], ...]:
    value = _decode(text)
    if not isinstance(value, list):
        raise ValueError(f"stages are {text}")
    return tuple([_metrics(stage) for stage in value])


def _seconds(text: str) -> tuple[float, ...]:
    value = _decode(text)
    if not isinstance(value, list) or not all(isinstance(number, int | float) for number in value):
        raise ValueError(f"seconds of stages are {text}")
    return tuple(value)


def _names(text: str) -> tuple[str, ...]:
    value = _decode(text)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"names of artifacts are {text}")
    return tuple(value)


def _hexadecimal(key: Any) -> str:
    if not isinstance(key, bytes):
        raise ValueError(f"a key is {key!r}")
    return key.hex()


class _Codec(NamedTuple):
    """How a value is kept in SQLite and shown in JSON; None leaves it as it is."""

    write: Callable[[Any], Any] | None = None
    read: Callable[[Any], Any] | None = None
    show: Callable[[Any], Any] | None = None


_AS_IS = _Codec()
_STATUS = _Codec(None, Status)
_PARENTS = _Codec(lambda numbers: str(list(numbers)), parents, list)
_METRICS = _Codec(dumps, metrics, dict)
_STAGES = _Codec(show=list)  # Read and written together with the metrics.
_SECONDS = _Codec(lambda seconds: str(list(seconds)), _seconds, list)
_SCATTER = _Codec(lambda found: dumps(found) if found else None, lambda text: metrics(text) if text else {}, dict)
_KEY = _Codec(bytes.fromhex, _hexadecimal)
_KEY_OR_NONE = _Codec(lambda key: bytes.fromhex(key) or None, lambda key: _hexadecimal(key or b""))
_TEXT_OR_NONE = _Codec(lambda text: text or None, lambda text: text or "")
_NAMES_OR_NONE = _Codec(
    lambda names: dumps(list(names)) if names else None, lambda text: _names(text) if text else (), list
)
_SHARE = _Codec(show=lambda share: share if share is None or math.isfinite(share) else "failed")


class _Field(NamedTuple):
    """One column, its SQL type, the attribute of a trial that it keeps, and how."""

    column: str
    kind: str
    attribute: str
    codec: _Codec = _AS_IS


_FIELDS = (
    _Field("trial", "INTEGER PRIMARY KEY", "number"),
    _Field("status", "TEXT NOT NULL", "status", _STATUS),
    _Field("reason", "TEXT", "reason"),
    _Field("candidate", "TEXT NOT NULL", "proposal.candidate"),  # The space reads and writes it.
    _Field("parents", "TEXT NOT NULL", "proposal.parents", _PARENTS),
    _Field("operator", "TEXT NOT NULL", "proposal.operator"),
    _Field("asked", "INTEGER", "proposal.stages"),
    _Field("note", "TEXT NOT NULL", "proposal.note"),
    _Field("metrics", "TEXT NOT NULL", "metrics", _METRICS),
    _Field("static_key", "BLOB NOT NULL", "keys.static", _KEY),
    _Field("key", "BLOB NOT NULL", "keys.behaviour", _KEY),
    _Field("shifted_key", "BLOB", "keys.shifted", _KEY_OR_NONE),
    _Field("cached_from", "INTEGER", "cached_from"),
    _Field("hit", "TEXT", "hit"),
    _Field("stages", "TEXT", "stages", _STAGES),  # Empty where it would repeat `metrics`.
    _Field("stage_seconds", "TEXT NOT NULL", "stage_seconds", _SECONDS),
    _Field("taken", "INTEGER NOT NULL", "taken"),
    _Field("seconds", "REAL NOT NULL", "effort.seconds"),
    _Field("cpu_seconds", "REAL NOT NULL", "effort.cpu_seconds"),
    _Field("saved_seconds", "REAL NOT NULL", "saved_seconds"),
    _Field("attempts", "INTEGER NOT NULL", "effort.attempts"),
    _Field("worker", "TEXT NOT NULL", "effort.worker"),
    _Field("finished", "REAL NOT NULL", "finished"),
    _Field("evaluations", "INTEGER NOT NULL", "evaluations"),
    _Field("m2", "TEXT", "m2", _SCATTER),
    _Field("audit", "REAL", "audit", _SHARE),
    _Field("record", "TEXT", "record", _TEXT_OR_NONE),
    _Field("device", "TEXT", "device", _TEXT_OR_NONE),
    _Field("artifacts", "TEXT", "artifacts", _NAMES_OR_NONE),
)
_NAMES = tuple(field.column for field in _FIELDS)
COLUMNS = ", ".join(_NAMES)
SCHEMA = ", ".join([*(f"{field.column} {field.kind}" for field in _FIELDS), "arrival INTEGER"])
INSERT = f"INSERT INTO trials ({COLUMNS}, arrival) VALUES ({', '.join('?' * (len(_FIELDS) + 1))})"

_values = attrgetter(*(field.attribute for field in _FIELDS))
_CANDIDATE, _METRICS_PLACE, _STAGES_PLACE = map(_NAMES.index, ("candidate", "metrics", "stages"))
_WRITERS = [(place, field.codec.write) for place, field in enumerate(_FIELDS) if field.codec.write is not None]
_READERS = [(place, field.codec.read) for place, field in enumerate(_FIELDS) if field.codec.read is not None]
_SHOWN = [(field.column, field.codec.show) for field in _FIELDS if field.codec.show is not None]


def to_row(trial: Trial, arrival: int | None, to_source: Callable[[Any], str]) -> list[Any]:
    """Writes a trial as values of `INSERT`."""
    row = [*_values(trial), arrival]
    for place, write in _WRITERS:
        row[place] = write(row[place])
    stages = trial.stages
    row[_STAGES_PLACE] = None if len(stages) == 1 and stages[0] == trial.metrics else dumps(stages)
    row[_CANDIDATE] = to_source(row[_CANDIDATE])
    return row


_PARTS = {"proposal": Proposal, "keys": Keys, "effort": Effort}
_ATTRIBUTES = [*(field.attribute for field in _FIELDS), *_PARTS]


def _arguments(kind: type[Any], prefix: str) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Makes what picks the arguments of a class, in their order, from values in the order of `_ATTRIBUTES`."""
    return itemgetter(*(_ATTRIBUTES.index(prefix + name) for name in inspect.signature(kind).parameters))


_MAKERS = [(kind, _arguments(kind, f"{name}.")) for name, kind in _PARTS.items()]
_trial_arguments = _arguments(Trial, "")


def to_trial(row: Sequence[Any], from_source: Callable[[str], Any]) -> Trial:
    """Reads a trial from the values of its `COLUMNS`.

    Raises:
      ValueError or TypeError: a field is damaged.
    """
    values = list(row)
    for place, read in _READERS:
        values[place] = read(values[place])
    text = values[_STAGES_PLACE]
    values[_STAGES_PLACE] = (values[_METRICS_PLACE],) if text is None else _stages(text)
    values[_CANDIDATE] = from_source(values[_CANDIDATE])
    for kind, arguments in _MAKERS:
        values.append(kind(*arguments(values)))
    trial = Trial(*_trial_arguments(values))
    if len(trial.stages) != len(trial.stage_seconds):
        raise ValueError(f"{len(trial.stages)} stages took {len(trial.stage_seconds)} times")
    return trial


def to_json(trial: Trial) -> dict[str, Any]:
    """Makes plain values of a trial, by column; its candidate has to be one, as a journal read with `str` gives it.

    An infinite audit is 'failed', since JSON knows no infinity.
    """
    shown = dict(zip(_NAMES, _values(trial), strict=True))
    for name, show in _SHOWN:
        shown[name] = show(shown[name])
    return shown
