"""FHIR R4 as NDJSON: Device (what scored), RiskAssessment (one per subject and outcome), Provenance (how it came so).

Lines are put together as text, since building objects for each would be ten times slower; the tests read them back
with a validator. Three facts that are easily got wrong: `probabilityDecimal` is a percentage, a prediction without
`when` would mean a risk for life, and a period's last day is part of it.
"""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache

import pandas as pd

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
LINES_PER_CHUNK = 2000


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
    lines: list[str] = []
    common = _Common(context)
    predictions: list[str] = []
    columns = ["subject_id", "outcome", "status", "reason_codes", "score_id", "horizon_days", "probability", "tier",
               "drivers", "alert", "action"]  # fmt: skip
    # Rows that were stored have a NaN where there is no text, which is no JSON.
    words = {name: rows[name].astype(object).where(rows[name].notna(), None) for name in ("tier", "alert", "action")}
    records = list(rows.assign(**words)[columns].itertuples(index=False, name=None))
    for at, record in enumerate(records):
        predictions.append(common.prediction(record))
        if at + 1 == len(records) or records[at + 1][:2] != record[:2]:
            lines.append(common.assessment(record, predictions))
            predictions.clear()
        if len(lines) >= LINES_PER_CHUNK:
            yield "".join(lines).encode()
            lines.clear()
    yield "".join(lines).encode()


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


class _Common:
    """The parts of a RiskAssessment that many share, as JSON text made once."""

    def __init__(self, context: DeliveryContext) -> None:
        self.context = context
        self.occurred = f'"occurrenceDateTime":"{instant_text(context.known_at)}"'
        self.performers = {
            outcome: f'"code":{{"text":{_text(f"Risk of {outcome}")}}},'
            f'"performer":{{"reference":"Device/{_device_id(outcome, version)}"}}'
            for outcome, version in context.model_versions.items()
        }
        self.periods: dict[int, str] = {}

    def prediction(self, record: tuple) -> str:  # type: ignore[type-arg]
        _, outcome, status, _, score_id, horizon, probability, tier, drivers = record[:9]
        start = f'{{"id":"{score_id}","outcome":{{"text":{_text(outcome)}}},'
        if status == "scored":
            middle = f'"probabilityDecimal":{probability * 100:.4f},'
        else:
            middle = f'"_probabilityDecimal":{_absent(status)},'
        if tier is not None:
            middle += f'"qualitativeRisk":{{"text":{_text(tier)}}},'
        if len(drivers):
            middle += f'"rationale":{_text("Associated with: " + "; ".join(drivers))},'
        return start + middle + self.period(horizon) + "}"

    def period(self, horizon: int) -> str:
        if horizon not in self.periods:
            last = self.context.as_of + pd.Timedelta(days=int(horizon) - 1)
            self.periods[horizon] = f'"whenPeriod":{{"start":"{self.context.night}","end":"{last:%Y-%m-%d}"}}'
        return self.periods[horizon]

    def assessment(self, record: tuple, predictions: list[str]) -> str:  # type: ignore[type-arg]
        subject, outcome, status, reasons = record[:4]
        alert, action = record[-2:]
        is_scored = status == "scored"
        told = [*reasons] if is_scored else [status, *reasons]
        words = ", ".join([*told, f"alert: {alert}"] if alert is not None else told)
        mitigation = CAUTION if action is None else f"{action[0].upper()}{action[1:]}. {CAUTION}"
        note = f'"note":[{{"text":{_text(words)}}}],' if words else ""
        return (
            f'{{"resourceType":"RiskAssessment","id":"{_assessment_id(self.context, subject, outcome)}",'
            f'"identifier":[{{"system":"{SYSTEM}:delivery","value":"{self.context.run_id}"}}],'
            f'"status":"{"final" if is_scored else "cancelled"}",'
            f'"subject":{{"identifier":{{"system":"{SYSTEM}:subject","value":{json.dumps(subject)}}}}},'
            f"{self.occurred},{self.performers[outcome]},"
            f'"prediction":[{",".join(predictions)}],{note}"mitigation":{_text(mitigation)}}}\n'
        )


@lru_cache(maxsize=4096)
def _text(words: str) -> str:
    return json.dumps(words)


@lru_cache(maxsize=16)
def _absent(status: str) -> str:
    return json.dumps({"extension": [{"url": ABSENT_REASON, "valueCode": ABSENT_CODES[status]}]})


def _entity(role: str, system: str, value: str) -> dict[str, object]:
    return {"role": role, "what": {"identifier": {"system": f"{SYSTEM}:{system}", "value": value}}}


def _device_id(outcome: str, version: str) -> str:
    return short_hash("device", outcome, version)


def _assessment_id(context: DeliveryContext, subject: str, outcome: str) -> str:
    return short_hash(context.run_id, "assessment", subject, outcome)


def _line(resource: dict[str, object]) -> bytes:
    return (json.dumps(resource, separators=(",", ":")) + "\n").encode()
