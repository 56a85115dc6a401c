"""The command that accounts for one score: `explain`."""

from typing import Annotated

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import Config, Json, answering, app
from pipelines.cli.held import held


@app.command("explain")
@answering
def explain_command(
    score_id: Annotated[str, typer.Argument(help="The column `score_id` of a delivery.")],
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who asks; your login name if not given.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Why this score on that night: from recorded versions, computed again. Who asks stays on record."""
    from pipelines.explain import checked, explain, telling
    from pipelines.release.promotion import name_of
    from pipelines.settings import load_settings

    settings = load_settings(config)
    # A mistyped id must not wait for another command to end.
    checked(score_id)
    with held(settings, as_json, settings.night.wait_minutes) as installation:
        account = explain(installation, score_id, name_of(installation, by or _login()))
    if account is None:
        return Answer("explain", sentences=[telling.ERASED], extra={"state": "erased"})
    rows = telling.parts(account.recomputed, None if as_json else telling.SHOWN)
    return Answer(
        "explain", rows, sentences=telling.sentences(account), extra=telling.details(account), is_told_first=True
    )


def _login() -> str:
    """The login name, as the system has it; who has none is told apart from the job itself."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unnamed"
