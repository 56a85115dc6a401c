"""FHIR rules that validators of single resources lack: each broken rule is found, named and counted, and nothing else is."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.device import Device
from fhir.resources.R4B.provenance import Provenance
from fhir.resources.R4B.riskassessment import RiskAssessment

from pipelines.consent.notice import publish_notice
from pipelines.delivery import fhir, fhir_rules, manifest, parquet
from pipelines.delivery.erasure import erase_everywhere
from pipelines.delivery.publish import alone_in, current, publish
from pipelines.delivery.verify import verify
from tests.pipelines.sink_nights import context, publish_night, rows

NIGHT = "2026-06-30"
KINDS = {fhir.DEVICES: Device, fhir.ASSESSMENTS: RiskAssessment, fhir.PROVENANCES: Provenance, fhir.DELETED: Bundle}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A published night of six subjects and two horizons."""
    return publish_night(tmp_path / "deliveries", NIGHT)


def found(folder: Path) -> list[str]:
    """What the rules find."""
    return fhir_rules.faults(folder, manifest.read(folder), parquet.table(folder / parquet.NAME))


def change(folder: Path, name: str, edit: Callable[[dict], None], at: int = 0) -> None:
    """Edit one resource of a file."""
    path = folder / name
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    edit(lines[at])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def first(**given) -> Callable[[dict], None]:
    """An edit of the first prediction."""
    return lambda made: made["prediction"][0].update(given)


# Assessments in order of subject: away (not eligible), ill (in an episode), then the scored.
SCORED = 2
BROKEN = {
    "percentages above 100": (fhir.ASSESSMENTS, first(probabilityDecimal=140.0), SCORED, "outside 0 to 100 per cent"),
    "percentages below 0": (fhir.ASSESSMENTS, first(probabilityDecimal=-1), SCORED, "outside 0 to 100 per cent"),
    "a share for a percentage": (fhir.ASSESSMENTS, first(probabilityDecimal=0.1), SCORED, "not those of their rows"),
    "no period": (fhir.ASSESSMENTS, lambda m: m["prediction"][0].pop("whenPeriod"), SCORED, "without a period"),
    "a period backwards": (fhir.ASSESSMENTS, first(whenPeriod={"start": NIGHT, "end": "2026-06-01"}), SCORED, "without a period"),
    "a period of another night": (fhir.ASSESSMENTS, first(whenPeriod={"start": "2026-06-29", "end": "2026-07-05"}), SCORED,
                                  "without a period"),
    "a period without an end": (fhir.ASSESSMENTS, first(whenPeriod={"start": NIGHT}), SCORED, "without a period"),
    "a period too long": (fhir.ASSESSMENTS, first(whenPeriod={"start": NIGHT, "end": "2026-07-30"}), SCORED, "another length"),
    "a horizon twice": (fhir.ASSESSMENTS, lambda m: m["prediction"].append(m["prediction"][0]), SCORED, "for each horizon"),
    "a horizon lost": (fhir.ASSESSMENTS, lambda m: m["prediction"].pop(), SCORED, "too many or too few"),
    "a probability of the dead": (fhir.ASSESSMENTS, first(probabilityDecimal=50.0), 0, "though the assessment is not final"),
    "no reason for absence": (fhir.ASSESSMENTS, lambda m: m["prediction"][0].pop("_probabilityDecimal"), 0, "without a reason"),
    "no probability": (fhir.ASSESSMENTS, lambda m: m["prediction"][0].pop("probabilityDecimal"), SCORED, "without a probability"),
    "final without a score": (fhir.ASSESSMENTS, lambda m: m.update(status="final"), 0, "not scored"),
    "another status": (fhir.ASSESSMENTS, lambda m: m.update(status="entered-in-error"), 0, "neither final nor cancelled"),
    "nobody's performer": (fhir.ASSESSMENTS, lambda m: m["performer"].update(reference="Device/x"), SCORED, "performers"),
    "somebody else's score": (fhir.ASSESSMENTS, lambda m: m["subject"]["identifier"].update(value="x"), SCORED, "another subject_id"),
    "another row's id": (fhir.ASSESSMENTS, first(id="x"), SCORED, "another score_id"),
    "another tier": (fhir.ASSESSMENTS, first(qualitativeRisk={"text": "high"}), SCORED, "another tier"),
    "an id FHIR forbids": (fhir.ASSESSMENTS, lambda m: m.update(id="a_b"), SCORED, "ids that FHIR does not allow"),
    "an id too long": (fhir.DEVICES, lambda m: m.update(id="a" * 65), 0, "ids that FHIR does not allow"),
    "not for review": (fhir.ASSESSMENTS, lambda m: m.update(mitigation="Admit at once."), SCORED, "for clinical review"),
    "no time": (fhir.ASSESSMENTS, lambda m: m.pop("occurrenceDateTime"), SCORED, "when they were made"),
    "another resource": (fhir.ASSESSMENTS, lambda m: m.update(resourceType="Observation"), SCORED, "no such resource"),
    "no subject": (fhir.ASSESSMENTS, lambda m: m.pop("subject"), SCORED, "no such resource"),
    "NaN": (fhir.ASSESSMENTS, first(qualitativeRisk={"text": float("nan")}), SCORED, "no such resource"),
    "a target that is nowhere": (fhir.PROVENANCES, lambda m: m["target"].append({"reference": "RiskAssessment/x"}), 0, "targets"),
    "no provenance": (fhir.PROVENANCES, lambda m: m["target"].pop(), 0, "without provenance"),
    "nobody's agent": (fhir.PROVENANCES, lambda m: m["agent"][0]["who"].update(reference="Device/x"), 0, "agents"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_each_broken_rule_is_found_and_names_nobody(folder, case):
    """One edit breaks one rule; the fault names the file and a count, never a subject or a value."""
    name, edit, at, told = BROKEN[case]
    assert found(folder) == []
    change(folder, name, edit, at)
    faults = found(folder)
    assert any(told in fault and f"`{name}`" in fault for fault in faults), faults
    assert not any(word in fault for fault in faults for word in ("zebra", "ox-1", "140"))


def test_two_resources_with_one_id_are_found(folder):
    """An id stands for one assessment."""
    lines = (folder / fhir.ASSESSMENTS).read_text().splitlines()
    other = {**json.loads(lines[3]), "id": json.loads(lines[2])["id"]}
    (folder / fhir.ASSESSMENTS).write_text("\n".join([*lines[:3], json.dumps(other), *lines[4:]]) + "\n")
    assert any("not unique" in fault for fault in found(folder))


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'"x"', b"null", b"\xff\xfe", b'{"resourceType":"RiskAssessment","id":3}']
)
def test_lines_that_are_no_resource_are_counted_and_not_raised(folder, text):
    """Whatever stands on a line, the rest is checked."""
    path = folder / fhir.ASSESSMENTS
    path.write_bytes(text + b"\n" + path.read_bytes())
    assert f"`{fhir.ASSESSMENTS}`: 1 lines that are no such resource." in found(folder)


def test_verify_applies_the_rules(tmp_path, monkeypatch):
    """A delivery that was sealed with a broken rule is no whole delivery: `foretide verify` says which."""
    monkeypatch.setattr(fhir_rules, "REVIEW", "for nobody")
    folder = publish_night(tmp_path, NIGHT)
    assert verify(folder).faults == (
        f"`{fhir.ASSESSMENTS}`: 6 assessments that do not say they are for clinical review.",
    )


def every_status(tmp_path: Path) -> list[Path]:
    """A night with somebody of each status that is issued or reserved, and one after a withdrawal, erased and all."""
    of = context(NIGHT)
    made = rows(of)
    silent, held_back = made["subject_id"] == "ox-1", made["subject_id"] == "öx-3"
    columns = ["probability", "mean_risk_low", "mean_risk_high", "rank", "tier", "alert", "action"]
    made.loc[silent | held_back, "status"] = np.where(silent[silent | held_back], "insufficient_data", "withheld")
    for column in columns:
        made[column] = made[column].astype(object).where(~(silent | held_back), None)
    made = made.assign(rank=made["rank"].astype("Int32"), probability=made["probability"].astype(float))
    made = made.assign(**{name: made[name].astype(float) for name in ("mean_risk_low", "mean_risk_high")})
    publish(tmp_path, made, of)
    publish_notice(tmp_path, {"zebra-77": "token"}, None)
    with alone_in(tmp_path) as own:
        erase_everywhere(tmp_path, {"zebra-77"}, own)
    return [tmp_path / NIGHT / of.run_id, current(tmp_path, pd.Timestamp(NIGHT))]


def test_every_status_is_valid_fhir_and_keeps_the_rules(tmp_path):
    """All statuses, a notice of withdrawal, its deletions and an erased delivery: validated, and without a fault."""
    folders = every_status(tmp_path)
    seen = {status for folder in folders for status in parquet.read(folder / parquet.NAME)["status"]}
    assert seen == {"scored", "insufficient_data", "withheld", "not_eligible", "in_episode", "consent_withdrawn"}
    for folder in folders:
        for name, kind in KINDS.items():
            for line in (folder / name).read_text().splitlines() if (folder / name).exists() else []:
                kind.model_validate_json(line)
        assert found(folder) == []
        assert verify(folder).is_whole
    assert (folders[1] / fhir.DELETED).exists()


def test_absent_tiers_are_absent_however_pandas_writes_them(tmp_path):
    """None, NaN and NA are all nothing: no `NaN`, which is not JSON, ever stands in a line."""
    of = context(NIGHT)
    made = rows(of)
    expected = b"".join(fhir.assessment_chunks(made, of))
    for absent in (np.nan, pd.NA, None):
        columns = {
            name: made[name].astype(object).where(made[name].notna(), absent) for name in ("tier", "alert", "action")
        }
        assert b"".join(fhir.assessment_chunks(made.assign(**columns), of)) == expected
    assert b"NaN" not in expected
    assert b"nan" not in expected
