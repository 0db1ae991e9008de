"""Set-up shared by all tests."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

from isozyme.evaluators import process

process.fix()  # Before anything imports jax.

hypothesis.settings.register_profile("isozyme", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("isozyme")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With two processes, as in `make test`, one takes all that may start Ray, and begins with it.

    Two Ray clusters at a time would fight over two cores. The rest goes to whoever is free, a file at a time.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group("ray" if _may_start_ray(item) else item.path.stem))
    items.sort(key=lambda item: not _may_start_ray(item))  # Stable: files stay together.


def _may_start_ray(item: pytest.Item) -> bool:
    return item.get_closest_marker("ray") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Keeps Ray from starting where a test, or what it starts, lacks the marker: it has no folder to lie in then."""
    with pytest.MonkeyPatch.context() as patch:
        if not _may_start_ray(item):
            patch.setenv("RAY_TMPDIR", os.devnull)
        return (yield)


@pytest.fixture(scope="session")
def programs():
    """The space of optimizer programs."""
    from isozyme.spaces.lion import OptimizerPrograms

    return OptimizerPrograms()
