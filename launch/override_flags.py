"""Flags of the form `--config.PATH=VALUE`, which every command line here tells from its own flags."""

from collections.abc import Sequence

from isozyme.launch.errors import UsageError

PREFIX = "--config."


def split(arguments: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Overrides as paths and values, and the other arguments.

    Raises:
      UsageError: an override without a path, or without a value.
    """
    found: list[tuple[str, str]] = []
    for argument in arguments:
        if argument.startswith(PREFIX):
            path, equals, value = argument.removeprefix(PREFIX).partition("=")
            if not equals or not path:
                raise UsageError(f"{argument}: an override has the form --config.PATH=VALUE")
            found.append((path, value))
    return found, [argument for argument in arguments if not argument.startswith(PREFIX)]
