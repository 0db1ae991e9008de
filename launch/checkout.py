"""Whether a script and the installed package are of one checkout."""

from pathlib import Path

import isozyme
from isozyme.launch.errors import UsageError


def require_same(script: str) -> None:
    """Raises `UsageError` if the installed `isozyme` is another checkout than that of `script`."""
    mine, installed = Path(script).resolve().parent.parent, Path(isozyme.__file__).resolve().parent
    if mine != installed:
        raise UsageError(f"{script} belongs to {mine}, but the installed isozyme is {installed}: pip install -e {mine}")
