"""Set-up shared by all tests."""

import hypothesis
import pytest

from isozyme.evaluators import process

process.fix()  # Before anything imports jax.

hypothesis.settings.register_profile("isozyme", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("isozyme")


@pytest.fixture(scope="session")
def programs():
    """The space of optimizer programs."""
    from isozyme.spaces.lion import OptimizerPrograms

    return OptimizerPrograms()
