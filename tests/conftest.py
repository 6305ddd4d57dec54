"""What holds for every test."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A slow machine is no failure, and CI plays the same examples each time: what it finds must be found again.
settings.register_profile("escucha", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("escucha")

# What a failed check compared is told, where checks that several tests share failed too.
pytest.register_assert_rewrite("tests.connectors.conformance", "tests.system.kill")

TIDYING = 120  # seconds that a test may take to clear up after itself


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets those that take longest begin first."""
    items.sort(key=lambda item: "system" not in item.path.parts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Ends a test that never ends clearing up: pytest-timeout stops its clock once a test has failed."""
    faulthandler.dump_traceback_later(TIDYING, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
