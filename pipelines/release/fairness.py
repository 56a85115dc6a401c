"""Audits the challenger: verdicts to the lake, the page and its bundle to the report site, tables to MLflow; releases on request."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from models.fairness import showing
from models.fairness.audit import Audit, Audited
from pipelines import engineering
from pipelines.installation import Installation
from pipelines.release import judgement, releases, tracking
from pipelines.release.context import context_of, last_night
from pipelines.release.registry import CHALLENGER, CHAMPION, ModelVersion, model_name
from pipelines.release.releases import Release
from pipelines.reports.bundle import write_bundle
from pipelines.reports.fairness import page_text, write_fairness
from pipelines.reports.fairness.former import Former
from pipelines.reports.site import slug, write_index
from pipelines.training.auditing import audit_of, described
from pipelines.training.provenance import dataset_name

# Below the reports, a folder for each outcome and in it one for each version; below a run in MLflow, too.
BUNDLES = "fairness"
COMPARED = ("attribute", "group", "reference", "metric", "difference", "low", "high", "verdict", "mdd", "why")
# Where there is no model yet, as in a replay.
UNREGISTERED = "unregistered"


@dataclass(frozen=True)
class Told:
    """An audit as it was written: of which outcome, what is shown of it, and where its page lies."""

    outcome: str
    audit: Audit
    shown: showing.Shown
    page: Path


def audit(installation: Installation, night: str) -> list[Told]:
    """Audit every outcome's challenger on its out-of-sample predictions; store verdicts, write pages and bundles."""
    told = [_told(installation, night, outcome) for outcome in installation.settings.outcomes]
    verdicts = [of.audit.verdicts.assign(outcome=of.outcome) for of in told]
    results = tracking.content_of(installation.lake.load("results"))
    installation.lake.replace("verdicts", pd.concat(verdicts, ignore_index=True), version=results)
    write_index(installation.settings.reports_folder)
    return told


def audit_again(installation: Installation) -> list[Told]:
    """Write the fairness reports of the last training again.

    Raises:
        Refused: nothing was trained here.
    """
    return audit(installation, last_night(installation))


def release(installation: Installation, told: Told) -> Release:
    """Put what may leave of an audit on record and its bundle beside the internal one.

    Raises:
        Refused: an earlier release and this one together would tell of a few.
    """
    night, shown = last_night(installation), showing.releasable(told.audit)
    folder, version = _bundle(installation, told.outcome)
    page = page_text(shown, context_of(installation, night, told.outcome))
    made = releases.release(
        installation.settings.releases_folder, shown, told.audit.members, told.audit.event_members, night=night,
        report=f"{told.outcome} {version}", folder=folder, page=page,
    )  # fmt: skip
    # The ledger alone would not tell that its last record was taken away.
    entry = {"number": made.number, "report": made.report, "night": made.night, "sha256": made.sha256}
    installation.audit_log.append("fairness_release", entry, engineering.cohort(installation, night).known_at)
    return made


def compared(shown: showing.Shown) -> list[dict[str, Any]]:
    """The verdict of each comparison of two groups of one attribute, as far as they are large enough to be shown."""
    verdicts = shown.tables["verdicts"]
    rows = verdicts.loc[~verdicts["is_crossed"], list(COMPARED)].astype(object)
    return rows.where(rows.notna(), None).to_dict("records")


def counted(audited: Audit) -> str:
    """How all comparisons came out, crossed groups too: `3 fail, 12 insufficient evidence`."""
    found = audited.verdicts["verdict"].value_counts()
    return ", ".join(f"{count} {str(verdict).replace('_', ' ')}" for verdict, count in sorted(found.items()))


def audited_of(installation: Installation, outcome: str) -> Audited:
    """Which scores the audit is of."""
    served, split = judgement.served(installation, outcome)
    horizon = installation.settings.outcomes[outcome].alert_horizon
    return Audited(dataset_name(installation), outcome, "onset", horizon, split, served)


def _told(installation: Installation, night: str, outcome: str) -> Told:
    installation.report(f"auditing {outcome}")
    audited = audited_of(installation, outcome)
    tested = installation.lake.load(f"predictions_{outcome}").query("split == @audited.split")
    scored = described(installation, night, outcome, tested.rename(columns={audited.model: "probability"}))
    found = audit_of(installation, night, audited, scored)
    shown, context = showing.internal(found), context_of(installation, night, outcome)
    former = _former(installation, outcome)
    page, alone = write_fairness(installation.settings.reports_folder, shown, context, former)
    folder, _ = _bundle(installation, outcome)
    bundle = write_bundle(folder, shown, alone)
    challenger = installation.registry.find(model_name(outcome), CHALLENGER)
    if challenger is not None:
        texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(bundle.iterdir())}
        tracking.log_texts(installation.registry.tracking_uri, challenger.run_id, BUNDLES, texts)
        tracking.set_tag(installation.registry.tracking_uri, challenger.run_id, BUNDLES, counted(found))
    return Told(outcome, found, shown, page)


def _bundle(installation: Installation, outcome: str, of: ModelVersion | None = None) -> tuple[Path, str]:
    """The folder of a version's bundles, by default the challenger's, and the version."""
    found = of or installation.registry.find(model_name(outcome), CHALLENGER)
    version = UNREGISTERED if found is None else found.version
    return installation.settings.reports_folder / BUNDLES / slug(outcome) / version, version


def _former(installation: Installation, outcome: str) -> Former | None:
    """What the audit of the champion found, else of the newest version before the challenger that has a bundle."""
    name = model_name(outcome)
    challenger, champion = (installation.registry.find(name, of) for of in (CHALLENGER, CHAMPION))
    if challenger is None:
        return None
    earlier = [champion] if champion is not None and champion != challenger else _before(installation, challenger)
    for version in earlier:
        folder, _ = _bundle(installation, outcome, version)
        with suppress(FileNotFoundError):
            rows, verdicts = (
                pd.read_csv(folder / showing.INTERNAL / f"{table}.csv", keep_default_na=False, na_values=[""])
                for table in ("rows", "verdicts")
            )
            return Former(f"{version.name}/{version.version}", _night(installation, version.tags), rows, verdicts)
    return None


def _before(installation: Installation, version: ModelVersion) -> list[ModelVersion]:
    """Earlier versions of the same model that are still registered, newest first."""
    numbers = range(int(version.version) - 1, 0, -1)
    found = (installation.registry.version(version.name, str(number)) for number in numbers)
    return [of for of in found if of is not None]


def _night(installation: Installation, tags: Mapping[str, str]) -> str:
    """The night of a version's training."""
    zone = installation.settings.sites.default_time_zone
    return f"{pd.Timestamp(tags['known_at']).tz_convert(zone):%Y-%m-%d}"
