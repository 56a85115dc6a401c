"""Stands in until the night's status is built: the contract's `add`, which keeps nothing."""

from pipelines.installation import Installation


def add(installation: Installation, night: str, level: str, reason: str) -> None:
    """Keeps nothing yet."""
