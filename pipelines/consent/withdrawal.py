"""Withdraws subjects: everything within reach that is about them goes, and what is beyond reach is said.

The order makes a kill harmless: tombstones first, then models are flagged and the notice is published, for both are
made from rows that are still there, then rows are erased, and the audit log says so last. Whatever was cut off is
done again, to the same end, by the next command that works in the installation.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd

from pipelines.consent import erasure, models, names, notice, presence
from pipelines.consent.erased_scores import ErasedScores
from pipelines.consent.tombstones import Tombstone, Tombstones
from pipelines.delivery import erasure as deliveries
from pipelines.delivery.erasure import Erased
from pipelines.delivery.publish import alone_in
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.tokens import Tokens

KIND = "withdrawal"
BEYOND_REACH = (
    "backups of this installation: what is restored is erased again by the next command, but the copies themselves are "
    "yours to destroy",
    "what consumers and their systems hold of past deliveries: the notice tells them, nobody can make them",
    "the files that senders handed in, exports, notebooks, and folders that `replay` or `audit` was told to keep",
    "figures of groups in reports that were released: the ledger of releases no longer tells who was among them",
    "in the audit log, that somebody's score was asked about: nothing tells any more whose",
    "models: those already exported, and those flagged above until they are retrained",
    "disk blocks that a file system or an SSD has not yet written over: encrypt the disk",
)  # fmt: skip


@dataclass
class Withdrawal:
    """What a withdrawal did: rows by place, links to tokens of logs and ledgers destroyed, deliveries edited, the notice."""

    rows: dict[str, int] = field(default_factory=dict)
    links: int = 0
    deliveries: list[Erased] = field(default_factory=list)
    notice: str = ""
    tokens: list[str] = field(default_factory=list)

    def table(self) -> list[dict[str, object]]:
        """One row per place, as people read it."""
        places: list[dict[str, object]] = [
            {"place": f"lake/{name}", "rows_erased": count} for name, count in sorted(self.rows.items())
        ]
        places += [{"place": "links of tokens", "rows_erased": self.links}] if self.links else []
        return places + [{"place": f"delivery {e.run_id}", "rows_erased": e.rows} for e in self.deliveries]


def withdraw(installation: Installation, ids: Iterable[str], on: date) -> Withdrawal:
    """Erase subjects whose consent was withdrawn on a date, everywhere within reach; safe to repeat.

    The caller holds the installation (`Installation.alone`).

    Raises:
        Fault: the model registry cannot be reached; the tombstones stand, the rest waits for the next command.
    """
    consent = installation.settings.consent
    tombstones = Tombstones(installation.settings.consent_folder)
    ids = list(ids)
    tombstones.bury(ids, on.isoformat(), (on + timedelta(days=consent.retrain_within_days)).isoformat())
    # Here too: a release or the audit log may speak of somebody of whom the installation has no row any more.
    links = Tokens(installation.settings.releases_folder).forget(ids)
    done = carry_out(installation)
    done.links += links
    return done


def carry_out(installation: Installation) -> Withdrawal:
    """Do whatever the tombstones ask for and is not done; cheap when there is nothing."""
    tombstones = Tombstones(installation.settings.consent_folder)
    done = Withdrawal()
    ids = presence.withdrawn_here(installation, tombstones)
    pending = _not_recorded(installation, tombstones)
    if ids or pending or presence.is_unfinished(installation):
        with presence.unfinished(installation):
            tokens = {name: found.token for name in sorted(ids) if (found := tombstones.find(name)) is not None}
            done.tokens = sorted({*tokens.values(), *(tombstone.token for tombstone in pending)})
            _flag_models(installation, tombstones, ids)
            done.notice = _tell(installation, tokens)
            # Before the rows go: what is erased can no longer be put on record.
            ErasedScores(installation.settings.consent_folder).remember(
                deliveries.score_ids_of(installation.settings.deliveries_folder, ids)
            )
            _erase(installation, tombstones, ids, done)
            # They can be made again of what is left.
            shutil.rmtree(installation.settings.backtests_folder, ignore_errors=True)
            if done.tokens:
                told = notice.runs_telling(installation.settings.deliveries_folder, done.tokens)
                installation.audit_log.append(KIND, _entry(done) | {"notices": told}, _latest(tombstones))
    presence.remember(installation, tombstones)
    return done


def _not_recorded(installation: Installation, tombstones: Tombstones) -> list[Tombstone]:
    """Withdrawals that the audit log does not know of: begun and cut off, or lost with a restored copy."""
    entries = installation.audit_log.entries()
    recorded = {token for entry in entries if entry["kind"] == KIND for token in entry["details"]["tokens"]}
    return [tombstone for tombstone in tombstones.all if tombstone.token not in recorded]


def _flag_models(installation: Installation, tombstones: Tombstones, ids: set[str]) -> None:
    with installation.lake.connection() as connection:
        first = erasure.first_received(installation.lake, ids, connection)
    for name, instant in first.items():
        tombstone = tombstones.find(name)
        if tombstone is not None:
            models.flag(installation, instant, tombstone.retrain_by)


def _tell(installation: Installation, tokens: dict[str, str]) -> str:
    """Publish the notice of those whose notice has not gone out; in a sentence, what became of it."""
    root = installation.settings.deliveries_folder
    told = notice.tokens_told(root)
    untold = {name: token for name, token in tokens.items() if token not in told}
    try:
        folder = (
            notice.publish_notice(root, untold, _last_scores(installation), installation.lease.check)
            if untold
            else None
        )
    except Refused as refused:
        return f"No notice could be published, tell consumers by hand. {refused}"
    return "" if folder is None else f"Consumers are told by delivery {folder.name} of {folder.parent.name}."


def _last_scores(installation: Installation) -> pd.DataFrame | None:
    try:
        return installation.lake.load("scores")
    except KeyError:
        return None


def _erase(installation: Installation, tombstones: Tombstones, ids: set[str], done: Withdrawal) -> None:
    lake, root = installation.lake, installation.settings.deliveries_folder
    # Before the rows: once they are gone, nothing tells the next command whose link is left.
    done.links += Tokens(installation.settings.releases_folder).forget(ids)
    with lake.writing(), lake.connection() as connection:
        erasure.remove_leftovers(lake)
        names.remove_names(installation, tombstones)
        done.rows = erasure.erase_subjects(lake, ids, connection)
        for table in erasure.delta_tables(lake):
            erasure.scrub(table)
    if root.is_dir():
        with alone_in(root, installation.lease.check) as own:
            done.deliveries = deliveries.erase_everywhere(root, ids, own)


def _latest(tombstones: Tombstones) -> pd.Timestamp:
    return pd.Timestamp(max(tombstone.at for tombstone in tombstones.all), tz="UTC")


def _entry(done: Withdrawal) -> dict[str, object]:
    return {"tokens": done.tokens, "rows": done.rows, "deliveries": [vars(erased) for erased in done.deliveries]}
