"""How a trial is written in a row of the journal, and read back with every field checked."""

import json
from collections.abc import Callable
from typing import Any

from isozyme.evaluators.protocol import Status
from isozyme.search.protocol import Trial

SCHEMA = """
  trial INTEGER PRIMARY KEY, arrival INTEGER, status TEXT NOT NULL, reason TEXT, candidate TEXT NOT NULL,
  metrics TEXT NOT NULL, stages TEXT, static_key BLOB NOT NULL, key BLOB NOT NULL, cached_from INTEGER, hit TEXT,
  taken INTEGER NOT NULL, parents TEXT NOT NULL, operator TEXT NOT NULL, seconds REAL NOT NULL,
  cpu_seconds REAL NOT NULL, saved_seconds REAL NOT NULL, attempts INTEGER NOT NULL, worker TEXT NOT NULL,
  finished REAL NOT NULL, note TEXT NOT NULL, evaluations INTEGER NOT NULL, m2 TEXT, audit REAL, shifted_key BLOB,
  record TEXT"""
COLUMNS = (
    "trial, arrival, status, reason, candidate, metrics, stages, static_key, key, cached_from, hit, taken, parents, "
    "operator, seconds, cpu_seconds, saved_seconds, attempts, worker, finished, note, evaluations, m2, audit, "
    "shifted_key, record"
)
INSERT = f"INSERT INTO trials ({COLUMNS}) VALUES ({', '.join('?' * 26)})"

_encode = json.JSONEncoder(allow_nan=False).encode


def to_row(trial: Trial, arrival: int | None, to_source: Callable[[Any], str]) -> tuple[Any, ...]:
    """The row of a trial. `stages` is left empty where it would repeat `metrics`."""
    t = trial
    repeated = len(t.stages) == 1 and t.stages[0] == t.metrics
    stages = None if repeated else dumps(list(zip(t.stages, t.stage_seconds, strict=True)))
    return (
        t.number, arrival, t.status, t.reason, to_source(t.candidate), dumps(t.metrics), stages,
        bytes.fromhex(t.static_key), bytes.fromhex(t.key), t.cached_from, t.hit, t.taken, str(list(t.parents)),
        t.operator, t.seconds, t.cpu_seconds, t.saved_seconds, t.attempts, t.worker, t.finished, t.note, t.evaluations,
        dumps(t.m2) if t.m2 else None, t.audit, bytes.fromhex(t.shifted_key) or None, t.record or None,
    )  # fmt: skip


def to_trial(row: tuple[Any, ...], from_source: Callable[[str], Any]) -> Trial:
    """The trial of a row.

    Raises:
      ValueError or TypeError: a field is damaged.
    """
    (
        number, _, status, reason, text, metrics_text, stages_text, static, key, owner, hit, taken, parents_text,
        operator, seconds, cpu_seconds, saved_seconds, attempts, worker, finished, note, evaluations, m2_text, audit,
        shifted, record,
    ) = row  # fmt: skip
    found = metrics(metrics_text)
    if stages_text is None:
        stages, stage_seconds = (found,), (saved_seconds if taken else seconds,)
    else:
        stages, stage_seconds = _stages(stages_text)
    return Trial(
        number, from_source(text), parents(parents_text), Status(status), reason, found, _hex(static), _hex(key),
        owner, hit, seconds, finished, operator, stages, stage_seconds, taken, saved_seconds, cpu_seconds, attempts,
        worker, note, evaluations, metrics(m2_text) if m2_text else {}, audit, _hex(shifted or b""), record or "",
    )  # fmt: skip


def dumps(value: Any) -> str:
    """Strict JSON."""
    return _encode(value)


def parents(text: str) -> tuple[int, ...]:
    """Numbers of trials."""
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(number, int) for number in value):
        raise ValueError(f"parents are {text}")
    return tuple(value)


def metrics(text: str) -> dict[str, float]:
    """Numbers by name."""
    return _metrics(json.loads(text))


def _metrics(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or not all(isinstance(number, int | float) for number in value.values()):
        raise ValueError(f"metrics are {value}")
    return value


def _hex(key: Any) -> str:
    if not isinstance(key, bytes):
        raise ValueError(f"a key is {key!r}")
    return key.hex()


def _stages(text: str) -> tuple[tuple[dict[str, float], ...], tuple[float, ...]]:
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(s, list) and len(s) == 2 for s in value):
        raise ValueError(f"stages are {text}")
    return tuple(_metrics(found) for found, _ in value), tuple(float(seconds) for _, seconds in value)
