"""Entry point of the `foretide` command: the application with all of its commands."""

import signal

from pipelines.cli import (  # noqa: F401  (each registers its commands)
    audits,
    consent,
    explain,
    features,
    installation,
    models,
    monitoring,
    nights,
    policies,
    promotions,
    quarantine,
    senders,
    sources,
)
from pipelines.cli.app import app


def main() -> None:
    """Run the command line; who asks it to end (SIGTERM) is answered like Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()
