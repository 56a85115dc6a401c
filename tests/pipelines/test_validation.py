"""Validation: what is true of stored rows, judged by Great Expectations, counted exactly, waived only on record."""

import json
from collections.abc import Iterable
from datetime import date

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.tables import TABLES
from pipelines import memory
from pipelines.door.intake import ingest
from pipelines.door.policy import DoorPolicy, SignalLimits
from pipelines.door.rules import rules
from pipelines.door.typed import typed_rows
from pipelines.expectations import Verdict, judge, suite
from pipelines.installation import Installation
from pipelines.lake import bucket_of
from pipelines.sections import Signal
from pipelines.settings import settings_from
from pipelines.sources.batch import Batch
from pipelines.truths import truths
from pipelines.validation import findings, idle_waivers, validate_table

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

AT = pd.Timestamp("2026-06-01T20:00:00Z")
NIGHT = date(2026, 6, 3)
SENTINELS = ("zebra", "-987654", "quagga", "2031-07-08")
SIGNALS = {"speech_rate": Signal(unit="words/min", low=0, high=400), "screen_time": Signal(unit="min")}
LIMITS = {name: SignalLimits(signal.unit, signal.low, signal.high) for name, signal in SIGNALS.items()}
OUTCOMES = {"crisis": {"events": ["panic"], "horizons_days": [7]}}


def stored(table: str, frame: pd.DataFrame, ingest_id: str = "ingest") -> duckdb.DuckDBPyRelation:
    """Rows of a table as the lake holds them: typed, provenance filled in."""
    rows = typed_rows(Batch(table, frame, "file.csv"), ingest_id, AT + pd.Timedelta(days=1))
    return as_stored(rows.to_pandas(), table)


def as_stored(frame: pd.DataFrame, table: str) -> duckdb.DuckDBPyRelation:
    """Typed rows in a lake's shape, whatever they say: the door is not asked."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    loose = pa.schema([field.with_nullable(True) for field in TABLES[table].arrow_schema()])
    rows = pa.Table.from_pandas(
        frame.assign(bucket=0), loose.append(pa.field("bucket", pa.int32())), preserve_index=False
    )
    return connection.from_arrow(rows)


def minutes(count: int = 5) -> pd.DataFrame:
    """Plausible minutes of one device."""
    return pd.DataFrame(
        {"subject_id": "s-1", "minute_at": [AT + pd.Timedelta(minutes=n) for n in range(count)], "steps": 20,
         "heart_rate": 70}
    )  # fmt: skip


def spoilt() -> pd.DataFrame:
    """Typed minutes of which one has impossible steps, two an impossible heart rate and one no receipt."""
    rows = typed_rows(Batch("wearable", minutes(), "minutes.csv"), "ingest", AT + pd.Timedelta(days=1)).to_pandas()
    rows["subject_id"] = ["zebra", "s-1", "s-1", "s-1", "s-1"]
    rows["steps"] = [-987654, 20, 20, 20, 20]
    rows["heart_rate"] = [70, 20_310_708, 24, 70, 70]
    return rows.assign(received_at=rows["received_at"].where(rows.index != 4))


def installed(folder, **content) -> Installation:
    """An installation whose lake knows one subject."""
    made = Installation(settings_from({"outcomes": OUTCOMES, **content}, folder))
    enrolled = pd.DataFrame({"subject_id": ["s-1"], "enrolled_on": AT.date(), "received_at": AT})
    ingest(made.lake, [Batch("subjects", enrolled, "subjects.csv")], "enrolment")
    return made


@pytest.fixture
def installation(tmp_path) -> Installation:
    """An installation without waivers."""
    return installed(tmp_path)


def smuggle(installation: Installation, frame: pd.DataFrame) -> None:
    """Write typed wearable rows past the door."""
    rows = frame.assign(bucket=bucket_of("s-1"), month="2026-06", received_at=AT)
    schema = (
        TABLES["wearable"].arrow_schema().append(pa.field("bucket", pa.int32())).append(pa.field("month", pa.string()))
    )
    installation.lake.append(TABLES["wearable"], [pa.Table.from_pandas(rows, schema, preserve_index=False)])


@pytest.mark.parametrize("name", TABLES)
def test_each_truth_is_one_expectation(name):
    """Every truth of a table becomes an expectation with its name, its words, and the severity it deserves."""
    held = truths(TABLES[name], SIGNALS)
    assert [(e.meta["truth"], e.description, e.severity.value) for e in suite(name, held).expectations] == [
        (t.name, t.words, "critical" if t.is_binding else "warning") for t in held
    ]
    assert len({t.name for t in held}) == len(held)
    assert len({(t.sight, t.sql) for t in held}) == len({t.sight for t in held}), "one name, two things to look at"


@pytest.mark.parametrize("name", TABLES)
def test_what_the_door_refuses_is_expected_too(name):
    """Each rule of the door has a binding truth of the same name, ranges of named values one for each name."""
    binding = {truth.name for truth in truths(TABLES[name], SIGNALS) if truth.is_binding}
    per_name = {"value_is_plausible"} if name in ("wearable_days", "signals") else set()
    assert set(rules(TABLES[name], DoorPolicy(signals=LIMITS))) - per_name <= binding


INSTANTS = st.sampled_from(
    [AT, AT + pd.Timedelta(hours=9), AT + pd.Timedelta(days=3), pd.Timestamp("1970-01-02", tz="UTC")]
)
NUMBERS = st.sampled_from([None, -1.0, 0.0, 27.0, 28.0, 1200.5, float("inf"), -0.0])
ROWS = {
    "mood": st.fixed_dictionaries(
        {"answered_at": INSTANTS, "item": st.just("mood"), "value": NUMBERS, "scale_min": NUMBERS, "scale_max": NUMBERS}
    ),
    "sleep": st.fixed_dictionaries(
        {"record_id": st.uuids().map(str), "onset_at": INSTANTS, "offset_at": INSTANTS, "minutes_asleep": NUMBERS,
         "minutes_rem": NUMBERS}
    ),
    "wearable": st.fixed_dictionaries(
        {"minute_at": INSTANTS, "steps": st.sampled_from([None, -1, 0, 300, 301]),
         "heart_rate": st.sampled_from([None, 24, 25, 240, 241]), "worn": st.sampled_from([None, True, False])}
    ),
    "wearable_days": st.fixed_dictionaries(
        {"local_date": INSTANTS.map(lambda at: at.date()), "metric": st.sampled_from([None, "steps", "sleep_efficiency", "luck"]),
         "value": NUMBERS, "unit": st.sampled_from([None, "steps", "percent"])}
    ),
    "signals": st.fixed_dictionaries(
        {"observed_at": INSTANTS, "name": st.sampled_from([None, "speech_rate", "screen_time", "luck"]), "value": NUMBERS,
         "unit": st.sampled_from([None, "words/min", "min"])}
    ),
    "assessments": st.fixed_dictionaries(
        {"completed_at": INSTANTS, "instrument": st.sampled_from([None, "phq_9", "ces_d", "stai", "luck"]), "score": NUMBERS}
    ),
    "care_status": st.fixed_dictionaries({"since": INSTANTS, "status": st.sampled_from([None, "active", "quagga"])}),
}  # fmt: skip


ANY_ROW = st.fixed_dictionaries(
    {"subject_id": st.sampled_from([None, "s-1", " s-1", "s-1 ", "s\n1", "s\x7f", "", "s" * 64, "s" * 65]),
     "is_deleted": st.booleans()}
)  # fmt: skip


@pytest.mark.parametrize("table", ROWS)
def test_validation_and_door_count_the_same(table):
    """Row for row, Great Expectations finds broken what the door's own SQL finds broken, and counts it alike."""

    @settings(max_examples=12, deadline=None)
    @given(st.lists(st.builds(dict.__or__, ROWS[table], ANY_ROW), min_size=1, max_size=30))
    def counts_agree(drawn: list[dict]) -> None:
        frame = typed_rows(Batch(table, pd.DataFrame(drawn), "f"), "ingest", AT).to_pandas()
        rows = as_stored(frame, table)
        found = judge(TABLES[table], rows, SIGNALS)["ingest"]
        refused = {rule: rows.filter(condition).shape[0]
                   for rule, condition in rules(TABLES[table], DoorPolicy(signals=LIMITS)).items()}  # fmt: skip
        per_name = sum(found.broken.get(f"{name}_is_plausible", 0) for name in ("steps", "sleep_efficiency", *SIGNALS))
        named = found.broken | ({"value_is_plausible": per_name} if table in ("wearable_days", "signals") else {})
        assert {rule: named.get(rule, 0) for rule in refused} == refused
        assert found.rows == len(drawn)

    counts_agree()


@pytest.mark.parametrize(("instrument", "score", "broken"), [
    ("phq_9", 27.0, {}), ("phq_9", 300.0, {"phq_9_is_on_its_scale": 1}), ("ces_d", 61.0, {"ces_d_is_on_its_scale": 1}),
    ("stai", 19.0, {"stai_is_on_its_scale": 1}), ("sads", 140.0, {}),
])  # fmt: skip
def test_a_score_lies_on_the_scale_of_its_instrument(instrument, score, broken):
    """Door and validation hold a questionnaire to its own range; one that is not known to the general one."""
    row = pd.DataFrame([{"subject_id": "s-1", "completed_at": AT, "instrument": instrument, "score": score}])
    rows = stored("assessments", row)
    held = rules(TABLES["assessments"], DoorPolicy())
    assert judge(TABLES["assessments"], rows, {})["ingest"].broken == broken
    assert {rule: 1 for rule, condition in held.items() if rows.filter(condition).shape[0]} == broken


@pytest.mark.parametrize(("asleep", "refused"), [(62.0, 0), (62.5, 1)])
def test_nobody_sleeps_longer_than_an_episode_lasts(asleep, refused):
    """An hour holds 60 minutes of sleep; 2 more come from rounding."""
    row = pd.DataFrame([{"subject_id": "s-1", "record_id": "n", "onset_at": AT, "offset_at": AT + pd.Timedelta(hours=1),
                         "minutes_asleep": asleep}])  # fmt: skip
    broken = rules(TABLES["sleep"], DoorPolicy())["sleep_is_no_longer_than_its_episode"]
    assert stored("sleep", row).filter(broken).shape[0] == refused


@pytest.mark.parametrize(("seconds", "refused"), [(0, 0), (30, 1)])
def test_a_row_of_the_wearable_stands_for_a_whole_minute(seconds, refused):
    """A row every half minute would count as two minutes; the door and the validation of stored rows say so alike."""
    rows = stored("wearable", minutes(1).assign(minute_at=AT.floor("min") + pd.Timedelta(seconds=seconds)))
    broken = rules(TABLES["wearable"], DoorPolicy())["minute_is_whole"]
    assert rows.filter(broken).shape[0] == refused
    assert judge(TABLES["wearable"], rows, {})["ingest"].broken == ({"minute_is_whole": 1} if refused else {})


def test_good_rows_pass():
    """Plausible rows break nothing, with values at the very bounds and optional ones missing."""
    frame = minutes().assign(steps=[0, 300, 1, 2, 3], heart_rate=pd.array([25, 240, None, None, 70], dtype="Int32"))
    assert judge(TABLES["wearable"], stored("wearable", frame), {}) == {"ingest": Verdict(5)}


def test_bad_rows_are_counted_as_rows():
    """A thousand minutes that look alike are judged once and counted as a thousand."""
    frame = minutes(1000).assign(heart_rate=[10] * 990 + [70] * 10)
    assert judge(TABLES["wearable"], stored("wearable", frame), {})["ingest"].broken == {"heart_rate_is_plausible": 990}


def test_each_delivery_gets_its_own_verdict():
    """Of two deliveries judged together, only the one with a bad row is found fault with."""
    good, bad = stored("wearable", minutes(3)), stored("wearable", minutes(4).assign(steps=[999, 1, 1, 1]), "other")
    both = as_stored(pd.concat([good.df(), bad.df()]).drop(columns="bucket"), "wearable")
    assert judge(TABLES["wearable"], both, {}) == {"ingest": Verdict(3), "other": Verdict(4, {"steps_is_plausible": 1})}


def test_a_version_that_is_stored_twice_is_found():
    """Three rows with one key, receipt and version are three rows too alike; a fourth version is not."""
    rows = stored("wearable", minutes(1)).df().drop(columns="bucket")
    several = pd.concat([rows, rows, rows, rows.assign(version=1), rows.assign(device_id="b")])
    assert judge(TABLES["wearable"], as_stored(several, "wearable"), {})["ingest"].broken == {
        "version_is_stored_once": 3
    }


def test_an_unknown_word_is_counted():
    """A care status that is not declared breaks its truth; declared ones do not."""
    since = [AT, AT + pd.Timedelta(hours=1), AT + pd.Timedelta(hours=2)]
    frame = pd.DataFrame({"subject_id": "s-1", "since": since, "status": ["active", "quagga", "deceased"]})
    assert judge(TABLES["care_status"], stored("care_status", frame), {})["ingest"].broken == {"status_is_known": 1}


LOOSE = {
    "sleep_fits_its_episode": ("sleep", {"record_id": "n", "onset_at": AT, "offset_at": AT + pd.Timedelta(hours=1),
                                         "minutes_asleep": 55.0, "minutes_awake": 8.0}),
    "stages_fit_the_sleep": ("sleep", {"record_id": "n", "onset_at": AT, "offset_at": AT + pd.Timedelta(hours=1),
                                       "minutes_asleep": 40.0, "minutes_light": 30.0, "minutes_deep": 10.0, "minutes_rem": 3.0}),
    "answer_is_not_before_its_prompt": ("mood", {"answered_at": AT, "item": "mood", "value": 1.0, "scale_min": 0.0,
                                                 "scale_max": 1.0, "prompted_at": AT + pd.Timedelta(minutes=16)}),
    "consent_ends_after_enrolment": ("subjects", {"enrolled_on": date(2026, 6, 1), "consent_until": date(2026, 5, 31)}),
    "utc_offset_is_in_quarter_hours": ("events", {"occurred_at": AT, "record_id": "e", "kind": "panic", "utc_offset_min": 7}),
    "device_off_the_body_feels_no_heart": ("wearable", {"minute_at": AT, "heart_rate": 70, "worn": False}),
}  # fmt: skip


@pytest.mark.parametrize("truth", LOOSE)
def test_what_is_odd_is_pointed_out_and_stops_nothing(truth, installation):
    """What the door lets in but a reader should look at is counted under its own name and is not binding."""
    table, row = LOOSE[truth]
    broken = judge(TABLES[table], stored(table, pd.DataFrame([{"subject_id": "s-1", **row}])), {})["ingest"].broken
    assert broken == {truth: 1}
    assert not any(found.stops_the_night for found in findings(installation.settings, table, broken, NIGHT))


def test_no_verdict_holds_a_value_and_none_is_printed(capfd):
    """Neither the verdict on bad rows nor anything printed meanwhile holds a value or a subject."""
    told = repr(judge(TABLES["wearable"], as_stored(spoilt(), "wearable"), {}))
    care = pd.DataFrame({"subject_id": "zebra", "since": pd.Timestamp("2031-07-08", tz="UTC"), "status": ["quagga"]})
    told += repr(judge(TABLES["care_status"], stored("care_status", care), {}))
    printed = capfd.readouterr()
    assert "received_at_is_given" in told
    assert not [word for word in (*SENTINELS, "20310708") if word in told + printed.out + printed.err]


def judged(monkeypatch) -> list[int]:
    """How many rows each call of Great Expectations was about, as calls come."""
    calls: list[int] = []

    def counting(table, rows: duckdb.DuckDBPyRelation, signals) -> dict[str, Verdict]:
        verdicts = judge(table, rows, signals)
        calls.append(sum(verdict.rows for verdict in verdicts.values()))
        return verdicts

    monkeypatch.setattr("pipelines.validation.judge", counting)
    return calls


def take_in(installation: Installation, numbers: Iterable[int]) -> None:
    """Some deliveries of minutes, each of its own hours."""
    for number in numbers:
        frame = minutes(5 - number).assign(minute_at=lambda r, n=number: r["minute_at"] + pd.Timedelta(hours=n))
        ingest(
            installation.lake,
            [Batch("wearable", frame.assign(received_at=AT + pd.Timedelta(days=1)), "m.csv")],
            f"part-{number}",
        )


def test_a_delivery_that_passed_is_not_judged_again(installation, monkeypatch):
    """The first validation reads the rows, the second none; a later delivery alone is read; verdicts stay on record."""
    calls = judged(monkeypatch)
    for number in (0, 2):
        take_in(installation, [number])
        for _ in range(2):
            verdicts = validate_table(installation, "wearable")
    assert calls == [5, 3]
    assert verdicts == {"part-0": Verdict(5), "part-2": Verdict(3)}


def test_new_truths_judge_old_deliveries_again(installation, tmp_path, monkeypatch):
    """A signal that is declared later holds for what came before: everything is judged once more."""
    frame = pd.DataFrame({"subject_id": ["s-1"], "observed_at": AT, "name": "speech_rate", "value": 900.0,
                          "unit": "words/min", "received_at": AT})  # fmt: skip
    without = DoorPolicy(signals={"speech_rate": SignalLimits("words/min")})
    ingest(installation.lake, [Batch("signals", frame, "s.csv")], "speech", policy=without)
    for limits, broken in (({}, {}), ({"high": 400}, {"speech_rate_is_plausible": 1})):
        declared = {"speech_rate": {"unit": "words/min", **limits}}
        again = Installation(settings_from({"outcomes": OUTCOMES, "signals": declared}, tmp_path))
        assert validate_table(again, "signals")["speech"].broken == broken


def test_rows_that_got_past_the_door_are_found_every_time(installation, monkeypatch):
    """Bad rows written into the lake by other means stop the night, again and again, until they are gone."""
    calls = judged(monkeypatch)
    smuggle(installation, spoilt())
    for _ in range(2):
        broken = validate_table(installation, "wearable")["ingest"].broken
        assert broken == {"heart_rate_is_plausible": 2, "steps_is_plausible": 1}
        assert all(found.stops_the_night for found in findings(installation.settings, "wearable", broken, NIGHT))
    installation.lake.delete_ingest("wearable", "ingest")
    assert validate_table(installation, "wearable") == {}
    assert calls == [5, 5]


def test_an_empty_table_is_valid(installation, monkeypatch):
    """A stream that nobody sends has no verdict, and Great Expectations is not even asked."""
    assert (validate_table(installation, "sleep"), judged(monkeypatch)) == ({}, [])


def test_the_note_of_verdicts_holds_counts_only(installation):
    """What is remembered of bad rows names truths and counts; no value and no subject."""
    smuggle(installation, spoilt())
    validate_table(installation, "wearable")
    remembered = memory.recall(installation.settings.state_folder / "validated.json")
    assert remembered["wearable"]["verdicts"]["ingest"]["rows"] == 5
    assert not [word for word in (*SENTINELS, "s-1") if word in json.dumps(remembered)]


def waiver(**changes) -> dict:
    """A waiver of implausible heart rates until two days after the night."""
    return {"table": "wearable", "expectation": "heart_rate_is_plausible", "reason": "The strap is being replaced.",
            "until": "2026-06-05", **changes}  # fmt: skip


BROKEN = {"heart_rate_is_plausible": 2}


@pytest.mark.parametrize(
    ("changes", "is_let_through"),
    [({}, True), ({"until": "2026-06-03"}, True), ({"until": "2026-06-02"}, False), ({"column": "heart_rate"}, True),
     ({"column": "steps"}, False), ({"expectation": "steps_is_plausible"}, False), ({"table": "sleep"}, False)],
)  # fmt: skip
def test_a_waiver_lets_through_what_it_names_until_it_ends(changes, is_let_through, tmp_path):
    """Until the last night of the waiver the failure stops nothing and stays visible; then it stops the night again."""
    made = installed(tmp_path, door={"waivers": [waiver(**changes)]})
    (found,) = findings(made.settings, "wearable", BROKEN, NIGHT)
    assert found.stops_the_night != is_let_through
    assert found.rows == 2
    assert (found.waiver.reason if found.waiver else "") == ("The strap is being replaced." if is_let_through else "")


def test_of_two_waivers_the_longer_one_is_told(tmp_path):
    """Where two waivers name the same failure, the one that ends last is shown."""
    made = installed(tmp_path, door={"waivers": [waiver(until="2026-07-01"), waiver()]})
    (found,) = findings(made.settings, "wearable", BROKEN, NIGHT)
    assert found.waiver.until == date(2026, 7, 1)


@pytest.mark.parametrize(
    ("changes", "broken", "told"),
    [({}, BROKEN, None), ({}, {}, "every row holds"), ({"expectation": "hart_rate"}, BROKEN, "names no expectation"),
     ({"column": "steps"}, BROKEN, "names no expectation"), ({"until": "2026-06-02"}, BROKEN, "ended on 2026-06-02")],
)  # fmt: skip
def test_an_idle_waiver_is_pointed_out(changes, broken, told, tmp_path):
    """A waiver that names nothing, has ended, or lets nothing through is told of, with the cure."""
    made = installed(tmp_path, door={"waivers": [waiver(**changes)]})
    found = findings(made.settings, "wearable", broken, NIGHT)
    sentences = idle_waivers(made.settings, "wearable", found, NIGHT)
    assert len(sentences) == (told is not None)
    assert all(told in text and "wearable" in text for text in sentences)
