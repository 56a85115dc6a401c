"""Looks an installation over and says what is missing, before somebody finds out at three in the morning."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pipelines.errors import ForetideError
from pipelines.settings import Settings, load_settings

PACKAGES = ("pandas", "duckdb", "deltalake", "xgboost", "dagster", "mlflow", "great-expectations", "fairlearn")
FREE_GIB_NEEDED = 5


@dataclass(frozen=True)
class Finding:
    """One thing looked at: fine, worth knowing, or a fault that keeps something from working."""

    check: str
    state: Literal["ok", "note", "fault"]
    finding: str


def examine(config: Path | None) -> list[Finding]:
    """Every finding, in the order in which one would mend them."""
    findings = [_python(), *(_package(name) for name in PACKAGES)]
    try:
        settings = load_settings(config)
    except ForetideError as error:
        return [*findings, Finding("configuration", "fault", str(error))]
    findings.append(
        Finding("configuration", "ok", f"{len(settings.sources)} sources, {len(settings.outcomes)} outcomes")
    )
    checks: tuple[tuple[str, Callable[[Settings], Finding]], ...] = (
        ("dagster.yaml", _dagster), ("state folder", _state_folder), ("lake", _lake), ("champion", _champion),
        ("audit log", _audit_log), ("consent", _consent), ("models to retrain", _to_retrain),
        ("sinks", _sinks), ("notices", _notices),
    )  # fmt: skip
    for name, check in checks:
        try:
            findings.append(check(settings))
        except ForetideError as error:
            findings.append(Finding(name, "fault", str(error)))
    return findings


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok" if sys.version_info >= (3, 11) else "fault", f"{found}, 3.11 or later is needed")


def _package(name: str) -> Finding:
    try:
        return Finding(name, "ok", version(name))
    except PackageNotFoundError:
        return Finding(name, "fault", "not installed; run `make setup`")


def _dagster(settings: Settings) -> Finding:
    if (settings.home / "dagster.yaml").is_file():
        return Finding("dagster.yaml", "ok", "beside the configuration")
    return Finding("dagster.yaml", "fault", "not beside the configuration; copy the one of the project there")


def _state_folder(settings: Settings) -> Finding:
    place = next(p for p in (settings.state_folder, *settings.state_folder.parents) if p.exists())
    free = shutil.disk_usage(place).free / 2**30
    state: Literal["ok", "note"] = "ok" if free >= FREE_GIB_NEEDED else "note"
    return Finding("state folder", state, f"{free:.0f} GiB free, {FREE_GIB_NEEDED} GiB are comfortable")


def _lake(settings: Settings) -> Finding:
    from pipelines.lake import Lake

    tables = Lake(settings.lake_folder).tables() if settings.lake_folder.exists() else []
    return Finding("lake", "ok" if tables else "note", f"{len(tables)} tables" if tables else "empty; ingest a source")


def _champion(settings: Settings) -> Finding:
    from pipelines.installation import Installation
    from pipelines.release import horizons
    from pipelines.release.registry import model_name

    if not (settings.state_folder / "mlflow" / "mlflow.db").exists():
        return Finding("champion", "note", "no model registered yet; run `foretide train`")
    registry = Installation(settings).registry
    served = [registry.champion(model_name(outcome)) for outcome in settings.outcomes]
    for champion in served:
        horizons.refuse_others(settings, champion)
    return Finding("champion", "ok", ", ".join(f"{c.name} version {c.version}" for c in served))


def _audit_log(settings: Settings) -> Finding:
    from pipelines.installation import Installation

    faults = Installation(settings).audit_log.verify()
    return Finding("audit log", "fault" if faults else "ok", "; ".join(faults) or "chain is whole")


def _consent(settings: Settings) -> Finding:
    from pipelines.consent import presence
    from pipelines.consent.tombstones import Tombstones
    from pipelines.installation import Installation
    from pipelines.reports import words

    tombstones = Tombstones(settings.consent_folder)
    if not tombstones.all:
        return Finding("consent", "ok", "nobody withdrew")
    installation = Installation(settings)
    back = len(presence.withdrawn_here(installation, tombstones))
    if back or presence.is_unfinished(installation):
        who = words.counted(back, "subject who withdrew is", "subjects who withdrew are")
        return Finding("consent", "fault", f"{who} here, with a restored copy or since a withdrawal was cut off; the next ingest, "
                       "night or `foretide withdraw` erases them")  # fmt: skip
    return Finding(
        "consent", "ok", f"{words.counted(len(tombstones.all), 'subject')} withdrew, nothing of them is here"
    )


def _to_retrain(settings: Settings) -> Finding:
    from pipelines.consent import models
    from pipelines.installation import Installation

    flagged = models.flagged(Installation(settings))
    told = ", ".join(f"{m.name} version {m.version} by {m.retrain_by}" for m in flagged)
    if not flagged:
        return Finding("models to retrain", "ok", "none was trained on subjects who withdrew")
    return Finding("models to retrain", "note", f"trained on subjects who withdrew and retained: {told}")


def _sinks(settings: Settings) -> Finding:
    if settings.delivery.postgres is None:
        return Finding("sinks", "ok", "none is configured beside the delivery folder")
    from pipelines.sinks.postgres.sink import examine

    return Finding("sinks", "ok", f"PostgreSQL {examine(settings.delivery.postgres)}")


def _notices(settings: Settings) -> Finding:
    from pipelines.notices.channels import NotTold, attempt, channels

    declared, out_of_reach = channels(settings), []
    for channel in declared:
        try:
            attempt(channel, channel.reach)
        except NotTold as error:
            out_of_reach.append(f"{channel.name}: {error}")
    if out_of_reach:
        return Finding("notices", "fault", "; ".join(out_of_reach))
    names = ", ".join(channel.name for channel in declared)
    return Finding(
        "notices", "ok" if declared else "note", f"given by {names}" if declared else "nobody is told of anything"
    )
