"""Says in sentences, and in tidy rows, what is on record of a score."""

from collections.abc import Iterable
from typing import Any

from pipelines.explain import Account
from pipelines.explain.finding import Row
from pipelines.explain.inputs import Used
from pipelines.explain.recomputing import IMPOSSIBLE, OTHER, SAME, SAME_BUT_NIGHT, Recomputed, content_hash
from pipelines.reports import words

ERASED = (
    "This score was erased: its subject withdrew consent. Nothing of it is kept here, nor can it be computed again."
)
# Who asks has the score's id; who the subject is they know, or need not.
UNTOLD = ("subject_id",)
# What people see of the parts, of those that do not round to nothing; machines get all of them.
SHOWN, LEAST = 12, 0.0005
SHORT = 12


def sentences(account: Account) -> list[str]:
    """The answer for people, the score first."""
    row = account.delivered.row
    said = [_score(row), *_alert(account), _model(account), *_promoter(account), _recomputation(account)]
    said += account.recomputed.remarks
    said.append(_inputs(row, account.inputs))
    if account.former_accesses:
        said.append(
            f"It was asked about {words.counted(account.former_accesses, 'time')} before; the audit log has by whom."
        )
    if account.recomputed.parts:
        said.append(
            "What the score is associated with, beside the median of those scored that night; not what caused it:"
        )
    return said


def _score(row: Row) -> str:
    what = f"{row['outcome']} within {words.counted(row['horizon_days'], 'day')}, night of {row['as_of_date']}"
    if row["probability"] is None:
        why = ", ".join(words.plain(reason) for reason in row["reason_codes"] or ())
        return f"No probability was given for {what}: {words.plain(row['status'])}{f' ({why})' if why else ''}."
    low, high = _percent(row["mean_risk_low"]), _percent(row["mean_risk_high"])
    return (
        f"The risk of {what}, was put at {_percent(row['probability'])} (the mean risk of people with such features at {low} to "
        f"{high}): tier {row['tier']}, rank {row['rank']} of that night. For clinical review."
    )


def _percent(share: float | None) -> str:
    return words.DASH if share is None else f"{100 * share:.1f} %"


def _alert(account: Account) -> list[str]:
    row, of_night = account.delivered.row, account.alert
    step = [f"Step of care: {row['action']}."] if row["action"] else []
    if row["alert"] is None:
        return step
    quiet = " about somebody who had been quiet for weeks" if of_night and of_night["is_quiet"] else ""
    return [f"It raised an alert{quiet}: {row['alert']}.", *step]


def _model(account: Account) -> str:
    row, body, model = account.delivered.row, account.delivered.manifest, account.recomputed.model
    checked = "" if model is None else f" (files verified: sha256 {model.content_sha256[:SHORT]}…)"
    stands = "" if account.delivered.is_in_force else " That delivery has since been superseded."
    return (
        f"It was made by {row['model_version']}{checked}, under policy {row['policy_version']}, from inputs "
        f"{body['input_content'][:SHORT]}…, by code {body['code_version']}; run {row['run_id'][:SHORT]}….{stands}"
    )


def _promoter(account: Account) -> list[str]:
    entry = account.promotion
    if entry is None:
        return ["No promotion on record made that version serve."]
    said = f"That version came to serve by {entry.kind} of {entry.written_at[:10]}, by {entry.by}; `foretide promotions` has why."
    return [said, *([f"It serves outside the release policy: “{entry.override}”."] if entry.override else [])]


def _recomputation(account: Account) -> str:
    done, row = account.recomputed, account.delivered.row
    if done.verdict == SAME:
        return f"Computed again from what is on record it is the same to the byte (sha256 of the row {content_hash(row)[:SHORT]}…)."
    if done.verdict == IMPOSSIBLE:
        return (
            "It cannot be computed again."
            if done.is_retained
            else "It cannot be computed again: inputs no longer retained."
        )
    names = words.listing([words.plain(name) for name in done.differences])
    if done.verdict == SAME_BUT_NIGHT:
        return f"Computed again it is the same, but for {names}, which the whole night decides."
    why = "" if done.is_retained else ", for inputs are no longer retained"
    return f"Computed again it is NOT the same{why}: {names} differ."


def _inputs(row: Row, used: Iterable[Used]) -> str:
    listed = [
        f"{words.counted(one.rows, 'row')} of {words.plain(one.stream)} (newest {one.newest} UTC)" for one in used
    ]
    told = words.listing(listed) if listed else "no row within the time it looks back"
    return f"Of the subject were known by then: {told}; data on {100 * (row['completeness'] or 0):.0f} % of the last 28 days."


def parts(done: Recomputed, shown: int | None = None) -> list[dict[str, Any]]:
    """The parts of the score as tidy rows; for people, the largest and in words."""
    if shown is None:
        return [vars(part) for part in done.parts]
    return [
        {"feature": part.words, "contribution": f"{part.contribution:+.3f}", "risk": "raises" if part.contribution > 0 else "lowers",
         "note": "" if part.is_said else "people held out contradict it"}
        for part in done.parts[:shown]
        if abs(part.contribution) >= LEAST
    ]  # fmt: skip


def details(account: Account) -> dict[str, Any]:
    """Everything on record beside the parts, for machines."""
    delivered, done = account.delivered, account.recomputed
    body, model, entry = delivered.manifest, done.model, account.promotion
    compared = {name: {"delivered": was, "recomputed": now} for name, (was, now) in done.differences.items()}
    return {
        "state": OTHER if done.verdict == OTHER and done.is_retained else done.verdict,
        "score": {name: value for name, value in delivered.row.items() if name not in UNTOLD},
        "row_sha256": content_hash(delivered.row),
        "recomputation": {"verdict": done.verdict, "differences": compared, "remarks": list(done.remarks),
                          "is_retained": done.is_retained},
        "model": None if model is None else {"name": model.name, "version": model.version, "sha256": model.content_sha256},
        "promotion": None if entry is None else vars(entry),
        "delivery": {name: body[name] for name in ("run_id", "input_content", "code_version", "policy_version", "transactionTime")}
        | {"is_in_force": delivered.is_in_force, "audit_entry": account.recorded and account.recorded["hash"]},
        "alert": account.alert,
        "inputs": [vars(one) for one in account.inputs],
        "accesses_before": account.former_accesses,
    }  # fmt: skip
