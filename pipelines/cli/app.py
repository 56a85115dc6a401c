"""The `foretide` application: what every command shares, its options, its answers and its exit codes."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

# No library may phone home; set before any of them is imported.
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
# Foretide works on several things side by side: threads of the linear algebra within each would only wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pipelines.cli import answer
from pipelines.cli.answer import Answer

app = typer.Typer(
    name="foretide",
    help="Nightly, calibrated, audited risk scores for mental-health crisis and relapse. For clinical review, always.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="One machine-readable result on standard output.")]
Config = Annotated[Path | None, typer.Option("--config", help="Configuration file; foretide.yaml here by default.")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="The night, as YYYY-MM-DD.")]


def answering(function: Callable[..., Answer]) -> Callable[..., None]:
    """Turn a function that returns an `Answer` into a command that prints it and exits with the right code."""
    name = function.__name__.removesuffix("_command")

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        as_json = bool(kwargs.get("as_json"))
        try:
            result = function(*args, **kwargs)
        except typer.Exit:
            raise
        except (
            Exception,
            KeyboardInterrupt,
        ) as error:  # the outermost edge: data may stand in an error's text, so only its type is shown
            raise typer.Exit(answer.exit_with(name, error, as_json)) from None
        answer.give(result, as_json)
        if not result.ok:
            raise typer.Exit(1)

    return command
