"""Late data: what was received before a past cutoff and came in only after that night was delivered.

Such a night is delivered again, as it would have been, by the model that scored it then; the new delivery names the one it
supersedes. Later nights follow, for their alerts rest on those before.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipelines import alerts, engineering, night, night_status, notices, past_nights, scoring
from pipelines import cohort as cohorts
from pipelines.delivery import manifest
from pipelines.delivery.publish import current
from pipelines.errors import Fault, Refused
from pipelines.installation import Installation
from pipelines.lake import Lake
from pipelines.notices import Notice
from pipelines.progress import Counts
from pipelines.release import registered
from pipelines.scoring import Basis

INGEST, DELIVERY = "ingest", "delivery"
REDELIVERED = "night_redelivered"
STAYS = "not delivered again"


@dataclass(frozen=True)
class _Delivered:
    """A past night that is in force, and the ingests that came in after it was made."""

    night: pd.Timestamp
    versions: Mapping[str, str]
    came_after: tuple[str, ...]


def redeliver(installation: Installation, tonight: str) -> Counts:
    """Deliver past nights again that late data concern, oldest first; by night the run that is in force now, or why it is not.

    At most the last `delivery: late_nights` are looked at. A night whose model cannot be had any more stays as it is, and is told.
    """
    delivered = _delivered(installation, pd.Timestamp(tonight))
    late = [of.night for of in delivered if _is_late(installation, of)]
    told: Counts = {}
    for of in (of for of in delivered if late and of.night >= late[0]):
        try:
            told[f"{of.night:%Y-%m-%d}"] = _again(installation, of)
        # A registry that is away, too: tonight is scored from the cache, past nights wait.
        except (Refused, Fault) as refused:
            told[f"{of.night:%Y-%m-%d}"] = f"{STAYS}: {refused}"
    if told:
        # What is flagged tonight was put aside for those nights.
        engineering.panel(installation, tonight)
    return told


def sentences(told: Counts) -> list[str]:
    """What `redeliver` told, a sentence for each night."""
    return [
        f"Late data: the night of {of_night} was {what if str(what).startswith(STAYS) else f'delivered again as run {what}'}."
        for of_night, what in told.items()
    ]


def _delivered(installation: Installation, tonight: pd.Timestamp) -> list[_Delivered]:
    """Past nights in force, oldest first."""
    settings, found = installation.settings, []
    log = [entry for entry in installation.audit_log.entries() if entry["kind"] in (INGEST, DELIVERY)]
    for back in range(settings.delivery.late_nights, 0, -1):
        of_night = tonight - pd.Timedelta(days=back)
        folder = current(settings.deliveries_folder, of_night)
        places = [
            at for at, entry in enumerate(log) if folder is not None and entry["details"].get("run_id") == folder.name
        ]
        if folder is not None and places:
            after = (entry["details"] for entry in log[places[-1] :] if entry["kind"] == INGEST)
            versions = manifest.read(folder)["model_versions"]
            found.append(_Delivered(of_night, versions, tuple(told["ingest_id"] for told in after)))
    return found


def _is_late(installation: Installation, of: _Delivered) -> bool:
    """Whether anything that came in since had been received by that night's cutoff."""
    if not of.came_after:
        return False
    known_at = cohorts.known_at(installation.settings.sites, of.night)
    return any(_has_rows_by(installation.lake, table, of.came_after, known_at) for table in installation.lake.tables())


def _has_rows_by(lake: Lake, table: str, ingest_ids: tuple[str, ...], known_at: pd.Timestamp) -> bool:
    with lake.connection() as connection:
        names = ", ".join(f"'{name}'" for name in ingest_ids)
        return bool(lake.history(table, known_at, connection).filter(f"ingest_id IN ({names})").limit(1).fetchall())


def _again(installation: Installation, of: _Delivered) -> str:
    """Deliver a night as it is known by now; the run that is in force then."""
    known = engineering.cohort(installation, f"{of.night:%Y-%m-%d}")
    cohorts.refuse_an_empty_roster(known)
    served = {outcome: registered.of_delivery(installation, told) for outcome, told in of.versions.items()}
    matrices = past_nights.matrices(installation, [known], served)
    root = installation.settings.deliveries_folder
    basis = scoring.based_on(installation, known, served, alerts.past(installation, known.as_of), root)
    rows = night.decide(basis, {name: nights[known.as_of] for name, nights in matrices.items()})
    run_id, former = basis.context.run_id, current(installation.settings.deliveries_folder, known.as_of)
    night.put_in_force(installation, rows, basis.context)
    if former is None or former.name != run_id:
        _tell(basis, rows)
    return run_id


def _tell(basis: Basis, rows: pd.DataFrame) -> None:
    """Write the night's page from the new rows, and let whoever is responsible know that another delivery is in force."""
    installation, of_night = basis.installation, f"{basis.known.as_of:%Y-%m-%d}"
    night.write_page(basis, rows, night_status.of(installation, of_night))
    why = f"Data came in late: the night was delivered again, and run {basis.context.run_id} is in force now."
    night_status.add(installation, of_night, "amber", why)
    title = "Scores of a past night were delivered again, for data came in late. Fetch them again."
    notices.give(installation, Notice(REDELIVERED, "amber", of_night, title))
