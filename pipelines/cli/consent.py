"""Commands about consent and retention: `withdraw`, `retain`."""

import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import AsOf, Config, Json, answering, app
from pipelines.cli.held import held

if TYPE_CHECKING:
    from pipelines.consent.models import FlaggedModel
    from pipelines.consent.withdrawal import Withdrawal

On = Annotated[str | None, typer.Option("--on", metavar="DATE", help="When it was withdrawn; today if not given.")]


@app.command("withdraw")
@answering
def withdraw_command(on: On = None, config: Config = None, as_json: Json = False) -> Answer:
    """Erase subjects who withdrew consent, everywhere within reach. Reads their ids from standard input, one a line."""
    from pipelines.consent import models
    from pipelines.consent.withdrawal import BEYOND_REACH, withdraw
    from pipelines.settings import load_settings
    from pipelines.sinks import night as sinks
    from pipelines.sinks.catching_up import catch_up

    settings, day, ids = load_settings(config), _day(on, "--on"), _ids()
    with held(settings, as_json) as installation:
        done = withdraw(installation, ids, day)
        flagged = models.flagged(installation)
        brought = catch_up(installation)
    told = [*_told(done, len(ids)), *map(sinks.erased, brought), *_kept(flagged), *BEYOND_REACH]
    return Answer("withdraw", done.table(), sentences=told,
                  extra={"withdrawn": len(ids), "models": [vars(model) for model in flagged], "notice": done.notice,
                         "sinks": [of.told() for of in brought], "beyond_reach": list(BEYOND_REACH)})  # fmt: skip


def _ids() -> list[str]:
    """The ids given on standard input, one spelling of each; on a terminal they are asked for and not shown."""
    from pipelines.errors import Usage
    from pipelines.pseudonyms import plain

    if sys.stdin.isatty():
        given = [typer.prompt("subject_id (not shown)", hide_input=True)]
    else:
        try:
            # Not `splitlines`, which breaks at characters that an id may hold.
            given = sys.stdin.buffer.read().decode("utf-8-sig").split("\n")
        except UnicodeDecodeError:
            raise Usage("Standard input is not UTF-8 text. Give one subject_id a line.") from None
    ids = list({plain(name): name for name in given if name.strip()}.values())
    if not ids:
        raise Usage(
            "No subject_id came on standard input. Give one a line; never as an argument, which others can see."
        )
    return ids


def _day(text: str | None, option: str) -> date:
    from datetime import UTC, datetime

    from pipelines.errors import Usage

    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Usage(f"`{option}` is not a date; write it like 2026-07-01.") from None


def _told(done: "Withdrawal", subjects: int) -> list[str]:
    """What was done, in sentences."""
    from pipelines.reports import words

    known = words.counted(subjects, "subject has", "subjects have")
    known = f"{known} a tombstone: whatever comes of them again is refused at the door."
    if not done.rows and not done.deliveries:
        return [f"No rows were found. {known} If you expected some, check how the id is written."]
    rows = words.counted(sum(done.rows.values()), "row")
    edited = words.counted(len(done.deliveries), "delivery", "deliveries")
    damaged = sum(erased.is_damaged for erased in done.deliveries)
    sentences = [f"{rows} went from the lake, and the subjects from {edited}. {known}"]
    if damaged:
        was = words.counted(damaged, "delivery was", "deliveries were")
        sentences.append(f"{was} damaged and could not be searched: the files were removed.")
    return [*sentences, done.notice] if done.notice else sentences


def _kept(flagged: "list[FlaggedModel]") -> list[str]:
    """Which models are kept though they were trained on somebody who withdrew."""
    return [
        f"{model.name} version {model.version}{f' ({model.aliases})' if model.aliases else ''} was trained on subjects "
        f"who withdrew: retrain by {model.retrain_by}; it is retained until then."
        for model in flagged
    ] + ["What this command cannot reach:"]


@app.command("retain")
@answering
def retain_command(
    older_than: Annotated[str, typer.Option(metavar="DAYS|DATE", help="Age in days, or the first day to keep.")],
    as_of: AsOf = None,
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Remove raw minutes that are older than this; daily measures stay what they were."""
    from pipelines.kept_hours import kept_from
    from pipelines.retention import retain
    from pipelines.settings import load_settings

    settings, before = load_settings(config), _before(older_than, _day(as_of, "--as-of"))
    with held(settings, as_json) as installation:
        done = retain(installation, before)
        kept = kept_from(installation.lake)
    said = ["No minutes were ever removed." if kept is None else f"Late minutes of before {kept} are kept out."]
    return Answer("retain", [vars(done)], sentences=said)


def _before(older_than: str, today: date) -> date:
    """The first day whose minutes are kept; never one that is not over."""
    from pipelines.errors import Usage

    before = today - timedelta(days=int(older_than)) if older_than.isdecimal() else _day(older_than, "--older-than")
    if before > today:
        raise Usage("`--older-than` lies ahead of the day that it is reckoned from. Give an earlier date, or days.")
    return before
