"""What the tests of stores share: entries, kinds of places, and what holds of every message."""

import subprocess
import sys
from typing import Any

import pytest

from isozyme.hashing.digest import digest
from isozyme.hashing.stores import Entry, StoreError, StoreUnavailable, open_store

ENTRY = Entry(({"early": 0.25}, {"fitness": 1 / 3}), (0.5, 2.0), 3, {"fitness": 1e-300}, "runs/a, trial 17, 'ünï\x00'")


def key(name: Any) -> bytes:
    """A behaviour key."""
    return digest(b"test", repr(name).encode())


def draws(evaluations: int, value: float = 0.0) -> Entry:
    """A small entry."""
    return Entry(({"fitness": value},), (1.0,), evaluations)


LASTING = pytest.mark.parametrize("place", ["sqlite", "postgresql", "redis"], indirect=True)
ON_A_SERVER = pytest.mark.parametrize("place", ["postgresql", "redis"], indirect=True)
IN_POSTGRESQL = pytest.mark.parametrize("place", ["postgresql"], indirect=True)
IN_REDIS = pytest.mark.parametrize("place", ["redis"], indirect=True)


def python(script: str, *arguments: str) -> "subprocess.Popen[str]":
    """A process of its own."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def one_line_without_password(error: Exception, name: str) -> str:
    """What holds of every message."""
    text = str(error)
    assert name in text
    assert "\n" not in text
    for part in ("s3cr3t", "wörd", "w%C3%B6rd", "hunter"):
        assert part not in text
    assert error.__suppress_context__ or error.__context__ is None
    return text


def refused(url: str, name: str = "") -> str:
    """The message with which a store is not opened."""
    with pytest.raises(StoreError) as told:
        open_store(url)
    assert not isinstance(told.value, StoreUnavailable)
    return one_line_without_password(told.value, name or url)
