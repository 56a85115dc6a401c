"""Commands about rows that were refused at the door: `quarantine list`, `release`, `discard`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import Config, Json, answering, app
from pipelines.cli.held import held

quarantine_app = typer.Typer(no_args_is_help=True, help="Rows refused at the door: list, mend and release, discard.")
app.add_typer(quarantine_app, name="quarantine")

OfTable = Annotated[str | None, typer.Option("--table", help="Only rows of this table.")]
OfRule = Annotated[str | None, typer.Option("--rule", help="Only rows that broke this rule.")]
OfIngest = Annotated[str | None, typer.Option("--ingest", help="Only rows of the ingest whose id begins so.")]
OfFile = Annotated[str | None, typer.Option("--file", help="Only rows of this file.")]


@quarantine_app.command("list")
@answering
def quarantine_list_command(
    table: OfTable = None,
    rule: OfRule = None,
    file: OfFile = None,
    ingest: OfIngest = None,
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """What is in quarantine: table, rule, file, lines and counts; never a value."""
    from pipelines.door.quarantine import Choice, summary
    from pipelines.reports import words
    from pipelines.settings import load_settings

    with held(load_settings(config), as_json) as installation:
        rows = summary(installation.lake, Choice(table, rule, file, ingest))
    total = sum(int(str(row["rows"])) for row in rows)
    said = f"{words.counted(total, 'row is', 'rows are')} in quarantine." if rows else "Nothing is in quarantine."
    return Answer("quarantine list", rows, sentences=[said])


@quarantine_app.command("release")
@answering
def quarantine_release_command(
    table: OfTable = None,
    rule: OfRule = None,
    file: OfFile = None,
    ingest: OfIngest = None,
    set_: Annotated[list[str], typer.Option("--set", metavar="COLUMN=VALUE", help="Give all of them this value.")] = [],  # noqa: B006
    scale: Annotated[list[str], typer.Option("--scale", metavar="COLUMN=FACTOR", help="Multiply by this first.")] = [],  # noqa: B006
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Mend rows where told to, and send them through the door again; what still breaks a rule stays."""
    from pipelines.door.quarantine import Choice
    from pipelines.ingestion import release
    from pipelines.reports import words
    from pipelines.settings import load_settings

    values, factors = _pairs(set_, "--set"), {name: _number(text) for name, text in _pairs(scale, "--scale").items()}
    with held(load_settings(config), as_json) as installation:
        result, left = release(installation, Choice(table, rule, file, ingest), datetime.now(UTC), values, factors)
    added = words.counted(sum(result.count(name, "appended") for name in result.counts), "row")
    said = f"{added} went into the lake, {words.counted(left, 'stays', 'stay')} here."
    return Answer("quarantine release", result.rows(), sentences=[said])


@quarantine_app.command("discard")
@answering
def quarantine_discard_command(
    table: OfTable = None,
    rule: OfRule = None,
    file: OfFile = None,
    ingest: OfIngest = None,
    everything: Annotated[bool, typer.Option("--all", help="Discard all there is.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Remove rows from quarantine for good; the audit log keeps how many."""
    from pipelines.door.quarantine import Choice
    from pipelines.errors import Usage
    from pipelines.ingestion import discard
    from pipelines.reports import words
    from pipelines.settings import load_settings

    if everything == any((table, rule, file, ingest)):
        raise Usage("Say which rows with --table, --rule, --file or --ingest, or --all for every one.")
    with held(load_settings(config), as_json) as installation:
        removed = discard(installation, Choice(table, rule, file, ingest))
    said = f"{words.counted(removed, 'row was', 'rows were')} discarded."
    return Answer("quarantine discard", [{"rows_discarded": removed}], sentences=[said])


def _pairs(given: list[str], option: str) -> dict[str, str]:
    from pipelines.errors import Usage

    pairs = [text.partition("=") for text in given]
    if not all(name and sign for name, sign, _ in pairs):
        raise Usage(f"`{option}` needs COLUMN=VALUE.")
    return {name: value for name, _, value in pairs}


def _number(text: str) -> float:
    from pipelines.errors import Usage

    try:
        return float(text)
    except ValueError:
        raise Usage("`--scale` needs COLUMN=FACTOR with a number.") from None
