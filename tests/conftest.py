"""For all tests: how processes that share the work end, and that no test is timed."""

import os

import pytest
from hypothesis import settings

# A machine that is busy makes no property false.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_unconfigure(config: pytest.Config) -> None:
    """DuckDB's binding lists what it never frees when a process ends; from a worker that would follow the results."""
    if hasattr(config, "workerinput"):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
