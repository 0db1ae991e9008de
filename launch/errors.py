"""What a user can mend: printed as one line, exit code 2."""


class UsageError(ValueError):
    """Names the field, the value given, and the remedy; always in one line."""

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


def type_and_first_line(error: BaseException) -> str:
    """Returns an error's type and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
