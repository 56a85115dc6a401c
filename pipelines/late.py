"""Late data: what was received before a past cutoff and came in only after that night was delivered.

Such a night is delivered again, as it would have been, by the model that scored it then; the new delivery names the one it
supersedes. Later nights follow, for their alerts rest on those before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines import alerts, engineering, night, night_status, notices, on_record, past_nights, scoring
from pipelines import cohort as cohorts
from pipelines.delivery import manifest
from pipelines.delivery.publish import current
from pipelines.errors import Fault, Refused
from pipelines.installation import Installation
from pipelines.lake import Lake
from pipelines.notices import Notice
from pipelines.progress import Counts
from pipelines.release import registered, shadow
from pipelines.reports import words
from pipelines.scoring import Basis

INGEST = "ingest"
REDELIVERED = "night_redelivered"
STAYS = "not delivered again"
NOTICE = (
    "the notice of a withdrawal is in force, so that consumers find it. Once they have read it, `foretide score --as-of` with that "
    "date supersedes it"
)


@dataclass(frozen=True)
class _Delivered:
    """A past night that is in force, and what came in and was put on record since.

    `recorded` holds the runs that were put on record for it, oldest first; the one in force is not among them where a redelivery
    was cut off before it was told and put on record.
    """

    night: pd.Timestamp
    folder: Path
    versions: Mapping[str, str]
    recorded: tuple[str, ...]
    came_after: tuple[str, ...]

    @property
    def is_cut_off(self) -> bool:
        return bool(on_record.missing(self.folder, self.recorded))


def redeliver(installation: Installation, tonight: str) -> Counts:
    """Deliver past nights again that late data concern, oldest first; by night the run that is in force now, or why it is not.

    At most the last `delivery: late_nights` are looked at. A night whose model cannot be had any more, whose delivery is
    damaged or the notice of a withdrawal, or that cannot be made by what is declared today, stays as it is; tonight's status says so.
    One that was cut off on its way is taken up again. Whatever other night was cut off, however long ago, is put on record.
    """
    log = installation.audit_log.entries()
    delivered, told = _all_delivered(installation, pd.Timestamp(tonight), log)
    looked_at = {f"{of.night:%Y-%m-%d}" for of in delivered}
    # Tonight's are put on record with what takes their place.
    for folder in on_record.cut_off(
        installation.settings.deliveries_folder, on_record.runs(log), {*looked_at, tonight}
    ):
        night.record(installation, folder)
    late = [of.night for of in delivered if of.is_cut_off or _is_late(installation, of)]
    for of in (of for of in delivered if late and of.night >= late[0]):
        told[f"{of.night:%Y-%m-%d}"] = _again_if_it_can(installation, of)
    if late:
        # What is flagged tonight was put aside for those nights.
        engineering.panel(installation, tonight)
    if stays := _in_a_sentence(told):
        night_status.add(installation, tonight, "amber", stays)
    return dict(sorted(told.items()))


def sentences(told: Counts) -> list[str]:
    """What `redeliver` told, a sentence for each night."""
    return [
        f"Late data: the night of {of_night} was {what if str(what).startswith(STAYS) else f'delivered again as run {what}'}."
        for of_night, what in told.items()
    ]


def _in_a_sentence(told: Counts) -> str:
    """Of what `redeliver` told, the nights that stay as they are, by why; empty where none does."""
    nights: dict[str, list[str]] = {}
    for of_night, what in sorted(told.items()):
        if str(what).startswith(STAYS):
            nights.setdefault(str(what).removeprefix(f"{STAYS}: ").rstrip("."), []).append(of_night)
    each = "; ".join(f"{words.listing(of)}: {why}" for why, of in nights.items())
    return f"Late data: past nights stay as they are, for they could not be delivered again. {each}." if each else ""


def _all_delivered(
    installation: Installation, tonight: pd.Timestamp, log: Sequence[Mapping[str, Any]]
) -> tuple[list[_Delivered], Counts]:
    """Past nights in force that may be delivered again, oldest first; and by night, why one stays however late its data are."""
    found: list[_Delivered] = []
    stays: Counts = {}
    for back in range(installation.settings.delivery.late_nights, 0, -1):
        of_night = tonight - pd.Timedelta(days=back)
        try:
            folder = current(installation.settings.deliveries_folder, of_night)
            body = None if folder is None else manifest.read(folder)
        except Refused as refused:
            stays[f"{of_night:%Y-%m-%d}"] = f"{STAYS}: {refused}"
            continue
        if folder is None or body is None:
            continue
        of = _Delivered(of_night, folder, body["model_versions"], *_on_record(log, f"{of_night:%Y-%m-%d}"))
        if not body["withdrawn"]:
            found.append(of)
        elif _is_late(installation, of):
            stays[f"{of_night:%Y-%m-%d}"] = f"{STAYS}: {NOTICE}"
    return found, stays


def _on_record(log: Sequence[Mapping[str, Any]], of_night: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The runs on record for a night, each as often as it came into force, and the ingests since the last of them."""
    runs: list[str] = []
    since = 0
    for at, entry in enumerate(log):
        if entry["kind"] == on_record.DELIVERY and entry["details"]["night"] == of_night:
            run_id, since = str(entry["details"]["run_id"]), at
            runs += [run_id] if runs[-1:] != [run_id] else []
    ingests = (entry["details"]["ingest_id"] for entry in log[since:] if entry["kind"] == INGEST)
    return tuple(runs), tuple(ingests)


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


def _again_if_it_can(installation: Installation, of: _Delivered) -> str:
    """Deliver a night as it is known by now; the run that is in force then, or why it stays as it is. Tonight goes on."""
    # A registry that is away, too: tonight is scored from the cache, past nights wait.
    obstacles: tuple[type[Exception], ...] = (Fault, *shadow.obstacles())
    try:
        return _again(installation, of)
    except obstacles as error:
        # Whoever was superseded does not go on.
        installation.lease.check()
        return f"{STAYS}: {error if isinstance(error, Fault) else shadow.in_words(error)}"


def _again(installation: Installation, of: _Delivered) -> str:
    """Deliver a night as it is known by now; the run that is in force then.

    Put on record last: whatever is killed before that is done again at the next night, and tells the same.
    """
    known = engineering.cohort(installation, f"{of.night:%Y-%m-%d}")
    cohorts.refuse_an_empty_roster(known)
    served = {outcome: registered.of_delivery(installation, told) for outcome, told in of.versions.items()}
    matrices = past_nights.matrices(installation, [known], served)
    root = installation.settings.deliveries_folder
    basis = scoring.based_on(installation, known, served, alerts.past(installation, known.as_of), root)
    rows = night.decide(basis, {name: nights[known.as_of] for name, nights in matrices.items()})
    folder = night.put_in_force(installation, rows, basis.context)
    fresh = on_record.missing(folder, of.recorded)
    if fresh:
        _tell(basis, rows, len(of.recorded) + len(fresh) - 1)
    night.record(installation, folder)
    return folder.name


def _tell(basis: Basis, rows: pd.DataFrame, redeliveries: int) -> None:
    """Write the night's page from the rows in force, and let whoever is responsible know that another delivery is in force.

    Args:
        redeliveries: how many times the night was delivered again; at none, a first delivery was cut off, and has no page yet.
    """
    installation, of_night = basis.installation, f"{basis.known.as_of:%Y-%m-%d}"
    night.write_page(basis, rows, night_status.of(installation, of_night))
    if not redeliveries:
        return
    why = f"Data came in late: redelivery {redeliveries} of the night is run {basis.context.run_id}. The last one is in force."
    night_status.add(installation, of_night, "amber", why)
    title = "Scores of a past night were delivered again, for data came in late. Fetch them again."
    # By the count, the second notice of a night is another one than the first.
    notices.give(installation, Notice(REDELIVERED, "amber", of_night, title, counts={"redeliveries": redeliveries}))
