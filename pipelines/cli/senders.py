"""Help for those who send data: `deidentify`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import Json, answering, app

if TYPE_CHECKING:
    from datetime import date

    from pipelines.deidentification.sender import Planned, Preparation

Columns = list[str] | None
WRITTEN = "COLUMN[=FORMAT]"


@app.command("deidentify")
@answering
def deidentify_command(
    path: Annotated[Path, typer.Argument(help="A CSV or Parquet file, or a folder of them.")],
    key_file: Annotated[Path | None, typer.Option(help="Your secret; it stays with you.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; it must not exist.")] = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Make the key file first.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    shift_dates: Annotated[bool, typer.Option("--shift-dates", help="Move dates back, 1-26 weeks a person.")] = False,
    id_: Annotated[
        Columns, typer.Option("--id", metavar="COLUMN", help="To pseudonyms; the first is the person.")
    ] = None,
    device: Annotated[Columns, typer.Option("--device", metavar="COLUMN", help="To pseudonyms of devices.")] = None,
    date_: Annotated[Columns, typer.Option("--date", metavar=WRITTEN, help="Dates, and how they are written.")] = None,
    birth_date: Annotated[Columns, typer.Option("--birth-date", metavar=WRITTEN, help="To age bands.")] = None,
    age: Annotated[Columns, typer.Option("--age", metavar="COLUMN", help="To age bands.")] = None,
    drop: Annotated[Columns, typer.Option("--drop", metavar="COLUMN", help="Left out, not even read.")] = None,
    as_of: Annotated[str | None, typer.Option(metavar="DATE", help="The day on which ages are reckoned.")] = None,
    separator: Annotated[str, typer.Option(help="Of CSV files.")] = ",",
    encoding: Annotated[str, typer.Option(help="Of CSV files; UTF-8 is written.")] = "utf-8",
    as_json: Json = False,
) -> Answer:
    """Prepare files for sending: pseudonyms, age bands, no identifiers. Try --dry-run first."""
    from pipelines.deidentification.keys import new_key as make_key
    from pipelines.deidentification.keys import read_key
    from pipelines.deidentification.plan import Declared
    from pipelines.deidentification.sender import Preparation, refuse_within
    from pipelines.errors import Usage
    from pipelines.progress import progress_bar
    from pipelines.sources.table.chunks import Layout

    declared = Declared(
        tuple(id_ or ()), tuple(device or ()), tuple(age or ()), tuple(drop or ()), _ways(date_), _ways(birth_date),
        _day(as_of), shift_dates,
    )  # fmt: skip
    if declared.births and declared.as_of is None:
        raise Usage("`--birth-date` needs `--as-of DATE`, the day on which ages are reckoned.")
    with progress_bar(as_json) as report:
        preparation = Preparation(path, declared, Layout(_one(separator), _known(encoding), ("",)), report)
        if dry_run:
            return _answer(preparation, preparation.plans(), "Nothing was written: this is what would be done.")
        if key_file is None or out is None:
            raise Usage("`foretide deidentify` needs --key-file FILE and --out FOLDER, or --dry-run.")
        refuse_within(key_file, out, "The key file")
        refuse_within(key_file, path, "The key file")
        if new_key:
            make_key(key_file)
        key, plans = read_key(key_file), preparation.plans()
        preparation.write(plans, out, key)
    return _answer(preparation, plans, "Keep the key file apart and secret: whoever has it can tell who is who.", [out])


def _answer(preparation: "Preparation", plans: "list[Planned]", said: str, paths: Iterable[Path] = ()) -> Answer:
    left_out = preparation.left_out()
    sentences = [said, *([f"{left_out} files are neither CSV nor Parquet and were left out."] if left_out else [])]
    return Answer("deidentify", [row for one in plans for row in one.told()], paths, sentences)


def _ways(declared: Columns) -> dict[str, str | None]:
    """Column -> how its dates are written; None where nothing is said."""
    pairs = (text.partition("=") for text in declared or ())
    return {name: way or None for name, _, way in pairs}


def _day(text: str | None) -> "date | None":
    from datetime import date

    from pipelines.errors import Usage

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise Usage("`--as-of` is not a date; write it like 2026-07-01.") from error


def _one(separator: str) -> str:
    from pipelines.errors import Usage

    plain = separator.replace("\\t", "\t")
    if len(plain) != 1:
        raise Usage("`--separator` must be one character, such as ; or \\t.")
    return plain


def _known(encoding: str) -> str:
    from pipelines.errors import Usage

    try:
        "".encode(encoding)
    except LookupError:
        raise Usage("`--encoding` is not a known one; write one like utf-8, latin-1 or utf-16.") from None
    return encoding
