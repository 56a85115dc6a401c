"""Computes a delivered row once more, from what the lake and the registry have on record, and compares the two."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from features import matrix as matrices
from models import explanation, risk
from models.errors import ModelsError
from models.explanation import Part
from models.outcomes import Outcome
from models.risk import HazardModel
from pipelines import alerts, contents, engineering, scoring
from pipelines.cohort import Cohort
from pipelines.delivery import contract, manifest
from pipelines.delivery.contract import KEY
from pipelines.errors import Refused
from pipelines.explain.finding import Delivered, Row
from pipelines.installation import Installation
from pipelines.kept_hours import kept_from
from pipelines.release import registered
from pipelines.release.context import policy_version
from pipelines.release.registry import ModelVersion, ServedModel
from pipelines.scoring import Basis
from pipelines.training.provenance import code_version

# What of a row follows from everybody who was scored that night.
OF_THE_NIGHT = ("tier", "rank", "alert", "action", "reason_codes", "drivers")
SAME, SAME_BUT_NIGHT, OTHER, IMPOSSIBLE = (
    "same bytes",
    "same but for what the whole night decides",
    "other",
    "not recomputed",
)


@dataclass(frozen=True)
class Recomputed:
    """What came of computing a row once more.

    Args:
        verdict: `same bytes`; `same but for what the whole night decides`, where others or the policy are not what they were;
            `other`; `not recomputed`.
        differences: by column what was delivered and what comes out now.
        remarks: in sentences, what is not as it was on that night.
        parts: what the score is associated with; empty where there is no score.
        model: the version that made the score, as the registry has it; None where it is gone.
        is_retained: whether every raw minute that the score looked at is still there.
    """

    verdict: str
    differences: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    model: ModelVersion | None = None
    is_retained: bool = True


def recompute(installation: Installation, delivered: Delivered) -> Recomputed:
    """The row anew, by the model version that the manifest names, whether or not it serves today.

    The stored day panel, which is made again where need be, is all that this writes.
    """
    row = delivered.row
    outcome = next((o for o in engineering.outcomes(installation) if o.name == row["outcome"]), None)
    if outcome is None:
        return Recomputed(IMPOSSIBLE, remarks=(f"The outcome `{row['outcome']}` is no longer declared.",))
    try:
        served = registered.of_delivery(installation, row["model_version"])
        return _by_model(installation, delivered, outcome, served)
    except (Refused, ModelsError) as error:
        return Recomputed(IMPOSSIBLE, remarks=(str(error),))


def _by_model(installation: Installation, delivered: Delivered, outcome: Outcome, served: ServedModel) -> Recomputed:
    row, body, model = delivered.row, delivered.manifest, risk.load(served.folder)
    known = engineering.cohort(installation, f"{row['as_of_date']}")
    matrix = engineering.night_matrix(installation, f"{row['as_of_date']}", outcome, model, row["subject_id"])
    past = alerts.past(installation, known.as_of)
    of = Basis(installation, known, {outcome.name: served}, past, manifest.context_of(body))
    now = scoring.decide(of, {outcome.name: matrix}).rows
    remarks, is_night_whole = _what_changed(of, body)
    is_retained = _is_retained(installation, known, tuple(matrix.columns))
    if not is_retained:
        remarks.append(
            f"Raw minutes of before {kept_from(installation.lake)} are no longer retained; hourly sums stand in their place."
        )
    is_it = (now[KEY] == [row[name] for name in KEY]).all(axis=1)
    if not is_it.any():
        remarks.append("The rows of the subject that were known that night are no longer in the lake.")
        return Recomputed(IMPOSSIBLE, remarks=tuple(remarks), model=served.model, is_retained=False)
    (fresh,) = contract.to_arrow(now[is_it].assign(supersedes=row["supersedes"])).to_pylist()
    differs = {
        name: (row[name], fresh[name])
        for name in contract.COLUMNS
        if content_hash(row, [name]) != content_hash(fresh, [name])
    }
    verdict = _verdict(differs, is_night_whole)
    return Recomputed(verdict, differs, tuple(remarks), _parts(of, matrix, row, now, model), served.model, is_retained)


def _is_retained(installation: Installation, known: Cohort, columns: Sequence[str]) -> bool:
    """Whether every raw minute within the time that the features look back is still there."""
    since, catalog = kept_from(installation.lake), installation.settings.catalog()
    needs = matrices.needs_of([name for name in columns if name in catalog.by_name], catalog)
    # A day to spare: minutes are removed by days in UTC.
    return since is None or pd.Timestamp(since) < known.as_of - pd.Timedelta(days=needs.lookback + 1)


def content_hash(row: Row, names: Sequence[str] = contract.COLUMNS) -> str:
    """What the bytes of some fields of a row, as the contract types them, are known by."""
    schema = pa.schema([contract.SCHEMA.field(name) for name in names])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_table(pa.Table.from_pylist([{name: row[name] for name in names}], schema))
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _verdict(differs: dict[str, Any], is_night_whole: bool) -> str:
    if not differs:
        return SAME
    return SAME_BUT_NIGHT if not is_night_whole and set(differs) <= set(OF_THE_NIGHT) else OTHER


def _what_changed(of: Basis, body: dict[str, Any]) -> tuple[list[str], bool]:
    """What is not as it was when the delivery was made, in sentences; and whether all that decides the night is."""
    settings, known_at, expected = of.installation.settings, of.known.known_at, body["roster"]["expected"]
    lost, policy, past = expected - len(of.known.roster), policy_version(settings), alerts.content_of(of.past)
    remarks = [
        told for is_so, told in (
            (lost, f"{abs(lost)} of the {expected} subjects of that night are {'no longer' if lost > 0 else 'newly'} here, so that "
             "tier, rank and what is usual among them cannot be computed as they were."),
            (body["code_version"] != code_version(),
             f"It was made by code version {body['code_version']}; this is {code_version()}."),
            (body["policy_version"] != policy, f"Policy {body['policy_version']} was in force; today's is {policy}."),
            (body["alert_history"] != past, "The alerts of earlier nights, on which tonight's depend, are not those of then."),
            (pd.Timestamp(body["transactionTime"]) != known_at,
             "Cutoff or time zones of the sites were declared otherwise, so that another instant is looked back from."),
            (body["input_content"] != contents.version(of.installation.lake, known_at),
             "What counts as known by that night is not what it was: rows were erased, or came in since with an earlier receipt."),
        ) if is_so
    ]  # fmt: skip
    return remarks, not lost and (body["policy_version"], body["alert_history"]) == (policy, past)


def _parts(of: Basis, matrix: pd.DataFrame, row: Row, now: pd.DataFrame, model: HazardModel) -> tuple[Part, ...]:
    """What the score is associated with, beside the medians of everybody scored that night; nothing where none was given."""
    scored = now.loc[now["status"] == "scored", "subject_id"]
    matrix = matrix[matrix["subject_id"].isin(scored)].reset_index(drop=True)
    own = matrix[matrix["subject_id"] == row["subject_id"]]
    if own.empty or row["probability"] is None:
        return ()
    usual, language = explanation.medians(model, matrix), scoring.language(of.installation)
    return tuple(explanation.parts_of(model, own, usual, row["horizon_days"], language))
