"""Texts that are no candidates of any space, and texts that would do something if anybody executed them."""

import base64
import contextlib
import json
import os
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

from isozyme.spaces.protocol import InvalidCandidate

_MARK = "ISOZYME_EXAM_EXECUTED"
_CALL = f"__import__('os').environ.setdefault('{_MARK}', 'yes')"


class _Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (_CALL,)


def _pickled() -> str:
    return base64.encodebytes(pickle.dumps(_Payload())).decode()


NONSENSE = ("nonsense", "{", "\0", "(" * 10_000, "9" * 10_000, "def f(:\n\t\n  x", '{"_type": "nobody.Knows"}')
"""What has to be refused."""

HOSTILE = (
    _CALL,
    f"[{_CALL}]",
    f"lambda x: {_CALL}",
    f"@{_CALL}\ndef f(x=({_CALL})):\n    return {_CALL}",
    f"!!python/object/apply:eval [{json.dumps(_CALL)}]",
    json.dumps({"_type": "pyglove.core.utils.json_conversion._OpaqueObject", "value": _pickled()}),
    _pickled(),
)


def infected(source: str) -> Iterator[str]:
    """Yields a candidate's text with a call before it, behind it, and in place of each number or name in it."""
    yield f"{_CALL}\n{source}"
    yield f"{source}\n{_CALL}"
    for match in list(re.finditer(r"\w+", source))[:40]:
        yield f"{source[: match.start()]}({_CALL}){source[match.end() :]}"


def executed(read: Callable[[str], Any], text: str) -> bool:
    """Says whether reading a text executes it; what else comes of it does not matter here."""
    os.environ.pop(_MARK, None)
    with contextlib.suppress(Exception):
        read(text)
    return os.environ.pop(_MARK, None) is not None


def refusal(read: Callable[[str], Any], validate: Callable[[Any], str | None], text: str) -> str | None:
    """Says what is wrong with how a text is refused, or returns None.

    It has to be refused by an `InvalidCandidate` in one line, or read as an invalid candidate.
    """
    shown = f"{text[:40]!r}{'…' if len(text) > 40 else ''}"
    try:
        candidate = read(text)
    except InvalidCandidate as error:
        lines = str(error).strip().splitlines()
        return None if len(lines) == 1 else f"refuses {shown} with {len(lines)} lines instead of one that says why"
    except Exception as error:
        return f"raises {type(error).__name__} for {shown} instead of InvalidCandidate"
    return None if validate(candidate) else f"takes {shown} for the candidate {candidate!r:.80}"
