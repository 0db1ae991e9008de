"""Classes of reasons: failures whose reasons differ in a number only are counted together."""

import re
from collections.abc import Collection

_NUMBER = re.compile(r"\s[-+]?\d")
_CLASSES = 200
_OTHER = "other reasons"


def up_to_number(reason: str) -> str:
    """Returns a reason up to its first number, which names its class."""
    return _NUMBER.split(reason)[0]


def counted_as(name: str, known: Collection[str]) -> str:
    """Returns the class that a reason counts as: `name`, or, if that is new and many are known, the rest of them."""
    return name if name in known or len(known) < _CLASSES else _OTHER
