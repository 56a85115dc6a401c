"""What must hold of a delivery's FHIR files beyond what a validator of single resources knows.

A validator takes a probability of 140 per cent, a prediction without a period (a risk for life), a reference that leads
nowhere. Here every line is read again and held against the manifest, the other files and, where there are, the rows.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.delivery import fhir

LEGAL_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
STATUSES = ("final", "cancelled")
REVIEW = "for clinical review"
# A probability is written as a percentage with four decimals.
ROUNDING = 5.1e-5
NOT_JSON = "lines that are no such resource"


def _no_number(text: str) -> None:
    """Python reads NaN and Infinity, which are not JSON."""
    raise ValueError(text)


DECODE = json.JSONDecoder(parse_constant=_no_number).decode


class Prediction(NamedTuple):
    """What a prediction says, beside its assessment's: None where it says nothing."""

    score_id: str
    subject: str
    outcome: str
    days: int | None
    percent: float | None
    tier: str | None
    is_final: bool


def faults(folder: Path, body: dict[str, Any], rows: pa.Table | None) -> list[str]:
    """Every broken rule of the FHIR files in a folder, by file, with counts and without a value.

    Args:
        folder: a delivery whose files are those of its manifest.
        body: its manifest.
        rows: the same delivery's rows, if it holds Parquet.
    """
    if not (folder / fhir.ASSESSMENTS).is_file():
        return []
    broken: dict[str, Counter[str]] = {name: Counter() for name in (fhir.DEVICES, fhir.ASSESSMENTS, fhir.PROVENANCES)}
    devices = _devices(folder, broken[fhir.DEVICES])
    predictions, ids = _assessments(folder, body, devices, broken[fhir.ASSESSMENTS])
    _provenances(folder, ids, devices, broken[fhir.PROVENANCES])
    if rows is not None:
        _held_against_rows(predictions, rows, broken[fhir.ASSESSMENTS])
    return [f"`{name}`: {count} {rule}." for name, rules in broken.items() for rule, count in rules.items() if count]


def _resources(path: Path, kind: str, broken: Counter[str]) -> Iterator[dict[str, Any]]:
    """The resources of a file; lines that are none are counted."""
    if not path.is_file():
        broken["file missing"] += 1
        return
    with path.open("rb") as handle:
        for line in handle:
            try:
                made = DECODE(line.decode())
                is_kind = made["resourceType"] == kind and isinstance(made["id"], str)
            except (ValueError, KeyError, TypeError):
                is_kind = False
            if is_kind:
                yield made
            else:
                broken[NOT_JSON] += 1


def _devices(folder: Path, broken: Counter[str]) -> set[str]:
    found = [made["id"] for made in _resources(folder / fhir.DEVICES, "Device", broken)]
    _count_ids(found, broken)
    return {f"Device/{name}" for name in found}


def _count_ids(found: list[str], broken: Counter[str]) -> None:
    broken["ids that FHIR does not allow"] += sum(LEGAL_ID(name) is None for name in found)
    broken["ids that are not unique"] += len(found) - len(set(found))


def _assessments(
    folder: Path, body: dict[str, Any], devices: set[str], broken: Counter[str]
) -> tuple[list[Prediction], list[str]]:
    """Check each assessment by itself; all predictions in order, and the ids."""
    predictions: list[Prediction] = []
    ids: list[str] = []
    periods = _Periods(body["as_of_date"])
    for made in _resources(folder / fhir.ASSESSMENTS, "RiskAssessment", broken):
        try:
            ids.append(made["id"])
            told = [_prediction(made, part, periods, broken) for part in made["prediction"]]
            _check(made, told, devices, broken)
            predictions += told
        except (KeyError, TypeError, AttributeError, ValueError):
            broken[NOT_JSON] += 1
    _count_ids(ids, broken)
    return predictions, ids


class _Periods:
    """Lengths of periods that begin with the night, each reckoned once; both ends are part of a period."""

    def __init__(self, night: str) -> None:
        self.night = night
        self.known: dict[tuple[str, str], int | None] = {}

    def days(self, period: dict[str, str]) -> int | None:
        """Days from the night to the period's end; None where there is no such period."""
        ends = (period.get("start", ""), period.get("end", ""))
        if ends not in self.known:
            self.known[ends] = self._days(*ends)
        return self.known[ends]

    def _days(self, start: str, end: str) -> int | None:
        try:
            days = (date.fromisoformat(end) - date.fromisoformat(start)).days + 1
        except ValueError:
            return None
        return days if days > 0 and start == self.night else None


def _prediction(made: dict[str, Any], part: dict[str, Any], periods: _Periods, broken: Counter[str]) -> Prediction:
    is_final, percent = made["status"] == "final", part.get("probabilityDecimal")
    days = periods.days(part.get("whenPeriod", {}))
    if days is None:
        broken["predictions without a period from the night to a later day"] += 1
    if percent is not None and not 0 <= percent <= 100:
        broken["predictions with a probability outside 0 to 100 per cent"] += 1
    if is_final and percent is None:
        broken["predictions of final assessments without a probability"] += 1
    if not is_final:
        if percent is not None:
            broken["predictions with a probability though the assessment is not final"] += 1
        if not _says_why_absent(part):
            broken["absent probabilities without a reason"] += 1
    tier = part["qualitativeRisk"]["text"] if "qualitativeRisk" in part else None
    subject = made["subject"]["identifier"]["value"]
    return Prediction(part["id"], subject, part["outcome"]["text"], days, percent, tier, is_final)


def _says_why_absent(part: dict[str, Any]) -> bool:
    told = [extension.get("url") for extension in part.get("_probabilityDecimal", {}).get("extension", ())]
    return told == [fhir.ABSENT_REASON]


def _check(made: dict[str, Any], told: list[Prediction], devices: set[str], broken: Counter[str]) -> None:
    if made["status"] not in STATUSES:
        broken["assessments that are neither final nor cancelled"] += 1
    if made["performer"]["reference"] not in devices:
        broken[f"performers that are not in {fhir.DEVICES}"] += 1
    if len({(part.outcome, part.days) for part in told}) != len(told) or not told:
        broken["assessments without one prediction for each horizon"] += 1
    if REVIEW not in made.get("mitigation", "").lower():
        broken["assessments that do not say they are for clinical review"] += 1
    if not made.get("occurrenceDateTime"):
        broken["assessments that do not say when they were made"] += 1


def _provenances(folder: Path, ids: list[str], devices: set[str], broken: Counter[str]) -> None:
    """Every assessment has its provenance, and no provenance is of something else."""
    found: list[str] = []
    targets: list[str] = []
    for made in _resources(folder / fhir.PROVENANCES, "Provenance", broken):
        try:
            found.append(made["id"])
            targets += [target["reference"] for target in made["target"]]
            broken[f"agents that are not in {fhir.DEVICES}"] += sum(
                agent["who"]["reference"] not in devices for agent in made["agent"]
            )
        except (KeyError, TypeError, AttributeError):
            broken[NOT_JSON] += 1
    _count_ids(found, broken)
    assessments = {f"RiskAssessment/{name}" for name in ids}
    broken[f"targets that are not in {fhir.ASSESSMENTS}"] += len(set(targets) - assessments)
    broken["assessments without provenance"] += len(assessments - set(targets))


def _held_against_rows(predictions: list[Prediction], rows: pa.Table, broken: Counter[str]) -> None:
    """Predictions stand in the order of the rows, one for each, and say the same."""
    if len(predictions) != rows.num_rows:
        broken["predictions too many or too few for the rows"] += abs(len(predictions) - rows.num_rows) or 1
        return
    if not predictions:
        return
    told = dict(zip(Prediction._fields, zip(*predictions, strict=True), strict=True))
    for column, of in (("score_id", "score_id"), ("subject_id", "subject"), ("outcome", "outcome"), ("tier", "tier")):
        broken[f"predictions of another {column} than their rows"] += _differing(rows[column].to_pylist(), told[of])
    broken["periods of another length than the horizons of their rows"] += _differing(
        rows["horizon_days"].to_pylist(), told["days"]
    )
    is_scored = [status == "scored" for status in rows["status"].to_pylist()]
    broken["predictions that are final though their rows are not scored, or not though they are"] += _differing(
        is_scored, told["is_final"]
    )
    expected = rows["probability"].to_numpy(zero_copy_only=False).astype(float) * 100
    written = np.array(told["percent"], float)
    is_other = ~((np.abs(expected - written) <= ROUNDING) | (np.isnan(expected) & np.isnan(written)))
    broken["probabilities that are not those of their rows in per cent"] += int(is_other.sum())


def _differing(expected: list[Any], found: tuple[Any, ...]) -> int:
    return sum(one != other for one, other in zip(expected, found, strict=True))
