"""Commands that bring data in: `ingest`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import Config, Json, answering, app
from pipelines.cli.held import held
from pipelines.errors import Usage

if TYPE_CHECKING:
    from pipelines.sections import Source
    from pipelines.settings import Settings

FORMATS = ("table", "fitbit", "jang2024", "lifesnaps", "simulated")


@app.command("ingest")
@answering
def ingest_command(
    format: Annotated[str, typer.Argument(help=f"One of {', '.join(FORMATS)}.")],
    path: Annotated[Path | None, typer.Argument(help="File or folder; not for simulated.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="Which column is what; for format table.")] = None,
    received_at: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="When it came to be known, with zone.")
    ] = None,
    infer: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Only draft a mapping for these files; for format table.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --infer: the mapping file to write; it must not exist.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Take a source into the lake; content taken in before changes nothing. With --infer: draft a mapping for it."""
    if infer is not None or out is not None:
        if infer is None or format != "table" or any((path, mapping, received_at, config)):
            raise Usage("`foretide ingest table --infer PATH` goes with --out FILE and --json, and with nothing else.")
        return _drafted(infer, out, as_json)
    from pipelines.ingestion import ingest_source
    from pipelines.settings import load_settings

    settings = load_settings(config)
    source = _source(format, path, mapping, settings)
    instant = _instant(received_at)
    with held(settings, as_json) as installation:
        result = ingest_source(installation, source, instant)
    said = "Taken in." if result.is_new else "Nothing new: this content was taken in before."
    return Answer("ingest", result.rows(), sentences=[said])


def _drafted(path: Path, out: Path | None, as_json: bool) -> Answer:
    """A mapping to finish: written where told to, else shown."""
    from pipelines.sources.inference import draft

    if not path.exists():
        raise Usage(f"There is nothing at `{path.name}` to look at. Check the path.")
    text = draft(path)
    said = f"{text.count('TODO')} places are marked TODO. Fill the blanks, check the rest, then ingest with --mapping."
    if out is not None:
        try:
            with out.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise Usage(f"`{out.name}` is there already and is kept. Name another file.") from None
        except OSError:
            raise Usage(f"`{out.name}` cannot be written. Name a file in a folder that exists.") from None
        return Answer("ingest", paths=[out], sentences=[said], extra={"draft": text})
    if not as_json:
        # As it stands: a table's width must not break its lines.
        typer.echo(text, nl=False)
    return Answer("ingest", extra={"draft": text})


def _source(format: str, path: Path | None, mapping: Path | None, settings: "Settings") -> "Source":
    from pydantic import ValidationError

    from pipelines.sections import FileSource, SimulatedSource

    if format not in FORMATS:
        raise Usage(f"`{format}` is not a format. Use one of {', '.join(FORMATS)}.")
    if format == "simulated":
        declared = (source for source in settings.sources if isinstance(source, SimulatedSource))
        return next(declared, SimulatedSource(format="simulated"))
    if path is None:
        raise Usage(f"`foretide ingest {format}` needs a PATH.")
    try:
        return FileSource(
            format=format,
            path=path.resolve(),
            mapping=mapping.resolve() if mapping else None,
        )
    except ValidationError as error:
        raise Usage("Format table needs --mapping FILE, and only format table takes it.") from error


def _instant(text: str | None) -> "datetime | None":
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Usage("`--received-at` is not a time; write it like 2026-07-01T02:00:00+02:00.") from error
    if instant.tzinfo is None:
        raise Usage("`--received-at` has no time zone; write it like 2026-07-01T02:00:00+02:00.")
    if instant > datetime.now(UTC):
        raise Usage(
            "`--received-at` lies ahead: nothing can have been received then. Give the instant of the delivery."
        )
    return instant
