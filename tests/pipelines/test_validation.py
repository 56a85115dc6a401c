"""Validation: suites derived from the declared tables, that count what is wrong and hold no value of it."""

import json

import pandas as pd
import pyarrow as pa
import pytest

from features.tables import PROVENANCE, TABLES
from pipelines.expectations import suite, validate
from pipelines.installation import Installation
from pipelines.intake import ingest
from pipelines.lake import bucket_of
from pipelines.settings import settings_from
from pipelines.sources.batch import Batch
from pipelines.staging import typed_rows
from pipelines.validation import validate_table

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

AT = pd.Timestamp("2026-06-01T20:00:00Z")
SENTINELS = ("zebra", "-987654", "quagga", "2031-07-08")


def minutes(count: int = 5) -> pd.DataFrame:
    """Plausible minutes of one device, as stored: typed, provenance filled in."""
    frame = pd.DataFrame(
        {"subject_id": "s-1", "minute_at": [AT + pd.Timedelta(minutes=n) for n in range(count)], "steps": 20,
         "heart_rate": 70}
    )  # fmt: skip
    return typed_rows(Batch("wearable", frame, "minutes.csv"), "ingest", AT + pd.Timedelta(days=1)).to_pandas()


def spoilt() -> pd.DataFrame:
    """Minutes of which one has impossible steps, two an impossible heart rate and one no receipt."""
    rows = minutes()
    rows["subject_id"] = ["zebra", "s-1", "s-1", "s-1", "s-1"]
    rows["steps"] = [-987654, 20, 20, 20, 20]
    rows["heart_rate"] = [70, 20_310_708, 24, 70, 70]
    rows["received_at"] = rows["received_at"].where(rows.index != 4)
    return rows


@pytest.fixture
def installation(tmp_path) -> Installation:
    """An installation whose lake knows one subject."""
    made = Installation(settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, tmp_path))
    enrolled = pd.DataFrame({"subject_id": ["s-1"], "enrolled_on": AT.date(), "received_at": AT})
    ingest(made.lake, [Batch("subjects", enrolled, "subjects.csv")], "enrolment")
    return made


@pytest.mark.parametrize("name", TABLES)
def test_a_suite_says_what_the_table_declares(name):
    """Each stored column must exist; each declared presence, range and list of words is one expectation."""
    table = TABLES[name]
    columns = (*table.columns, *PROVENANCE)
    told = sorted((e.expectation_type, e.column) for e in suite(table).expectations)
    declared = [("expect_column_to_exist", c.name) for c in columns]
    declared += [("expect_column_values_to_not_be_null", c.name) for c in columns if c.is_required]
    is_bounded = [c for c in columns if c.low is not None or c.high is not None]
    declared += [("expect_column_values_to_be_between", c.name) for c in is_bounded]
    declared += [("expect_column_values_to_be_in_set", c.name) for c in columns if c.allowed]
    assert told == sorted(declared)


def test_good_rows_pass():
    """Plausible rows keep their suite, with values at the very bounds and optional ones missing."""
    rows = minutes()
    rows["steps"] = [0, 300, 1, 2, 3]
    rows["heart_rate"] = pd.array([25, 240, None, None, 70], dtype="Int32")
    result = validate(TABLES["wearable"], rows)
    assert (result.success, result.rows, result.failures) == (True, 5, ())


def test_bad_rows_are_counted_by_column():
    """One value out of range, two in another column, and one missing are three failures with their counts."""
    result = validate(TABLES["wearable"], spoilt())
    assert not result.success
    assert sorted(result.failures) == [
        ("expect_column_values_to_be_between", "heart_rate", 2),
        ("expect_column_values_to_be_between", "steps", 1),
        ("expect_column_values_to_not_be_null", "received_at", 1),
    ]


def test_an_unknown_word_is_counted():
    """A care status that is not declared is a failure of its column; declared ones are not."""
    frame = pd.DataFrame({"subject_id": "s-1", "since": AT, "status": ["active", "quagga", "deceased"]})
    rows = typed_rows(Batch("care_status", frame, "care.csv"), "ingest", AT).to_pandas()
    assert validate(TABLES["care_status"], rows).failures == (("expect_column_values_to_be_in_set", "status", 1),)


def test_a_missing_column_is_a_failure():
    """Rows without a declared column do not pass, and the column is named."""
    result = validate(TABLES["wearable"], minutes().drop(columns="minute_at"))
    assert not result.success
    assert {column for _, column, _ in result.failures} == {"minute_at"}


def test_the_result_holds_no_value_and_prints_none(capfd):
    """Neither the result of a failed validation nor anything printed meanwhile holds a value or a subject."""
    told = repr(validate(TABLES["wearable"], spoilt()))
    care = pd.DataFrame({"subject_id": "zebra", "since": pd.Timestamp("2031-07-08", tz="UTC"), "status": ["quagga"]})
    told += repr(validate(TABLES["care_status"], typed_rows(Batch("care_status", care, "c"), "i", AT).to_pandas()))
    printed = capfd.readouterr()
    assert not [word for word in (*SENTINELS, "20310708") if word in told + printed.out + printed.err]


def test_an_ingest_that_passed_is_not_validated_again(installation):
    """The first validation reads the rows, the second finds nothing new; a later ingest alone is read."""
    for number, expected in ((0, 5), (1, 3)):
        rows = minutes(5 - 2 * number).assign(minute_at=lambda r, n=number: r["minute_at"] + pd.Timedelta(hours=n))
        ingest(installation.lake, [Batch("wearable", rows, "minutes.csv")], f"part-{number}")
        first, again = validate_table(installation, "wearable"), validate_table(installation, "wearable")
        assert (first.success, first.rows) == (True, expected)
        assert (again.success, again.rows) == (True, 0)


def test_rows_that_got_past_the_door_are_found_every_time(installation):
    """Bad rows written into the lake by other means fail the validation of their table, again and again."""
    rows = spoilt().assign(received_at=AT, bucket=bucket_of("s-1"), month="2026-06")
    schema = (
        TABLES["wearable"].arrow_schema().append(pa.field("bucket", pa.int32())).append(pa.field("month", pa.string()))
    )
    installation.lake.append(TABLES["wearable"], pa.Table.from_pandas(rows, schema, preserve_index=False))
    for _ in range(2):
        result = validate_table(installation, "wearable")
        assert not result.success
        assert {column: count for _, column, count in result.failures} == {"heart_rate": 2, "steps": 1}
    ledger = json.loads((installation.settings.state_folder / "validated.json").read_text())
    assert "wearable" not in ledger


def test_an_empty_table_is_valid(installation):
    """A stream that nobody sends is no failure of validation: zero rows, none of them wrong."""
    result = validate_table(installation, "sleep")
    assert (result.success, result.rows) == (True, 0)
