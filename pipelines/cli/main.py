"""Entry point of the `foretide` command: the application with all of its commands."""

from pipelines.cli import consent, installation, models, nights, senders, sources  # noqa: F401  (each registers its commands)
from pipelines.cli.app import app


def main() -> None:
    """Run the command line."""
    app()
