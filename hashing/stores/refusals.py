"""What is said when a store cannot be used: one line that names the store, what is wrong, and what to do."""

import re

# A URL in which the only @ ends user and password, so that no part of a password can be taken for something else.
_URL = re.compile(
    r"(?P<scheme>[a-z]+://)((?P<user>[^:@/?#]*)(?P<password>:[^@/?#]*)?@)?(?P<place>[^@/?#]*(/[^@?#]*)?)(\?[^@#]*)?"
)


class StoreError(ValueError):
    """A store that cannot be used; the message says why and what to do."""


class StoreUnavailable(StoreError):
    """A store that was open and does not answer, or refuses; a later call may find it well again."""


def shown(url: str) -> str:
    """The URL without its password, and without its options, since they may hold one."""
    scheme, mark, _ = url.partition("://")
    if not mark:
        return url
    parts = _URL.fullmatch(url)
    if parts is None:
        return f"{scheme}://…"
    user = "" if parts["user"] is None else f"{parts['user']}{':***' if parts['password'] else ''}@"
    return f"{parts['scheme']}{user}{parts['place']}"


def check_url(url: str) -> None:
    """Refuses a URL of a server whose parts cannot be told apart.

    Raises:
      StoreError: it has an @, / , ? or # where none can be.
    """
    if _URL.fullmatch(url) is None:
        raise StoreError(
            f"{shown(url)}: not a valid URL; write @ / ? # inside of user, password and options as %40 %2F %3F %23"
        )


def no_driver(url: str, package: str) -> StoreError:
    """What is said when the client library cannot be imported."""
    return StoreError(f"{shown(url)}: {package} cannot be imported; pip install 'isozyme[stores]'")


def cannot_open(url: str, what: object, remedy: str) -> StoreError:
    """What is said of a store that cannot be opened; `what` is an error or a text."""
    return StoreError(f"{shown(url)}: {lines_joined(what)}; {remedy}")


def other_format(url: str, found: object, expected: str) -> StoreError:
    """What is said of a store that another version of isozyme has written."""
    return cannot_open(
        url, f"format {found}, this version reads {expected}", "use the version that wrote it, or another store"
    )


def unavailable(url: str, error: Exception) -> StoreUnavailable:
    """What is said of an open store that fails."""
    what = lines_joined(error)
    return StoreUnavailable(f"{shown(url)}: does not work at present ({what}); see whether it is in order")


def lines_joined(what: object) -> str:
    """Returns the text of an error with its lines joined; its type where it has no text."""
    return " ".join(str(what).split()) or type(what).__name__
