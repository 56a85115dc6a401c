"""Commands about what serves: `promote`, `rollback`, `promotions`."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import Config, Json, answering, app
from pipelines.cli.held import held

if TYPE_CHECKING:
    from pipelines.settings import Settings

OfOutcome = Annotated[str | None, typer.Option("--outcome", help="Which one, where several are declared.")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who answers for it; stays on record.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; names no subject.")]


@app.command("promote")
@answering
def promote_command(
    outcome: OfOutcome = None,
    override: Annotated[
        bool, typer.Option("--override", help="Serve it though the policy holds it back; needs --by and --reason.")
    ] = False,
    by: By = None,
    reason: Reason = None,
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Pass the challenger of the last training through the gate again, and make it champion."""
    from pipelines.errors import Usage
    from pipelines.release import promotion
    from pipelines.release.context import overrides
    from pipelines.release.judgement import decision_of
    from pipelines.settings import load_settings

    settings = load_settings(config)
    name = _one(settings, outcome)
    if reason is not None and not override:
        raise Usage("`--reason` goes with `--override`; within the policy its rules are the reason.")
    with held(settings, as_json) as installation:
        word = promotion.words(installation, by, reason) if override else None
        done = promotion.promote(installation, name, promotion.name_of(installation, by), word)
        rules = [vars(rule) for rule in decision_of(installation, name).rules]
        outside = overrides(installation, name)
    said = "It is champion already." if done is None else f"{done.model} version {done.after} serves from now on."
    return Answer("promote", rules, [settings.reports_folder / "index.html"], [said, *outside],
                  extra={"overrides": outside})  # fmt: skip


@app.command("rollback")
@answering
def rollback_command(
    outcome: OfOutcome = None, by: By = None, reason: Reason = None, config: Config = None, as_json: Json = False
) -> Answer:
    """Take the champion back: the version that served before it serves again."""
    from pipelines.release import promotion
    from pipelines.release.context import overrides
    from pipelines.reports import changes
    from pipelines.settings import load_settings

    settings = load_settings(config)
    name = _one(settings, outcome)
    with held(settings, as_json) as installation:
        done = promotion.rollback(installation, name, promotion.words(installation, by, reason))
        outside = overrides(installation, name)
    said = f"{done.model} version {done.after} serves again; version {done.before} was taken back."
    more = "Trainings promote nothing until you do: `foretide promote`."
    rows = [vars(done)] if as_json else changes.table([done])
    return Answer("rollback", rows, sentences=[said, more, *outside])


@app.command("promotions")
@answering
def promotions_command(config: Config = None, as_json: Json = False) -> Answer:
    """The ledger: who made which version champion, when, instead of which, by which policy, and why."""
    from pipelines.installation import Installation
    from pipelines.release import ledger
    from pipelines.reports import changes
    from pipelines.settings import load_settings

    log = Installation(load_settings(config)).audit_log
    faults = log.verify()
    if faults:
        return Answer("promotions", sentences=faults, ok=False)
    rows = ledger.table(log) if as_json else changes.table(ledger.entries(log))
    said = "Reasons and hashes in full: `foretide promotions --json`." if rows else "Nothing was promoted yet."
    return Answer("promotions", rows, sentences=[said])


def _one(settings: "Settings", outcome: str | None) -> str:
    from pipelines.errors import Usage

    names = ", ".join(f"`{name}`" for name in settings.outcomes)
    if outcome is None and len(settings.outcomes) > 1:
        raise Usage(f"Several outcomes are declared. Say which by `--outcome`: {names}.")
    if outcome is not None and outcome not in settings.outcomes:
        raise Usage(f"No such outcome is declared. `--outcome` is one of {names}.")
    return outcome or next(iter(settings.outcomes))
