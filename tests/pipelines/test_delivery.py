"""What a night's delivery says, in each of its formats."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from fhir.resources.R4B.device import Device
from fhir.resources.R4B.provenance import Provenance
from fhir.resources.R4B.riskassessment import RiskAssessment
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.delivery import contract, fhir, parquet, rows, standing
from pipelines.delivery import csv as delivered_csv
from pipelines.delivery.contract import DeliveryContext
from pipelines.delivery.publish import current, publish, read_scores
from pipelines.delivery.verify import verify
from pipelines.errors import Fault, Refused

AS_OF = pd.Timestamp("2026-06-30").as_unit("us")
KNOWN_AT = pd.Timestamp("2026-06-30T01:00:00Z").as_unit("us")
SEEN = pd.Timestamp("2026-06-29T20:15:00Z").as_unit("us")
SUBJECTS = ["a-ill", "b-calm", "c-silent", "d-admitted", "e-inside", "=HYPERLINK(1)"]
HORIZONS = {"crisis": (7, 14)}


def context(**changed) -> DeliveryContext:
    """A night of six subjects."""
    given = {
        "as_of": AS_OF, "known_at": KNOWN_AT, "model_versions": {"crisis": "foretide-crisis/3 boosted_hazard"},
        "policy_version": "p1", "input_content": "c0ffee", "code_version": "0.1.0", "roster_size": len(SUBJECTS),
    }  # fmt: skip
    return DeliveryContext(**{**given, **changed})


def standings() -> pd.DataFrame:
    """One subject of each status, the last one scored."""
    roster = pd.DataFrame(
        {"subject_id": SUBJECTS, "completeness": [1, 0.9, 0.1, 1, 1, 0.5], "last_observation_at": SEEN}
    )
    care = pd.DataFrame({"subject_id": ["d-admitted", "e-inside"], "status": ["inpatient", "active"]})
    inside = pd.Series([True, True], index=["e-inside", "d-admitted"])
    return standing.decide(roster, "crisis", care, inside, min_completeness=0.25)


def night(of: DeliveryContext) -> pd.DataFrame:
    """The rows of that night; a probability is handed in for everybody."""
    scores = pd.DataFrame(
        [
            (subject, "crisis", horizon, risk * horizon / 14, risk * horizon / 28, risk * horizon / 7)
            for subject, risk in zip(SUBJECTS, [0.4, 0.02, 0.1, 0.3, 0.3, 0.05], strict=True)
            for horizon in HORIZONS["crisis"]
        ],
        columns=["subject_id", "outcome", "horizon_days", "probability", "mean_risk_low", "mean_risk_high"],
    )
    known = standings()
    tiers = pd.DataFrame(
        [("a-ill", "high", 1, "new", "same-day review"), ("=HYPERLINK(1)", "baseline", 2, None, "self-guided"),
         ("b-calm", "baseline", 3, None, "self-guided")],
        columns=["subject_id", "tier", "rank", "alert", "action"],
    ).assign(outcome="crisis")  # fmt: skip
    drivers = pd.DataFrame(
        {"subject_id": SUBJECTS, "outcome": "crisis", "drivers": [["sleep duration over 7 days"]] * 6}
    )
    return rows.build(of, HORIZONS, known, scores, tiers, drivers)


@pytest.fixture
def published(tmp_path):
    """A published night."""
    return publish(tmp_path / "deliveries", night(context()), context())


def test_precedence_of_statuses():
    """Not eligible comes before in an episode, that before too little data, and reasons say why."""
    found = standings().set_index("subject_id")
    assert found["status"].tolist() == [
        "scored", "scored", "insufficient_data", "not_eligible", "in_episode", "scored",
    ]  # fmt: skip
    assert found.loc["d-admitted", "reason_codes"] == ("care_status_inpatient",)
    assert found.loc["e-inside", "reason_codes"] == ("in_episode_or_refractory",)
    assert found.loc["c-silent", "reason_codes"] == ("completeness_below_minimum",)
    assert found.loc["a-ill", "reason_codes"] == ()


@pytest.mark.parametrize("status", standing.NOT_ELIGIBLE)
def test_nobody_deceased_admitted_discharged_or_paused_gets_a_probability(status):
    """Whatever else is known of them, they are not eligible."""
    roster = pd.DataFrame({"subject_id": ["s"], "completeness": [1.0], "last_observation_at": [SEEN]})
    care = pd.DataFrame({"subject_id": ["s"], "status": [status]})
    found = standing.decide(roster, "crisis", care, pd.Series(dtype=bool), 0.0)
    assert found["status"].tolist() == ["not_eligible"]


def test_missing_completeness_counts_as_none():
    """A subject of whom nothing was ever seen is not scored, and the completeness says 0."""
    roster = pd.DataFrame({"subject_id": ["s"], "completeness": [np.nan], "last_observation_at": [pd.NaT]})
    care = pd.DataFrame({"subject_id": [], "status": []})
    found = standing.decide(roster, "crisis", care, pd.Series(dtype=bool), 0.25)
    assert found["status"].tolist() == ["insufficient_data"]
    assert found["completeness"].tolist() == [0.0]


def test_rows_that_were_stored_are_valid_json():
    """A table has NaN where a subject has no tier, alert or step of care; FHIR must not."""
    stored = night(context())
    stored = stored.astype(dict.fromkeys(("tier", "alert", "action"), "str"))
    lines = b"".join(fhir.assessment_chunks(stored, context())).splitlines()
    assert lines == b"".join(fhir.assessment_chunks(night(context()), context())).splitlines()
    for line in lines:
        json.loads(line, parse_constant=pytest.fail)


def test_everyone_on_the_roster_has_every_row_and_only_the_scored_a_probability():
    """Six subjects and two horizons are twelve rows; status decides over the probabilities handed in."""
    made = night(context())
    assert len(made) == 12
    assert tuple(made.columns) == contract.COLUMNS
    assert (made["probability"].notna() == (made["status"] == "scored")).all()
    assert made.loc[made["status"] != "scored", ["tier", "rank", "mean_risk_low"]].isna().all().all()
    assert made.loc[made["subject_id"] == "a-ill", "drivers"].tolist() == [("sleep duration over 7 days",)] * 2
    assert made.loc[made["tier"] == "baseline", "drivers"].tolist() == [()] * 4
    assert made["score_id"].is_unique


def test_run_id_depends_on_every_input_and_on_nothing_else():
    """Each input changes the run id; the same inputs give the same one."""
    changed = [
        {"as_of": AS_OF + pd.Timedelta(days=1)}, {"known_at": KNOWN_AT + pd.Timedelta(hours=1)},
        {"model_versions": {"crisis": "4"}}, {"policy_version": "p2"}, {"input_content": "decaf"},
        {"code_version": "0.2.0"}, {"formats": ("parquet",)},
    ]  # fmt: skip
    ids = [context(**change).run_id for change in changed]
    assert len({*ids, context().run_id}) == len(changed) + 1
    assert context().run_id == context().run_id


def test_strangers_and_gaps_are_refused():
    """Scores for somebody not on the roster, and scored subjects without a score, stop the night."""
    known, made = standings(), night(context())
    scores = made[["subject_id", "outcome", "horizon_days", "probability", "mean_risk_low", "mean_risk_high"]]
    tiers = pd.DataFrame({"subject_id": [], "outcome": [], "tier": [], "rank": [], "alert": [], "action": []})
    drivers = pd.DataFrame({"subject_id": [], "outcome": [], "drivers": []})
    strange = scores.assign(subject_id=scores["subject_id"].replace("b-calm", "stranger"))
    with pytest.raises(Refused, match="1 subjects who are not on"):
        rows.build(context(), HORIZONS, known, strange, tiers, drivers)
    with pytest.raises(Refused, match="2 rows of subjects"):
        rows.build(context(), HORIZONS, known, scores[scores["subject_id"] != "b-calm"], tiers, drivers)
    with pytest.raises(Refused, match="repeat"):
        rows.build(context(), HORIZONS, known, pd.concat([scores, scores]), tiers, drivers)


def test_rows_that_break_the_contract_are_not_published(tmp_path):
    """Fewer rows than the roster, a probability of 1.4, or a probability for the dead: nothing is published."""
    made, root = night(context()), tmp_path / "deliveries"
    broken = {
        "missing or too many": made[made["subject_id"] != "b-calm"],
        "outside 0 to 1": made.assign(probability=made["probability"] * 4),
        "though not scored: 6": made.assign(probability=0.5),
        "repeat": pd.concat([made, made]),
        "another run": made.assign(run_id="other"),
        "lack the columns tier": made.drop(columns="tier"),
    }
    for match, frame in broken.items():
        with pytest.raises(Refused, match=match) as refused:
            publish(root, frame, context())
        assert not any(subject in str(refused.value) for subject in SUBJECTS)
    assert current(root, AS_OF) is None


def test_parquet_gives_back_the_rows(published):
    """The reference file holds exactly the contract's columns, types and rows."""
    back = read_scores(published)
    assert back["probability"].equals(night(context())["probability"])
    assert back["subject_id"].tolist() == sorted(SUBJECTS * 2)
    assert parquet.pq.read_schema(published / "scores.parquet").equals(contract.SCHEMA)


def test_csv_is_safe_in_a_spreadsheet_and_complete(published):
    """A subject id that would run as a formula is disarmed; lists are joined; absent values are empty."""
    table = list(csv.DictReader(io.StringIO((published / "scores.csv").read_text(encoding="utf-8"))))
    assert len(table) == 12
    assert {row["subject_id"] for row in table} == {*SUBJECTS[:-1], "'=HYPERLINK(1)"}
    ill = next(row for row in table if row["subject_id"] == "a-ill" and row["horizon_days"] == "14")
    assert (ill["probability"], ill["tier"], ill["drivers"]) == ("0.4", "high", "sleep duration over 7 days")
    assert (ill["as_of_date"], ill["generated_at"]) == ("2026-06-30", "2026-06-30T01:00:00.000000Z")
    admitted = next(row for row in table if row["subject_id"] == "d-admitted")
    assert (admitted["probability"], admitted["reason_codes"]) == ("", "care_status_inpatient")


def test_disarming_leaves_plain_numbers_alone():
    """What begins like a formula is disarmed, a negative number is not."""
    given = ["=1+1", "+1", "-3.5", "-3+4", "@x", "\tx", "-1e-3", "plain", "", "＝1", None]
    found = delivered_csv.disarmed(pa.chunked_array([given])).to_pylist()
    assert found == ["'=1+1", "+1", "-3.5", "'-3+4", "'@x", "'\tx", "-1e-3", "plain", "", "'＝1", None]


def lines(path) -> list[dict]:
    """The resources of an NDJSON file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_fhir_resources_validate_and_keep_the_rules_the_validator_lacks(published):
    """Each resource is valid R4; percentages are 0 to 100, each prediction has its period, references resolve."""
    devices = [Device.model_validate(d) for d in lines(published / fhir.DEVICES)]
    assessments = lines(published / fhir.ASSESSMENTS)
    for resource in assessments:
        RiskAssessment.model_validate(resource)
    provenances = [Provenance.model_validate(p) for p in lines(published / fhir.PROVENANCES)]
    assert len(assessments) == len(SUBJECTS)
    assert {r["performer"]["reference"] for r in assessments} == {f"Device/{d.id}" for d in devices}
    targets = {t.reference for p in provenances for t in p.target}
    assert targets == {f"RiskAssessment/{r['id']}" for r in assessments}
    for resource in assessments:
        assert [p["whenPeriod"] for p in resource["prediction"]] == [
            {"start": "2026-06-30", "end": "2026-07-06"},
            {"start": "2026-06-30", "end": "2026-07-13"},
        ]
        assert all(0 <= p.get("probabilityDecimal", 0) <= 100 for p in resource["prediction"])


def test_fhir_says_percent_for_the_scored_and_why_not_for_the_others(published):
    """0.4 is written as 40; an abstention is cancelled, without a number, and gives its reason."""
    by_subject = {r["subject"]["identifier"]["value"]: r for r in lines(published / fhir.ASSESSMENTS)}
    ill, admitted = by_subject["a-ill"], by_subject["d-admitted"]
    assert [p["probabilityDecimal"] for p in ill["prediction"]] == [20, 40]
    assert ill["status"] == "final"
    assert ill["prediction"][0]["rationale"] == "Associated with: sleep duration over 7 days"
    assert admitted["status"] == "cancelled"
    assert not any("probabilityDecimal" in p for p in admitted["prediction"])
    assert admitted["prediction"][0]["_probabilityDecimal"]["extension"][0]["valueCode"] == "not-permitted"
    assert admitted["note"][0]["text"] == "not_eligible, care_status_inpatient"


def test_every_status_without_a_score_has_a_reason_in_fhir():
    """No status of the contract is without a word for the absent probability."""
    assert set(fhir.ABSENT_CODES) == set(contract.STATUSES) - {"scored"}


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1, max_size=20))
def test_any_subject_id_survives_fhir(subject):
    """Quotes, backslashes and line breaks in an id come back as they were, on one line."""
    of = context(roster_size=1)
    made = night(context()).query("subject_id == 'a-ill'").assign(subject_id=subject, run_id=of.run_id)
    text = b"".join(fhir.assessment_chunks(made, of)).decode()
    assert text.count("\n") == 1
    assert json.loads(text)["subject"]["identifier"]["value"] == subject


def test_the_manifest_counts_everything_and_names_nobody(published):
    """Roster expected and delivered, rows, statuses, files; no subject id anywhere in it."""
    raw = (published / "manifest.json").read_text(encoding="utf-8")
    body = json.loads(raw)
    assert body["roster"] == {"expected": 6, "delivered": 6}
    assert body["rows_by_status"] == {"in_episode": 2, "insufficient_data": 2, "not_eligible": 2, "scored": 6}
    assert body["transactionTime"] == "2026-06-30T01:00:00Z"
    assert [o["type"] for o in body["output"]] == ["Device", "RiskAssessment", "Provenance"]
    assert not any(subject in raw for subject in SUBJECTS)


def test_new_knowledge_supersedes_and_the_old_delivery_stays(tmp_path, published):
    """Other inputs for the night make a new folder that names the old one, which is not touched."""
    before = {p.name: p.read_bytes() for p in published.iterdir()}
    later = context(input_content="decaf")
    second = publish(published.parents[1], night(later), later)
    assert current(published.parents[1], AS_OF) == second
    assert set(read_scores(second)["supersedes"]) == {published.name}
    assert read_scores(published)["supersedes"].isna().all()
    assert lines(second / fhir.PROVENANCES)[0]["entity"][1]["what"]["identifier"]["value"] == published.name
    assert {p.name: p.read_bytes() for p in published.iterdir()} == before
    assert publish(published.parents[1], night(later), later) == second
    assert verify(second).is_whole
    assert verify(published).is_whole


def test_the_same_run_with_other_bytes_is_a_fault(published):
    """If the same inputs ever gave other bytes, the published delivery stands and it is said."""
    before = (published / "manifest.json").read_bytes()
    other = night(context())
    other["completeness"] = other["completeness"] / 2
    with pytest.raises(Fault, match="other bytes"):
        publish(published.parents[1], other, context())
    assert (published / "manifest.json").read_bytes() == before
    assert [p.name for p in published.parent.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("formats", [("parquet",), ("csv", "fhir")])
def test_only_the_formats_asked_for_are_written(tmp_path, formats):
    """A delivery holds the declared formats and verifies without the others."""
    of = context(formats=formats)
    folder = publish(tmp_path, night(of), of)
    assert (folder / "scores.parquet").exists() == ("parquet" in formats)
    assert (folder / fhir.ASSESSMENTS).exists() == ("fhir" in formats)
    assert verify(folder).is_whole


@pytest.mark.benchmark
def test_fhir_is_written_fast_enough(benchmark):
    """At least 5,000 resources a second."""
    wide = pd.concat([night(context())] * 2000, ignore_index=True)
    wide["subject_id"] = np.repeat(np.arange(12_000).astype(str), 2)
    benchmark(lambda: sum(map(len, fhir.assessment_chunks(wide, context()))))
    assert 12_000 / benchmark.stats["mean"] > 5000
