"""One night: the champion scores everybody who may be scored, and the delivery is published whole or not at all."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd

from features.tables import TABLES
from pipelines import alerts, data_nights, engineering, feedback, night_status, on_record, scoring, scrubbing
from pipelines import cohort as cohorts
from pipelines.delivery import manifest
from pipelines.delivery.contract import DeliveryContext
from pipelines.delivery.publish import current, publish, read_scores
from pipelines.delivery.verify import verify_files
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.night_status import NightStatus
from pipelines.progress import Counts
from pipelines.release import ledger
from pipelines.release.registry import model_name
from pipelines.release.reporting import serving
from pipelines.reports import alerts as alerts_page
from pipelines.reports import feedback as feedback_page
from pipelines.reports.data_page import write_data_page
from pipelines.reports.nightly import COUNTED, count_rows, write_nightly
from pipelines.reports.site import Context, write_index
from pipelines.scoring import Basis
from pipelines.training.provenance import code_version, dataset_name
from pipelines.validation import held


def refuse_early(installation: Installation, night: str) -> None:
    """Find out whether the night can be scored before anything is delivered.

    Raises:
        Refused: files of the lake are damaged, nobody was known by then or is on the roster, an outcome has no champion, its
            files were altered, no promotion on record made it champion, or it was trained on what came to be known after
            that night.
    """
    scrubbing.refuse_damage(installation)
    known = engineering.cohort(installation, night)
    cohorts.refuse_an_empty_roster(known)
    scoring.champions(installation, known)


def score(installation: Installation, night: str) -> Counts:
    """Score the roster and store the delivery's rows as `scores`; rows by status.

    Where the run's rows are stored already, or it is in force, they are read back: equal run, equal inputs and code, equal rows.

    Raises:
        Refused: as `scoring.basis` refuses.
    """
    of, lake = scoring.basis(installation, night), installation.lake
    if lake.derived_version("scores") == of.context.run_id:
        rows = lake.load("scores", ["status"])
    else:
        folder = _in_force(installation, of.context)
        rows = decide(of, scoring.stored_matrices(installation)) if folder is None else read_scores(folder)
        stored = rows.assign(reason_codes=rows["reason_codes"].map(list), drivers=rows["drivers"].map(list))
        lake.replace("scores", stored, of.context.run_id)
    return {status: int(count) for status, count in rows["status"].value_counts().items()}


def decide(of: Basis, matrices: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of a run, whose alerts are kept for the nights to come."""
    decided = scoring.decide(of, matrices)
    alerts.keep(of.installation.lake, of.known.as_of, of.context.run_id, decided.alerts)
    return decided.rows


def _in_force(installation: Installation, made: DeliveryContext) -> Path | None:
    """The delivery of this very run, if it is in force and whole; without Parquet its rows could not be read back.

    A damaged one is made again, and put in its place.
    """
    folder = current(installation.settings.deliveries_folder, made.as_of)
    if folder is None or folder.name != made.run_id or "parquet" not in made.formats:
        return None
    return None if verify_files(folder).faults else folder


def deliver(installation: Installation, night: str) -> Counts:
    """Publish the stored rows of the night; the same inputs again change nothing.

    Raises:
        Refused: the rows are of others than are on the roster, or as `publish` refuses.
    """
    installation.report("delivering")
    of = scoring.basis(installation, night)
    folder = _in_force(installation, of.context)
    if folder is None:
        folder = put_in_force(installation, _on_the_roster(of, installation.lake.load("scores")), of.context)
    return {"run_id": of.context.run_id, "rows": record(installation, folder), "roster": of.context.roster_size}


def _on_the_roster(of: Basis, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, if they are of nobody else."""
    strangers = set(rows["subject_id"]) - set(of.known.roster["subject_id"])
    if strangers:
        raise Refused(
            f"The night was not published: {len(strangers)} subjects with a row are not on its roster. Score the night again."
        )
    return rows


def put_in_force(installation: Installation, rows: pd.DataFrame, made: DeliveryContext) -> Path:
    """Publish rows whole or not at all; their folder, which is yet to be put on record."""
    _tell_of_damage(installation, made)
    return publish(installation.settings.deliveries_folder, rows, made, fence=installation.lease.check)


def _tell_of_damage(installation: Installation, made: DeliveryContext) -> None:
    """Where this run was published before and is damaged, put that on record before it is put back: somebody may have altered it."""
    folder = installation.settings.deliveries_folder / made.night / made.run_id
    if folder.exists() and (faults := verify_files(folder).faults):
        told = {"night": made.night, "run_id": made.run_id, "faults": list(faults)}
        installation.audit_log.append("delivery_damaged", told, made.known_at)
        # It is cured here and now, unlike for whoever fetched it.
        fault = faults[0].removesuffix(manifest.CURE).rstrip()
        why = f"The delivery {made.run_id} was damaged and was made again, the same: {fault}"
        night_status.add(installation, made.night, "amber", why)


def record(installation: Installation, folder: Path) -> int:
    """Put a published delivery on record, after those before it that are missing there; how many rows it has."""
    recorded = on_record.runs(installation.audit_log.entries())
    return [_record(installation, each) for each in on_record.missing(folder, recorded) or [folder]][-1]


def _record(installation: Installation, folder: Path) -> int:
    """Put one delivery on record, by its manifest; how many rows it has."""
    body = manifest.read(folder)
    installation.audit_log.append(
        on_record.DELIVERY,
        {"night": body["as_of_date"], "run_id": body["run_id"], "rows": body["rows"], "model": body["model_versions"],
         "policy": body["policy_version"], "inputs": body["input_content"], "code": body["code_version"],
         "sha256": body[manifest.SEAL]},
        pd.Timestamp(body["transactionTime"]),
    )  # fmt: skip
    return int(body["rows"])


def report(installation: Installation, night: str) -> Counts:
    """Write the page that says how the night went: counts only."""
    of = scoring.basis(installation, night)
    status = night_status.conclude(installation, night)
    write_page(of, installation.lake.load("scores", sorted({*alerts_page.TOLD_OF, *COUNTED})), status)
    report_data(installation, night, installation.lake.load("plausibility_counts"))
    return {"status": status.level, "reasons": len(status.reasons)}


def write_page(of: Basis, scores: pd.DataFrame, status: NightStatus | None) -> None:
    """Write a night's page from its delivered rows: counts only."""
    installation, made = of.installation, of.context
    said = feedback.verdicts(installation, of.known)
    page = Context(
        as_of=of.known.as_of.date(), dataset=dataset_name(installation), code_version=made.code_version,
        model_version=", ".join(made.model_versions.values()), policy_version=made.policy_version, run_id=made.run_id,
        overrides=ledger.overrides(installation.audit_log, [served.model for served in of.served.values()]),
    )  # fmt: skip
    write_nightly(
        installation.settings.reports_folder, count_rows(scores), alerts_page.of_night(scores), made.roster_size, page,
        serving(installation, of.served), status, feedback_page.section(said),
    )  # fmt: skip


def overrides(installation: Installation) -> tuple[str, ...]:
    """In sentences, which champions serve outside the release policy, as far as the verified cache where need be."""
    served = [installation.registry.champion(model_name(name)).model for name in installation.settings.outcomes]
    return ledger.overrides(installation.audit_log, served)


def report_data(installation: Installation, night: str, implausible: pd.DataFrame | None = None) -> Path:
    """Write the page that says how the night's data are, from what is on record: counts only.

    Args:
        installation: whose data.
        night: a night on record.
        implausible: what the night's day panel set aside or flagged; None before it is built.
    """
    settings = installation.settings
    page = write_data_page(
        settings.reports_folder,
        data_nights.on_record(installation, night),
        {table: held(settings, table) for table in TABLES},
        implausible,
        data_nights.silent_streams(installation, night),
        settings.door.max_bad_share,
        Context(date.fromisoformat(night), dataset_name(installation), code_version=code_version()),
    )
    write_index(settings.reports_folder)
    return page


def delivered(installation: Installation, night: str) -> tuple[list[dict[str, object]], Path]:
    """Subjects by status and tier of the delivery in force for a night, and its folder, verified.

    Raises:
        Refused: the night was never delivered, or the delivery is damaged.
    """
    folder = current(installation.settings.deliveries_folder, pd.Timestamp(night))
    if folder is None:
        raise Refused(f"There is no delivery for {night}. Run `foretide score --as-of {night}`.")
    return count_rows(read_scores(folder)).to_dict("records"), folder
