"""Set-up shared by all tests."""

import hypothesis
import pytest

from isozyme.evaluators import process

process.fix()  # Before anything imports jax.

hypothesis.settings.register_profile("isozyme", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("isozyme")

_RAY = (
    "test_bad_input",
    "test_cluster_",
    "test_command_line",
    "test_cost_and_budgets",
    "test_display",
    "test_docs",
    "test_drill",
    "test_equivalence_launch",
    "test_exam_on_ray",
    "test_funnel_launch",
    "test_kill_and_resume",
    "test_own_modules",
    "test_ray_executor",
    "test_small_print",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With two processes, as in `make test`, one takes all that may start Ray, and begins with it.

    Two Ray clusters at a time would fight over two cores. The rest goes to whoever is free, a file at a time.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group("ray" if _may_start_ray(item) else item.path.stem))
    items.sort(key=lambda item: not _may_start_ray(item))  # Stable: files stay together.


def _may_start_ray(item: pytest.Item) -> bool:
    return item.path.name.startswith(_RAY)


@pytest.fixture(scope="session")
def programs():
    """The space of optimizer programs."""
    from isozyme.spaces.lion import OptimizerPrograms

    return OptimizerPrograms()
