"""Features outside of the pipeline: raw DataFrames in, a matrix out."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features.catalog import STANDARD
from features.errors import FeaturesError, FeaturesWarning
from features.frames import STREAMS, days_of, matrix_of
from features.tables import TABLES

ROOT = Path(__file__).parents[2]
ZONE = "Europe/Berlin"
N_NIGHTS = 20
MORNINGS = pd.date_range("2026-03-02 07:00", periods=N_NIGHTS, tz=ZONE)

WITHOUT_PIPELINES = """
import sys
sys.modules["pipelines"] = sys.modules["models"] = None
import pandas as pd
from features.frames import days_of, matrix_of
ends = pd.date_range("2026-03-02 07:00", periods=9, tz="Europe/Berlin")
nights = pd.DataFrame({"subject_id": "ann", "onset_at": ends - pd.Timedelta(hours=8), "offset_at": ends, "minutes_asleep": 420})
index = pd.DataFrame({"subject_id": ["ann"], "index_date": pd.to_datetime(["2026-03-11"])})

days = days_of({"sleep": nights}, "Europe/Berlin")
matrix = matrix_of(days, index)
print(matrix["sleep_duration_mean_7d_min"].item(), *[name for name in sys.modules if name.startswith(("dagster", "mlflow"))])
"""


def nights(subject: str = "ann", **columns: object) -> pd.DataFrame:
    """Twenty nights of 7 hours of sleep."""
    rows = {"subject_id": subject, "onset_at": MORNINGS - pd.Timedelta(hours=8), "offset_at": MORNINGS,
            "minutes_asleep": 420.0}  # fmt: skip
    return pd.DataFrame({**rows, **columns})


def answers(subject: str = "ann") -> pd.DataFrame:
    """One answer a day, from 0 to 10 rising by a half."""
    return pd.DataFrame({"subject_id": subject, "answered_at": MORNINGS + pd.Timedelta(hours=5), "item": "mood",
                         "value": np.arange(N_NIGHTS) / 2, "scale_min": 0.0, "scale_max": 10.0})  # fmt: skip


def index(*rows: tuple[str, str]) -> pd.DataFrame:
    """Index rows as (subject, date)."""
    return pd.DataFrame(
        {"subject_id": [name for name, _ in rows], "index_date": pd.to_datetime([on for _, on in rows])}
    )


def test_three_lines_lead_from_raw_tables_to_a_matrix():
    """Sleep and mood as a notebook holds them, without provenance, events or subjects."""
    days = days_of({"sleep": nights(), "mood": answers()}, ZONE)
    row = matrix_of(days, index(("ann", "2026-03-22"))).iloc[0]
    assert row["sleep_duration_mean_7d_min"] == 420
    # Answers 13 to 19 of a scale of 10: (6.5 + ... + 9.5) / 7 / 10.
    assert row["mood_valence_mean_7d"] == pytest.approx(0.8)
    # Twenty days since the first with data.
    assert row["adherence_coverage_28d"] == 1
    assert row.index.tolist()[2:] == list(STANDARD.chosen(removed=["history"]))


def test_the_example_of_the_documentation_and_of_the_notebook_runs():
    """As it stands there; both make the matrix that they promise."""
    page = (ROOT / "docs" / "features.md").read_text()
    written: dict[str, pd.DataFrame] = {}
    exec(page.split("```python\n")[1].split("```")[0], written)
    cell = json.loads((ROOT / "notebooks" / "first-look.ipynb").read_text())["cells"][-1]["source"]
    noted: dict[str, pd.DataFrame] = {}
    exec("".join(cell), noted)
    assert written["matrix"]["sleep_duration_mean_7d_min"].item() == 420
    assert_frame_equal(noted["own"], written["matrix"])


def test_it_works_where_there_is_no_pipeline():
    """`features` alone, in a program that cannot import `pipelines` or `models`."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PIPELINES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["420.0"]


def test_a_row_without_a_receipt_counts_from_the_day_after_its_own():
    """The night that ends on 2 March is used on 3 March and not on 2 March; one received a week later, from then on."""
    days = days_of({"sleep": nights()}, ZONE)
    assert (days.panel["known_on"] == days.panel["local_date"] + pd.Timedelta(days=1)).all()
    figures = days_of({"wearable_days": daily()}, ZONE)
    assert (figures.panel["known_on"] == figures.panel["local_date"] + pd.Timedelta(days=1)).all()
    late = days_of({"sleep": nights(received_at=(MORNINGS + pd.Timedelta(days=7)).tz_convert("UTC"))}, ZONE)
    assert (late.panel["known_on"] == late.panel["local_date"] + pd.Timedelta(days=8)).all()
    told = matrix_of(late, index(("ann", "2026-03-10"), ("ann", "2026-03-09")), ["sleep_duration_last_90d_min"])
    assert told["sleep_duration_last_90d_min"].isna().tolist() == [True, False]


def test_clocks_are_those_of_the_subjects_zone_unless_a_row_says_otherwise():
    """07:00 in Berlin is 15:00 in Tokyo; a traveller's rows bring their own offset."""

    def woke(zone: str, **columns: object) -> float:
        return days_of({"sleep": nights(**columns)}, zone).panel["sleep_offset"].iloc[0]

    assert woke(ZONE) == 7
    assert woke("Asia/Tokyo") == 15
    assert woke(ZONE, utc_offset_min=-300) == 1


def test_each_subject_can_have_a_zone():
    """Days are those of each one's own site."""
    both = pd.concat([nights("ann"), nights("bob")], ignore_index=True)
    panel = days_of({"sleep": both}, pd.Series({"ann": ZONE, "bob": "Asia/Tokyo"})).panel
    assert panel.groupby("subject_id")["sleep_offset"].first().tolist() == [7, 15]


def test_events_and_subjects_are_used_where_they_are_given():
    """History needs events, tenure the day of enrolment; without it the first day with data counts."""
    days, at = days_of({"sleep": nights()}, ZONE), index(("ann", "2026-03-22"))
    events = pd.DataFrame({"subject_id": ["ann"], "event_on": pd.to_datetime(["2026-03-12"]),
                           "known_on": pd.to_datetime(["2026-03-13"])})  # fmt: skip
    people = pd.DataFrame({"subject_id": ["ann"], "enrolled_on": pd.to_datetime(["2026-02-20"])})
    asked = ["history_days_since_last_event", "tenure_days_enrolled"]
    assert matrix_of(days, at, asked, events, people)[asked].iloc[0].tolist() == [10, 30]
    assert matrix_of(days, at, asked, events)[asked].iloc[0].tolist() == [10, 20]
    assert "history_episodes_ever" in matrix_of(days, at, event_days=events)
    with pytest.raises(FeaturesError, match="`history_days_since_last_event` needs `event_days`"):
        matrix_of(days, at, asked)


def test_events_of_others_only_are_warned_of():
    """Ann's under another spelling would read as an ann who never had an event."""
    events = pd.DataFrame({"subject_id": ["Ann"], "event_on": pd.to_datetime(["2026-03-05"]),
                           "known_on": pd.to_datetime(["2026-03-06"])})  # fmt: skip
    with pytest.warns(FeaturesWarning, match="`event_days` has 1 rows, none of them of a subject of `index`"):
        matrix_of(days_of({"sleep": nights()}, ZONE), index(("ann", "2026-03-22")), event_days=events)


def test_a_past_begins_anew_with_a_new_device():
    """As in the pipeline: what another device measured is no usual level of this one."""
    n = 80
    ends = pd.date_range("2026-01-05 07:00", periods=n, tz=ZONE)
    rows = pd.DataFrame({"subject_id": "ann", "onset_at": ends - pd.Timedelta(hours=8), "offset_at": ends,
                         "minutes_asleep": 400.0 + np.arange(n) % 5})  # fmt: skip
    at = index(("ann", str((ends[-1] + pd.Timedelta(days=1)).date())))

    def z(**columns: object) -> float:
        return matrix_of(days_of({"sleep": rows.assign(**columns)}, ZONE), at, ["sleep_duration_z_7d"]).iloc[0, 2]

    assert np.isfinite(z(device_id="old"))
    assert np.isnan(z(device_id=["old"] * 76 + ["new"] * 4))


def test_every_stream_can_be_given():
    """Each of the tables that days are made of, with no more than its required columns."""
    at = MORNINGS.tz_convert("UTC")
    minutes = pd.date_range("2026-03-02", periods=1440, freq="min", tz=ZONE)
    tables = {
        "sleep": nights(), "mood": answers(),
        "wearable": pd.DataFrame({"subject_id": "ann", "minute_at": minutes, "steps": np.arange(1440) % 7}),
        "wearable_days": pd.DataFrame({"subject_id": "ann", "local_date": MORNINGS.tz_localize(None).normalize(),
                                       "metric": "sleep_score", "value": 80.0, "unit": "points"}),
        "assessments": pd.DataFrame({"subject_id": "ann", "completed_at": at, "instrument": "phq_9", "score": 9}),
        "signals": pd.DataFrame({"subject_id": "ann", "observed_at": at, "name": "pace", "value": 1.5, "unit": "m/s"}),
    }  # fmt: skip
    assert set(tables) == set(STREAMS) <= set(TABLES)
    catalog = STANDARD.with_signals({"pace": ("m/s", None)})
    asked = ["sleep_duration_last_90d_min", "mood_valence_last_90d", "activity_steps_last_90d",
             "signals_sleep_score_last_90d", "mood_phq_9_last_90d", "signals_pace_last_90d"]  # fmt: skip
    row = matrix_of(days_of(tables, ZONE), index(("ann", "2026-03-22")), asked, catalog=catalog)[asked].iloc[0]
    assert row.tolist() == [420, 0.95, sum(minute % 7 for minute in range(1440)), 80, 9, 1.5]


def test_the_order_of_rows_and_their_labels_change_nothing():
    """Rows shuffled, with labels that repeat, of subjects in two zones."""
    rows, zones = pd.concat([nights("ann"), nights("bob")]), pd.Series({"ann": ZONE, "bob": "Asia/Tokyo"})
    ordered, shuffled = (days_of({"sleep": told}, zones).panel for told in (rows, rows.sample(frac=1, random_state=1)))
    assert_frame_equal(shuffled, ordered, check_exact=True)
    assert ordered.groupby("subject_id").size().tolist() == [N_NIGHTS, N_NIGHTS]


def test_a_night_that_comes_in_months_later_makes_no_past_date_an_earlier_enrolment():
    """Without `subjects` the first day counts as it was known: a row received after an index date changes nothing there."""
    early = MORNINGS[[0]] - pd.Timedelta(days=18)
    late = nights().iloc[[0]].assign(onset_at=early - pd.Timedelta(hours=8), offset_at=early,
                                     received_at=MORNINGS[[0]] + pd.Timedelta(days=100))  # fmt: skip
    asked = ["sleep_duration_coverage_28d", "adherence_coverage_28d", "tenure_days_enrolled"]
    before, after = (matrix_of(days_of({"sleep": rows}, ZONE), index(("ann", "2026-03-22")), asked)
                     for rows in (nights(), pd.concat([nights(received_at=MORNINGS), late])))  # fmt: skip
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_a_day_whose_data_were_taken_back_is_nobodys_enrolment():
    """The earliest night is deleted before anything else comes: who has no data yet is not enrolled by it."""
    first = nights()
    early = first.iloc[:1].assign(
        onset_at=first["onset_at"].iloc[:1] - pd.Timedelta(days=5),
        offset_at=first["offset_at"].iloc[:1] - pd.Timedelta(days=5),
    )
    early = early.assign(record_id="early", received_at=first["onset_at"].iloc[0] - pd.Timedelta(days=1))
    told = pd.concat([
        early.assign(version=0, is_deleted=False), early.assign(version=1, is_deleted=True),
        first.assign(record_id=[f"n{k}" for k in range(len(first))], received_at=first["offset_at"], version=0, is_deleted=False),
    ], ignore_index=True)  # fmt: skip
    at = index(("ann", "2026-03-22"))
    names = ["sleep_duration_coverage_90d"]
    alone = matrix_of(days_of({"sleep": first}, ZONE), at, names)
    pd.testing.assert_frame_equal(matrix_of(days_of({"sleep": told}, ZONE), at, names), alone)


def test_a_correction_counts_from_its_receipt():
    """Version 1 of a night replaces it from the day after it came."""
    night = nights(record_id=[str(n) for n in range(N_NIGHTS)]).assign(received_at=MORNINGS.tz_convert("UTC"))
    mended = night.iloc[[0]].assign(minutes_asleep=300.0, version=1, received_at=MORNINGS[[3]].tz_convert("UTC"))
    rows = pd.concat([night.assign(version=0), mended], ignore_index=True)
    panel = days_of({"sleep": rows}, ZONE).panel
    first = panel[panel["local_date"] == "2026-03-02"]
    assert first[["known_on", "sleep_duration"]].to_numpy().tolist() == [
        [pd.Timestamp("2026-03-03"), 420.0], [pd.Timestamp("2026-03-06"), 300.0],
    ]  # fmt: skip


OFF = {
    "no such table": (lambda: {"slep": nights()}, "`slep` is no table that days are made of; perhaps `sleep`"),
    "events are no stream": (lambda: {"events": nights()}, "`events` is no table that days are made of"),
    "no row": (lambda: {"sleep": nights().iloc[:0]}, "There is no row in any table"),
    "no table": (lambda: {}, "There is no row in any table"),
    "unknown column": (lambda: {"sleep": nights(minutes_aslep=1)}, "`sleep` has no column `minutes_aslep`; perhaps `minutes_asleep`"),
    "missing column": (lambda: {"sleep": nights().drop(columns="onset_at")}, "`sleep` lacks the columns onset_at"),
    "no subject column": (lambda: {"sleep": nights().drop(columns="subject_id")}, "`sleep` lacks the columns subject_id"),
    "two columns of a name": (lambda: {"sleep": pd.concat([nights(), nights()[["onset_at"]]], axis=1)}, "several columns of one name"),
    "ids that are numbers": (lambda: {"sleep": nights(subject_id=7)}, "`sleep.subject_id` holds no texts but integer"),
    "ids of two kinds": (lambda: {"sleep": nights(subject_id=["ann", 7] * 10)}, "`sleep.subject_id` holds no texts but mixed"),
    "beyond the calendar": (
        lambda: {"mood": answers().assign(answered_at=pd.Timestamp("9999-12-31", tz="UTC").as_unit("us"))},
        "`mood.answered_at` has 20 times before 1970 or after 2200"),
    "seconds for minutes": (
        lambda: {"wearable": pd.DataFrame({"subject_id": "ann", "steps": 1,
                                           "minute_at": pd.date_range(MORNINGS[0], periods=60, freq="s")})},
        "`wearable.minute_at` is within a minute in 59 rows"),
    "naive times": (lambda: {"sleep": nights(offset_at=MORNINGS.tz_localize(None))}, "`sleep.offset_at` holds no instants"),
    "times as text": (lambda: {"sleep": nights(offset_at="2026-03-02T07:00+01:00")}, "`sleep.offset_at` holds no instants but str"),
    "zones mixed in one column": (
        lambda: {"sleep": nights(offset_at=[at.tz_convert("Asia/Tokyo") if at.day % 2 else at for at in MORNINGS])},
        "`sleep.offset_at` holds no instants but object.*utc=True"),
    "numbers as text": (lambda: {"sleep": nights(minutes_asleep="420")}, "`sleep.minutes_asleep` holds no numbers but str"),
    "infinite": (lambda: {"mood": answers().assign(value=np.inf)}, "`mood.value` has 20 infinite values"),
    "out of range": (lambda: {"sleep": nights(minutes_asleep=42_000)}, "`sleep.minutes_asleep` has 20 values .* 0 and 1200 min"),
    "no whole numbers": (lambda: {"sleep": nights(utc_offset_min=0.5)}, "`sleep.utc_offset_min` has 20 values that are no whole"),
    "a required value is missing": (lambda: {"mood": answers().assign(value=np.nan)}, "`mood.value` has 20 rows without a value"),
    "off their own scale": (
        lambda: {"mood": answers().assign(scale_max=5.0)}, "`mood.value` has 9 values that do not lie on the scale"),
    "a scale the wrong way round": (lambda: {"mood": answers().assign(scale_max=-3.0)}, "`mood` has 20 rows whose `scale_min`"),
    "two units of one signal": (
        lambda: {"signals": paces(unit=["m/s", "km/h"] * 10)}, "`signals.unit` differs .* 1 signals, of 20 rows"),
    "no truth value": (lambda: {"sleep": nights(is_main="yes")}, "`sleep.is_main` holds no truth values but str"),
    "ends before it began": (lambda: {"sleep": nights(onset_at=MORNINGS, offset_at=MORNINGS)}, "`sleep` has 20 rows that do not end"),
    "too long": (lambda: {"sleep": nights(offset_at=MORNINGS + pd.Timedelta(hours=9))}, "or last longer than 16 h"),
    "repeated keys": (lambda: {"mood": pd.concat([answers(), answers()])}, "`mood` repeats 20 of its rows' keys"),
    "unknown metric": (lambda: {"wearable_days": daily(metric="stepps")}, "`wearable_days.metric` has 20 rows of an unknown metric"),
    "another unit": (lambda: {"wearable_days": daily(unit="h")}, "20 rows of worn_minutes in another unit than min"),
    "value of a metric out of range": (lambda: {"wearable_days": daily(value=2000.0)}, "of worn_minutes has 20 values"),
    "a score off its scale": (
        lambda: {"assessments": scores("phq_9", 300.0)}, "`assessments.score` of phq_9 has 20 values .* 0 and 27 points"),
    "a score below its scale": (
        lambda: {"assessments": scores("stai_x1", 19.0)}, "`assessments.score` of stai_x1 has 20 values .* 20 and 80 points"),
    "more sleep than time in bed": (
        lambda: {"sleep": nights(minutes_asleep=482.5)}, "`sleep` has 20 rows whose `minutes_asleep` exceed .* by more than 2 min"),
    "no table but nothing": (lambda: {"sleep": None}, "`sleep` is no DataFrame but NoneType"),
    "days with a time": (lambda: {"wearable_days": daily(local_date=MORNINGS.tz_localize(None))}, "not at midnight"),
}  # fmt: skip


def daily(**columns: object) -> pd.DataFrame:
    """Twenty daily figures of wear time."""
    rows = {"subject_id": "ann", "local_date": MORNINGS.tz_localize(None).normalize(), "metric": "worn_minutes",
            "value": 900.0, "unit": "min"}  # fmt: skip
    return pd.DataFrame({**rows, **columns})


def scores(instrument: str, score: float) -> pd.DataFrame:
    """Twenty scores of one questionnaire."""
    return pd.DataFrame({"subject_id": "ann", "completed_at": MORNINGS, "instrument": instrument, "score": score})


def paces(**columns: object) -> pd.DataFrame:
    """Twenty values of a signal."""
    rows = {"subject_id": "ann", "observed_at": MORNINGS, "name": "pace", "value": 1.5, "unit": "m/s"}
    return pd.DataFrame({**rows, **columns})


@pytest.mark.parametrize("case", OFF)
def test_raw_rows_that_cannot_be_used_are_refused_by_table_and_column(case):
    """Never guessed at, never zero: the message says what, how many and the cure, and no value."""
    tables, message = OFF[case]
    with pytest.raises(FeaturesError, match=message) as refusal:
        days_of(tables(), ZONE)
    assert not any(value in str(refusal.value) for value in ("ann", "2026", "42000", "stepps", "yes"))


@pytest.mark.parametrize(
    ("zones", "message"),
    [
        (pd.Series({"bob": ZONE}), "`sleep` has 20 rows of subjects that `zones` lacks"),
        (pd.Series([ZONE, ZONE], index=["ann", "ann"]), "subjects with several zones"),
        ("Europe/Atlantis", "no IANA time zone"),
        (pd.Series({"ann": None}), "no IANA time zone"),
    ],
)
def test_a_zone_is_needed_for_every_subject(zones, message):
    """Without one nobody knows when a subject's day ends."""
    with pytest.raises(FeaturesError, match=message):
        days_of({"sleep": nights()}, zones)


def test_subjects_without_data_are_refused_unless_their_enrolment_is_known():
    """Since when nothing is known of somebody cannot be told from nothing."""
    days, at = days_of({"sleep": nights()}, ZONE), index(("bob", "2026-03-22"))
    with pytest.raises(FeaturesError, match="`index` has 1 rows of subjects without any data"):
        matrix_of(days, at)
    people = pd.DataFrame({"subject_id": ["bob"], "enrolled_on": pd.to_datetime(["2026-03-01"])})
    row = matrix_of(days, at, ["adherence_coverage_28d", "sleep_duration_mean_7d_min"], subjects=people).iloc[0]
    assert (row["adherence_coverage_28d"], np.isnan(row["sleep_duration_mean_7d_min"])) == (0, True)


UNREAD = {
    "an item": (lambda: {"mood": answers().assign(item=["mood", "angst"] * 10)},
                "`mood.item` has 10 rows of items .* count as answers only.*mood, energy"),
    "an instrument": (lambda: {"assessments": pd.DataFrame({
        "subject_id": "ann", "completed_at": MORNINGS, "instrument": "angst", "score": 9})},
        "`assessments.instrument` has 20 rows of instruments .* are not read.*phq_9, gad_7"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREAD)
def test_names_that_no_measure_is_made_of_are_warned_of(case):
    """They are let in, as at the door, and said by column and count, with the names that there are."""
    tables, message = UNREAD[case]
    with pytest.warns(FeaturesWarning, match=message) as told:
        days_of(tables(), ZONE)
    (warning,) = [one for one in told if one.category is FeaturesWarning]
    assert warning.filename == __file__
    assert not any(value in str(warning.message) for value in ("ann", "angst"))


def test_signals_that_the_catalogue_does_not_know_are_warned_of():
    """No feature comes of them: the warning says how many there are, and how to declare them."""
    days, at = days_of({"signals": paces(name=["pace", "pitch"] * 10)}, ZONE), index(("ann", "2026-03-22"))
    with pytest.warns(FeaturesWarning, match=r"`signals.name` has 1 signals .*with_signals") as told:
        matrix_of(days, at, catalog=STANDARD.with_signals({"pace": ("m/s", None)}))
    (warning,) = [one for one in told if one.category is FeaturesWarning]
    assert warning.filename == __file__
    assert "pitch" not in str(warning.message)


def test_a_feature_of_a_signal_that_is_not_declared_says_how_to_declare_it():
    """The nearest feature there is would not be what was meant."""
    days, at = days_of({"signals": paces()}, ZONE), index(("ann", "2026-03-22"))
    with pytest.raises(FeaturesError, match=r"`signals_pace_mean_7d` is no feature .*with_signals.*`signals:`"):
        matrix_of(days, at, ["signals_pace_mean_7d"])


def test_a_signal_in_another_unit_than_declared_is_refused():
    """Its values would be taken for what they are not: 60 km/h for 60 m/s."""
    days, at = days_of({"signals": paces(unit="km/h")}, ZONE), index(("ann", "2026-03-22"))
    with pytest.raises(
        FeaturesError, match=r"`signals` has 1 .* in another unit than .* declares: pace \(m/s\)"
    ) as refusal:
        matrix_of(days, at, catalog=STANDARD.with_signals({"pace": ("m/s", None)}))
    assert "km/h" not in str(refusal.value)
    assert (
        matrix_of(days, at, catalog=STANDARD.with_signals({"pace": ("km/h", None)}))["signals_pace_mean_7d"].item()
        == 1.5
    )


@pytest.mark.parametrize("zones", [ZONE, {"ann": ZONE}], ids=["one", "each"])
@pytest.mark.parametrize("name", ["sleep", "mood"])
def test_a_stream_without_a_row_is_none(name, zones):
    """As a loop over subjects brings it, of whom one lacks a stream."""
    filled = {"sleep": nights(), "mood": answers()}
    others = {other: rows for other, rows in filled.items() if other != name}
    found = days_of({**others, name: filled[name].iloc[:0]}, zones)
    alone = days_of(others, zones).panel
    assert_frame_equal(found.panel[alone.columns], alone)
    assert found.panel.drop(columns=alone.columns).isna().all(axis=None)


def test_a_panel_is_not_its_days():
    """Of a panel of one's own nobody knows devices and units; there is another function for it."""
    days, at = days_of({"sleep": nights()}, ZONE), index(("ann", "2026-03-22"))
    with pytest.raises(FeaturesError, match="`days` is no `Days` of `days_of`.*build_matrix"):
        matrix_of(days.panel, at)
    with pytest.raises(FeaturesError, match="`index` is no DataFrame but NoneType"):
        matrix_of(days, None)


def test_a_family_of_history_needs_events_too():
    """A family stands for its features, and these need what they are made of."""
    days, at = days_of({"sleep": nights()}, ZONE), index(("ann", "2026-03-22"))
    assert "sleep_duration_mean_7d_min" in matrix_of(days, at, ["sleep"])
    with pytest.raises(FeaturesError, match="`history_days_since_last_episode` needs `event_days`"):
        matrix_of(days, at, ["history"])
    with pytest.raises(FeaturesError, match="`features` is no list of texts"):
        matrix_of(days, at, "sleep")
