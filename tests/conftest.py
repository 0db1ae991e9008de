"""Set-up shared by all tests."""

from pathlib import Path

import hypothesis
import pytest

from isozyme.evaluators import process

process.fix()  # Before anything imports jax.

hypothesis.settings.register_profile("isozyme", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("isozyme")

_RAY = ("test_cluster_", "test_exam_on_ray", "test_ray_executor")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With two processes, as in `make test`, one takes all that may start Ray, and begins with it.

    Two Ray clusters at a time would fight over two cores. The rest goes to whoever is free, a file at a time.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group("ray" if _may_start_ray(item.path) else item.path.stem))
    items.sort(key=lambda item: not _may_start_ray(item.path))  # Stable: files stay together.


def _may_start_ray(path: Path) -> bool:
    return path.parent.name == "launch" or path.name.startswith(_RAY)


@pytest.fixture(scope="session")
def programs():
    """The space of optimizer programs."""
    from isozyme.spaces.lion import OptimizerPrograms

    return OptimizerPrograms()
