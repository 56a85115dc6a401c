"""Why did this subject get this score on that night? Answered from recorded versions, and recomputed.

Whoever asks looks at one person's data: every question is in the audit log before anything is told, with the subject's
random token. It has no `score_id`: that is a hash of the run and the subject's id, from which whoever has a list of ids
could find out, after a withdrawal too, whom a token stood for. Run, outcome and horizon say the same while the link is kept.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from features import matrix
from pipelines import alerts, by_night
from pipelines.consent.erased_scores import ErasedScores
from pipelines.delivery.contract import SCORE_ID_LENGTH
from pipelines.errors import Refused, Usage
from pipelines.explain import finding, inputs, recomputing
from pipelines.explain.finding import Delivered, Row
from pipelines.explain.inputs import Used
from pipelines.explain.recomputing import Recomputed
from pipelines.installation import Installation
from pipelines.release import ledger
from pipelines.release.ledger import Entry
from pipelines.tokens import Tokens

KIND = "access"
WHAT = "explain"
WITHDRAWN = "consent_withdrawn"


@dataclass(frozen=True)
class Account:
    """All that is on record of one score.

    Args:
        delivered, recomputed: the row as it was published, and what comes out today.
        inputs: what of the subject was known by then.
        promotion: by which entry of the ledger the model served; None where none is on record.
        recorded: the audit log's entry of the delivery; None where there is none.
        alert: the row of the night's alerts, if it raised one.
        former_accesses: how often this score was asked about before.
    """

    delivered: Delivered
    recomputed: Recomputed
    inputs: list[Used]
    promotion: Entry | None
    recorded: dict[str, Any] | None
    alert: Row | None
    former_accesses: int


def explain(installation: Installation, score_id: str, by: str) -> Account | None:
    """The account of a score; None where it was erased with its subject. The caller holds the installation.

    Raises:
        Usage: as `checked`.
        Refused: no delivery has it, or the one that has it is damaged.
    """
    score_id = checked(score_id)
    delivered, told = _looked_up(installation, score_id, by)
    if delivered is None:
        return None
    done = recomputing.recompute(installation, delivered)
    row, asked = delivered.row, {key: value for key, value in told.items() if key != "found"}
    accesses = [
        e for e in installation.audit_log.entries() if e["kind"] == KIND and asked.items() <= e["details"].items()
    ]
    recorded = _recorded(installation, row["run_id"])
    return Account(
        delivered, done, inputs.used(installation, row["subject_id"], f"{row['as_of_date']}", _lookback(installation)),
        _promotion(installation, row["model_version"], recorded), recorded, _alert(installation, row), len(accesses) - 1,
    )  # fmt: skip


def checked(score_id: str) -> str:
    """An id as deliveries write it.

    Raises:
        Usage: it does not look like an id of a score.
    """
    score_id = score_id.strip().lower()
    if len(score_id) != SCORE_ID_LENGTH or not set(score_id) <= set("0123456789abcdef"):
        raise Usage(
            f"That is no score_id: it has {SCORE_ID_LENGTH} characters, digits and a to f. Take it from the column `score_id` of a "
            "delivery; a subject_id is never an argument."
        )
    return score_id


def _looked_up(installation: Installation, score_id: str, by: str) -> tuple[Delivered | None, dict[str, Any]]:
    """The delivered row, None where it was erased, and what the audit log was told of the question."""
    settings = installation.settings
    try:
        search = finding.find(settings.deliveries_folder, score_id)
    except Refused:
        _record(installation, {"found": "damaged"}, by, None)
        raise
    found = search.found
    if found is not None and found.row["status"] != WITHDRAWN:
        row = found.row
        token = Tokens(settings.releases_folder).one(row["subject_id"])
        told = {"found": "delivered", "subject": token, "run_id": row["run_id"], "night": f"{row['as_of_date']}",
                "outcome": row["outcome"], "horizon_days": row["horizon_days"]}  # fmt: skip
        return found, _record(installation, told, by, pd.Timestamp(row["generated_at"]))
    if found is not None or ErasedScores(settings.consent_folder).has(score_id):
        return None, _record(installation, {"found": "erased"}, by, None)
    _record(installation, {"found": "unknown"}, by, None)
    unread = f" {search.damaged} deliveries are damaged and could not be searched." if search.damaged else ""
    raise Refused(
        f"No delivery here has that score, nor was it erased from one.{unread} Check the id, and in which installation."
    )


def _record(installation: Installation, told: dict[str, Any], by: str, at: pd.Timestamp | None) -> dict[str, Any]:
    installation.audit_log.append(KIND, {"what": WHAT, **told}, at, by)
    return {"what": WHAT, **told}


def _lookback(installation: Installation) -> int:
    settings = installation.settings
    return matrix.needs_of(settings.features_on(), settings.catalog()).lookback


def _recorded(installation: Installation, run_id: str) -> dict[str, Any] | None:
    """The first entry of the delivery, for the same inputs again publish nothing new; of a notice, that of the withdrawal."""
    for entry in installation.audit_log.entries():
        told = entry["details"]
        if (entry["kind"] == "delivery" and told["run_id"] == run_id) or run_id in told.get("notices", ()):
            return entry
    return None


def _promotion(installation: Installation, model_version: str, recorded: dict[str, Any] | None) -> Entry | None:
    """The last entry before the delivery by which the version came to serve."""
    name, _, number = model_version.partition(" ")[0].rpartition("/")
    until = "9999" if recorded is None else str(recorded["written_at"])
    served = [e for e in ledger.entries(installation.audit_log, name) if e.after == number and e.written_at <= until]
    return served[-1] if served else None


def _alert(installation: Installation, row: Row) -> Row | None:
    """What the night's alerts have of the row; a notice of a withdrawal carries those of the run that it supersedes."""
    if row["alert"] is None:
        return None
    with installation.lake.connection() as connection:
        kept = by_night.rows(installation.lake, alerts.TABLE, connection)
        if kept is None:
            return None
        runs = ", ".join(by_night.quoted(run) for run in (row["run_id"], row["supersedes"]))
        of_it = {name: by_night.quoted(row[name]) for name in ("outcome", "subject_id")}
        kept = kept.filter(
            f"run_id IN ({runs}) AND {' AND '.join(f'{name} = {value}' for name, value in of_it.items())}"
        )
        found = kept.project("tier, alert, risk, is_quiet").fetchall()
    return dict(zip(("tier", "alert", "risk", "is_quiet"), found[0], strict=True)) if found else None
