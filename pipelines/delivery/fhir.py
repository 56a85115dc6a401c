"""FHIR R4 as NDJSON: Device (what scored), RiskAssessment (one per subject and outcome), Provenance (how it came so).

Lines are put together as text, column by column, since building objects for each would be ten times slower; the tests read them back
with a validator. Three facts that are easily got wrong: `probabilityDecimal` is a percentage, a prediction without
`when` would mean a risk for life, and a period's last day is part of it.
"""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.delivery.contract import DeliveryContext, instant_text, short_hash

DEVICES, ASSESSMENTS, PROVENANCES = "devices.ndjson", "risk_assessments.ndjson", "provenances.ndjson"
DELETED = "deleted.ndjson"
SYSTEM = "urn:foretide"
ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
# Why a probability is absent, in FHIR's words.
ABSENT_CODES = {
    "insufficient_data": "not-performed",
    "in_episode": "not-applicable",
    "not_eligible": "not-permitted",
    "withheld": "masked",
    "consent_withdrawn": "asked-declined",
}
CAUTION = "For clinical review: augments a clinician's judgement and never replaces it."
# Assessments named by one Provenance: a line of some 60 kB, which any reader takes.
TARGETS_PER_PROVENANCE = 1000
LINES_PER_CHUNK = 5000
ABOUT = ("status", "reason_codes", "alert", "action")
PREDICTED = ("outcome", "status", "tier", "horizon_days", "score_id")


def device_lines(context: DeliveryContext) -> Iterator[bytes]:
    """One Device per outcome: the model version that made its scores."""
    for outcome, version in sorted(context.model_versions.items()):
        yield _line(
            {
                "resourceType": "Device",
                "id": _device_id(outcome, version),
                "identifier": [{"system": f"{SYSTEM}:model", "value": version}],
                "status": "active",
                "manufacturer": "Foretide",
                "deviceName": [{"name": f"Foretide risk of {outcome}", "type": "model-name"}],
                "version": [{"value": version}, {"type": {"text": "code"}, "value": context.code_version}],
            }
        )


def assessment_chunks(rows: pd.DataFrame, context: DeliveryContext) -> Iterator[bytes]:
    """One RiskAssessment per subject and outcome, a prediction with its period per horizon.

    Rows are sorted by the contract's key. A subject without a score gets a cancelled assessment whose predictions
    say why the probability is absent, so that silence never means low risk.
    """
    subjects, of_outcomes = (rows[name].to_numpy(object) for name in ("subject_id", "outcome"))
    is_last = np.ones(len(rows), bool)
    is_last[:-1] = (subjects[1:] != subjects[:-1]) | (of_outcomes[1:] != of_outcomes[:-1])
    ends = np.flatnonzero(is_last) + 1
    for first in range(0, len(ends), LINES_PER_CHUNK):
        start, part = ends[first - 1] if first else 0, ends[first : first + LINES_PER_CHUNK]
        yield _assessments(rows.iloc[start : part[-1]], part - start, context)


def _assessments(rows: pd.DataFrame, ends: np.ndarray, context: DeliveryContext) -> bytes:
    """Lines of the assessments whose predictions end at these rows."""
    joined = pa.ListArray.from_arrays(pa.array([0, *ends], pa.int32()), _predictions(rows, context))
    last = rows.iloc[ends - 1]
    is_scored = pa.array((last["status"] == "scored").to_numpy(bool))
    subjects, outcomes, *about = (last[name].tolist() for name in ("subject_id", "outcome", *ABOUT))
    told = [_words(*of) for of in zip(*about, strict=True)]
    ids = [_assessment_id(context, *of) for of in zip(subjects, outcomes, strict=True)]
    performers = {
        outcome: f'}}}},"occurrenceDateTime":"{instant_text(context.known_at)}","code":{{"text":{_text(f"Risk of {outcome}")}}},'
        f'"performer":{{"reference":"Device/{_device_id(outcome, version)}"}},"prediction":['
        for outcome, version in context.model_versions.items()
    }
    lines = _glued(
        '{"resourceType":"RiskAssessment","id":"', pa.array(ids), f'","identifier":[{{"system":"{SYSTEM}:delivery","value":',
        f'"{context.run_id}"}}],"status":"', pc.if_else(is_scored, "final", "cancelled"),
        f'","subject":{{"identifier":{{"system":"{SYSTEM}:subject","value":', pa.array([json.dumps(subject) for subject in subjects]),
        pa.array([performers[outcome] for outcome in outcomes]), pc.binary_join(joined, ","), "],", pa.array(told), "}\n",
    )  # fmt: skip
    return "".join(lines.to_pylist()).encode()


def _predictions(rows: pd.DataFrame, context: DeliveryContext) -> pa.Array:
    """One prediction per row."""
    of_outcomes, statuses, tiers_of, horizons, score_ids = (rows[name].tolist() for name in PREDICTED)
    percent = (rows["probability"].to_numpy(float) * 100).tolist()
    risks = [
        f'"probabilityDecimal":{value:.4f},' if status == "scored" else _absent(status)
        for value, status in zip(percent, statuses, strict=True)
    ]
    tiers = ["" if pd.isna(tier) else f'"qualitativeRisk":{{"text":{_text(tier)}}},' for tier in tiers_of]
    drivers = [
        f'"rationale":{_text("Associated with: " + "; ".join(of))},' if len(of) else "" for of in rows["drivers"]
    ]
    periods = {horizon: _period(context, horizon) for horizon in set(horizons)}
    outcomes = {outcome: f'","outcome":{{"text":{_text(outcome)}}},' for outcome in set(of_outcomes)}
    return _glued(
        '{"id":"', pa.array(score_ids), pa.array([outcomes[of] for of in of_outcomes]),
        pa.array(risks), pa.array(tiers), pa.array(drivers), pa.array([periods[of] for of in horizons]), "}",
    )  # fmt: skip


def _glued(*parts: pa.Array | str) -> pa.Array:
    """Texts and columns of texts, put together row by row."""
    return pc.binary_join_element_wise(*parts, "")


@lru_cache(maxsize=256)
def _words_of(status: str, reasons: tuple[str, ...], alert: str | None, action: str | None) -> str:
    told = [*reasons] if status == "scored" else [status, *reasons]
    words = ", ".join([*told, f"alert: {alert}"] if alert is not None else told)
    mitigation = CAUTION if action is None else f"{action[0].upper()}{action[1:]}. {CAUTION}"
    note = f'"note":[{{"text":{_text(words)}}}],' if words else ""
    return f'{note}"mitigation":{_text(mitigation)}'


def _words(status: str, reasons: Sequence[str], alert: str | None, action: str | None) -> str:
    """Note and mitigation of an assessment."""
    return _words_of(status, tuple(reasons), None if pd.isna(alert) else alert, None if pd.isna(action) else action)


def _period(context: DeliveryContext, horizon: int) -> str:
    last = context.as_of + pd.Timedelta(days=int(horizon) - 1)
    return f'"whenPeriod":{{"start":"{context.night}","end":"{last:%Y-%m-%d}"}}'


def provenance_lines(rows: pd.DataFrame, context: DeliveryContext, supersedes: str | None) -> Iterator[bytes]:
    """How the assessments came about: the model, the input content, and the delivery they supersede."""
    entities = [_entity("source", "input-content", context.input_content)]
    if supersedes is not None:
        entities.append(_entity("revision", "delivery", supersedes))
    for outcome, version in sorted(context.model_versions.items()):
        subjects = rows.loc[rows["outcome"] == outcome, "subject_id"].unique()
        for start in range(0, len(subjects), TARGETS_PER_PROVENANCE):
            part = subjects[start : start + TARGETS_PER_PROVENANCE]
            yield _line(
                {
                    "resourceType": "Provenance",
                    "id": short_hash(context.run_id, "provenance", outcome, start),
                    "target": [{"reference": f"RiskAssessment/{_assessment_id(context, s, outcome)}"} for s in part],
                    "recorded": instant_text(context.known_at),
                    "policy": [f"{SYSTEM}:policy:{context.policy_version}"],
                    "agent": [{"who": {"reference": f"Device/{_device_id(outcome, version)}"}}],
                    "entity": entities,
                }
            )


def deletion_lines(assessment_ids: Sequence[str]) -> Iterator[bytes]:
    """Bundles of requests to delete assessments of earlier deliveries, as FHIR Bulk Data tells of deletions."""
    for start in range(0, len(assessment_ids), TARGETS_PER_PROVENANCE):
        part = assessment_ids[start : start + TARGETS_PER_PROVENANCE]
        entries = [{"request": {"method": "DELETE", "url": f"RiskAssessment/{name}"}} for name in part]
        yield _line({"resourceType": "Bundle", "type": "transaction", "entry": entries})


@lru_cache(maxsize=4096)
def _text(words: str) -> str:
    return json.dumps(words)


@lru_cache(maxsize=16)
def _absent(status: str) -> str:
    absent = json.dumps({"extension": [{"url": ABSENT_REASON, "valueCode": ABSENT_CODES[status]}]})
    return f'"_probabilityDecimal":{absent},'


def _entity(role: str, system: str, value: str) -> dict[str, object]:
    return {"role": role, "what": {"identifier": {"system": f"{SYSTEM}:{system}", "value": value}}}


def _device_id(outcome: str, version: str) -> str:
    return short_hash("device", outcome, version)


def _assessment_id(context: DeliveryContext, subject: str, outcome: str) -> str:
    return short_hash(context.run_id, "assessment", subject, outcome)


def _line(resource: dict[str, object]) -> bytes:
    return (json.dumps(resource, separators=(",", ":")) + "\n").encode()
