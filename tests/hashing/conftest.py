"""Places for stores of each kind, one server each for all tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import servers

from isozyme.hashing.stores import Store, open_store


@pytest.fixture(scope="session")
def places() -> Iterator[dict[str, Any]]:
    """Places by kind, made when they are first needed: one server each."""
    made: dict[str, Any] = {}
    yield made
    for place in made.values():
        place.close()


@pytest.fixture(params=servers.KINDS)
def place(request: pytest.FixtureRequest, places: dict[str, Any]) -> Any:
    """A place for a store of each kind, empty."""
    reason = servers.missing(request.param)
    if reason:
        pytest.skip(reason)
    if request.param not in places:
        places[request.param] = servers.KINDS[request.param]()
    places[request.param].clear()
    return places[request.param]


@pytest.fixture
def opened(place: Any) -> Iterator[Callable[[], Store]]:
    """Opens a store at the place, as often as it is called, and closes all in the end."""
    found: list[Store] = []

    def open_another() -> Store:
        found.append(open_store(place.url))
        return found[-1]

    yield open_another
    for store in found:
        store.close()
