"""For all tests: how processes that share the work end."""

import os

import pytest


def pytest_unconfigure(config: pytest.Config) -> None:
    """DuckDB's binding lists what it never frees when a process ends; from a worker that would follow the results."""
    if hasattr(config, "workerinput"):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
