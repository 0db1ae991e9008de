"""Guards a command: what a user can mend ends in one line and exit code 2."""

import sys
from collections.abc import Callable
from pathlib import Path

import isozyme
from isozyme.launch.errors import UsageError

USAGE = 2  # The exit code for what a user can mend.


def guarded(script: str, command: Callable[[], int]) -> int:
    """Runs a command and returns its exit code; prints a `UsageError` as one line and returns 2.

    Args:
      script: the file that was started; it must belong to the checkout that is installed.
      command: returns an exit code.
    """
    try:
        require_same_checkout(script)
        return command()
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE


def require_same_checkout(script: str) -> None:
    """Raises `UsageError` if the installed `isozyme` is another checkout than that of `script`."""
    mine, installed = Path(script).resolve().parent.parent, Path(isozyme.__file__).resolve().parent
    if mine != installed:
        raise UsageError(f"{script} belongs to {mine}, but the installed isozyme is {installed}: pip install -e {mine}")
