"""What cannot be meant is refused by name; what is not there is missing, with coverage 0; nothing becomes a zero."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features.catalog import STANDARD
from features.errors import FeaturesError
from features.matrix import build_matrix

NAMES = [feature.name for feature in STANDARD.features]
# What has a value for somebody of whom nothing is known: counts of days, of events and of silence.
COVERAGES = {feature.name for feature in STANDARD.features if f"_coverage_{feature.window_days}d" in feature.name}
COUNTED = COVERAGES | {name for name in NAMES if STANDARD.by_name[name].family in ("history", "tenure")}
SILENCE = {name for name in NAMES if name.startswith(("adherence_longest_gap", "adherence_days_since_data",
                                                      "adherence_answer_rate"))}  # fmt: skip
DAY = pd.Timedelta(days=1)
DATES = pd.date_range("2026-01-01", periods=40, unit="us")
TODAY = DATES[-1] + DAY


def panel(*subjects: str, **columns: object) -> pd.DataFrame:
    """Forty days of sleep and steps of each subject."""
    rng = np.random.default_rng(1)
    rows = {"local_date": DATES, "known_on": DATES + DAY, "sleep_duration": rng.normal(420, 30, len(DATES)),
            "activity_steps": rng.normal(8000, 900, len(DATES))}  # fmt: skip
    days = pd.concat([pd.DataFrame({"subject_id": name, **rows}) for name in subjects], ignore_index=True)
    return days.assign(**columns)


def enrolment(*subjects: str, **columns: object) -> pd.DataFrame:
    """Subjects enrolled on the first of the forty days."""
    return pd.DataFrame({"subject_id": list(subjects), "enrolled_on": DATES[0]}).assign(**columns)


def index(*subjects: str, **columns: object) -> pd.DataFrame:
    """The day after the last, for each subject."""
    return pd.DataFrame({"subject_id": list(subjects), "index_date": TODAY}).assign(**columns)


def events(**columns: object) -> pd.DataFrame:
    """One event of ann on the tenth day."""
    rows = pd.DataFrame({"subject_id": ["ann"], "event_on": DATES[[9]], "known_on": DATES[[10]]})
    return rows.assign(**columns)


def features_of(days: pd.DataFrame, subject: str = "ann") -> pd.Series:
    """Every feature of one subject, who never had an event."""
    row = build_matrix(days, events().iloc[:0], enrolment(subject), index(subject), features=NAMES).iloc[0]
    return row[NAMES].astype(float)


def without_data_of(row: pd.Series, names: list[str]) -> None:
    """Assert that features are missing, that their coverage is 0, and that silence lasts as long as can be seen."""
    coverage = [name for name in names if name in COVERAGES]
    assert coverage
    assert (row[coverage] == 0).all()
    others = [name for name in names if name not in COUNTED | SILENCE]
    assert row[others].dropna().index.tolist() == []


def test_the_order_of_any_table_changes_nothing():
    """Days, events, subjects and index rows shuffled, with labels that repeat: equal to the last bit."""
    who = ("bob", "ann", "cat")
    tables = [panel(*who), events(), enrolment(*who), index(*who)]
    shuffled = [table.sample(frac=1, random_state=3).set_axis([0] * len(table)) for table in tables]
    assert_frame_equal(build_matrix(*shuffled), build_matrix(*tables), check_exact=True)


REPEATED = {
    "days": lambda: (pd.concat([panel("ann"), panel("ann").iloc[[3, 4]]]), events(), enrolment("ann"), index("ann")),
    "subjects": lambda: (panel("ann"), events(), enrolment("ann", "ann"), index("ann")),
    "index": lambda: (panel("ann"), events(), enrolment("ann"), index("ann", "ann")),
}


@pytest.mark.parametrize("table", REPEATED)
def test_a_repeated_key_is_refused(table):
    """Which of two rows counts is not for a library to guess."""
    with pytest.raises(FeaturesError, match=rf"`{table}` repeats \d of its rows' keys"):
        build_matrix(*REPEATED[table]())


def test_an_event_that_is_told_twice_is_one():
    """Events are days: two on a day, or one from two sources, are one event day."""
    names = [name for name in NAMES if name.startswith("history")]
    once, twice = (build_matrix(panel("ann"), told, enrolment("ann"), index("ann"), features=names)
                   for told in (events(), pd.concat([events(), events()])))  # fmt: skip
    assert_frame_equal(once, twice, check_exact=True)


def test_subjects_of_the_index_who_are_unknown_are_refused():
    """By count, never by id."""
    with pytest.raises(FeaturesError, match="`index` has 1 rows of subjects that `subjects` lacks") as refusal:
        build_matrix(panel("ann"), events(), enrolment("ann"), index("ann", "stranger"))
    assert "stranger" not in str(refusal.value)


def test_days_and_events_of_others_are_nobody_elses():
    """Rows of subjects that nobody asks for are left out, and change nothing."""
    alone = build_matrix(panel("bob"), events().iloc[:0], enrolment("bob"), index("bob"))
    among = build_matrix(panel("ann", "bob"), events(), enrolment("ann", "bob"), index("bob"))
    assert_frame_equal(alone, among, check_exact=True)


IDS = {
    "days": lambda ids: (panel("ann", subject_id=ids), events(), enrolment("ann"), index("ann")),
    "event_days": lambda ids: (panel("ann"), events(subject_id=ids), enrolment("ann"), index("ann")),
    "subjects": lambda ids: (panel("ann"), events(), enrolment("ann", subject_id=ids), index("ann")),
    "index": lambda ids: (panel("ann"), events(), enrolment("ann"), index("ann", subject_id=ids)),
}


@pytest.mark.parametrize("table", IDS)
def test_ids_that_are_no_texts_are_refused(table):
    """7 in one table and "7" in another would match nobody, and read as somebody without data."""
    for ids in (7, pd.Series([7] * 40, dtype=object)):
        with pytest.raises(FeaturesError, match=rf"`{table}\.subject_id` holds no texts but integer"):
            build_matrix(*IDS[table](ids))
    with pytest.raises(FeaturesError, match=rf"`{table}\.subject_id` is missing in \d+ rows"):
        build_matrix(*IDS[table](pd.Series([None] * 40, dtype="str")))


ZONED = DATES[[0]].tz_localize("Europe/Berlin")
MIXED = pd.Series([ZONED[0], ZONED[0].tz_convert("Asia/Tokyo")] * 20, dtype=object)
DAYS = {
    "days.local_date": lambda at: (panel("ann", local_date=at), events(), enrolment("ann"), index("ann")),
    "days.known_on": lambda at: (panel("ann", known_on=at), events(), enrolment("ann"), index("ann")),
    "event_days.event_on": lambda at: (panel("ann"), events(event_on=at), enrolment("ann"), index("ann")),
    "event_days.superseded_on": lambda at: (panel("ann"), events(superseded_on=at), enrolment("ann"), index("ann")),
    "subjects.enrolled_on": lambda at: (panel("ann"), events(), enrolment("ann", enrolled_on=at), index("ann")),
    "index.index_date": lambda at: (panel("ann"), events(), enrolment("ann"), index("ann", index_date=at)),
}


@pytest.mark.parametrize("column", DAYS)
@pytest.mark.parametrize(
    ("at", "message"),
    [
        (ZONED[0], "has a time zone"),
        (MIXED, "holds no dates but object"),
        ("2026-01-01", "holds no dates but str"),
        (DATES[0] + DAY / 2, "not at midnight"),
    ],
    ids=["a zone", "mixed zones", "texts", "a time of day"],
)
def test_what_is_no_civil_day_is_refused(column, at, message):
    """Instants of several zones would fall on different days."""
    with pytest.raises(FeaturesError, match=rf"`{column}` .*{message}"):
        build_matrix(*DAYS[column](at))


RESTART = {"subject_id": "ann", "stream": "sleep", "measure": "", "on_date": DATES[20], "known_on": DATES[22]}


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("on_date", ZONED[0], "has a time zone"),
        ("known_on", pd.NaT, "has 1 rows that are missing"),
        ("measure", None, "is missing in 1 rows|holds no texts"),
        ("subject_id", 7, "holds no texts but integer"),
    ],
)
def test_restarts_keep_the_same_rules(column, value, message):
    """A begin on another day, or one that counts as known from the first day on, would be a look ahead."""
    restarts = pd.DataFrame([RESTART | {column: value}])
    with pytest.raises(FeaturesError, match=rf"`restarts\.{column}` .*({message})"):
        build_matrix(panel("ann"), events(), enrolment("ann"), index("ann"), restarts=restarts)
    with pytest.raises(FeaturesError, match=rf"`restarts` lacks the columns {column}"):
        build_matrix(panel("ann"), events(), enrolment("ann"), index("ann"), restarts=restarts.drop(columns=column))


@pytest.mark.parametrize("infinite", [np.inf, -np.inf])
def test_infinite_values_are_refused_by_column_and_count(infinite):
    """They would make every mean of their window infinite."""
    days = panel("ann")
    days.loc[[5, 7], "sleep_duration"] = infinite
    with pytest.raises(FeaturesError, match=r"`days\.sleep_duration` has 2 infinite values"):
        build_matrix(days, events(), enrolment("ann"), index("ann"))


@pytest.mark.parametrize("values", ["many", pd.Timestamp("2026-01-01"), True, 1j])
def test_measures_that_are_no_numbers_are_refused(values):
    """By column and type, without the value."""
    with pytest.raises(FeaturesError, match=r"`days\.activity_steps` holds no numbers but") as refusal:
        build_matrix(panel("ann", activity_steps=values), events(), enrolment("ann"), index("ann"))
    assert "many" not in str(refusal.value)
    assert "2026" not in str(refusal.value)


@pytest.mark.parametrize("absent", ["all missing", "no column"])
def test_a_stream_without_a_value_is_missing_with_coverage_0(absent):
    """Sleep is there, steps never were: nothing of activity has a value, and nothing is 0 but its coverage."""
    days = panel("ann", activity_steps=np.nan)
    row = features_of(days if absent == "all missing" else days.drop(columns="activity_steps"))
    without_data_of(row, [name for name in NAMES if name.startswith(("activity", "circadian", "heart", "mood"))])
    assert row["sleep_duration_coverage_28d"] == 1
    assert row["sleep_duration_mean_28d_min"] > 0


@pytest.mark.parametrize("days", [panel("ann").iloc[:0], panel("ann").iloc[:0, :3], panel("bob")],
                         ids=["empty", "without measures", "of others"])  # fmt: skip
def test_an_empty_panel_is_missing_with_coverage_0(days):
    """So is a panel that holds others only: silence for as long as can be seen, and no value."""
    row = features_of(days)
    without_data_of(row, NAMES)
    assert row["adherence_longest_gap_28d"] == 28
    assert row["adherence_answer_rate_28d"] == 0


@pytest.mark.parametrize("silent_days", [0, 6, 27])
def test_one_day_of_history_has_a_last_value_and_a_coverage_and_little_else(silent_days):
    """One day with data: below the least data nothing has a value; the last one does while its window holds the day."""
    days = panel("ann").iloc[[len(DATES) - 1 - silent_days]]
    row = features_of(days)
    for window in (3, 7, 14, 28, 90):
        is_seen = silent_days < window
        assert row[f"sleep_duration_coverage_{window}d"] == pytest.approx(is_seen / min(window, 40))
        assert np.isfinite(row[f"sleep_duration_last_{window}d_min"]) == is_seen
    statistics = [name for name in NAMES if name.startswith(("sleep_duration", "activity_steps"))]
    with_value = row[statistics].dropna().index
    assert {name.split("_")[2] for name in with_value} == {"last", "coverage"}


def test_the_first_day_of_all_is_no_day_yet():
    """On the day of enrolment nothing was observable: coverage is 0 of 0 days, not a value and not an error."""
    row = build_matrix(panel("ann").iloc[:0], events().iloc[:0], enrolment("ann"), index("ann", index_date=DATES[0]),
                       features=NAMES).iloc[0]  # fmt: skip
    assert row["tenure_days_enrolled"] == 0
    assert row[[name for name in NAMES if name.startswith("sleep") and name not in COVERAGES]].isna().all()
    assert np.isnan(row["adherence_coverage_7d"])


def test_nothing_to_ask_for_is_refused():
    """An index without rows is a mistake of the one who asks."""
    with pytest.raises(FeaturesError, match="`index` is empty"):
        build_matrix(panel("ann"), events(), enrolment("ann"), index("ann").iloc[:0])


def test_a_feature_named_twice_is_refused():
    """Two columns of one name would both be taken for the first."""
    with pytest.raises(FeaturesError, match="1 features are named twice"):
        STANDARD.asked(["sleep_duration_mean_7d_min", "sleep_duration_mean_7d_min"])


@pytest.mark.parametrize(("column", "near"), [("sleep_duraton", "sleep_duration"), ("activity_step", "activity_steps"),
                                              ("has_dat", "has_data")])  # fmt: skip
def test_a_column_that_is_no_measure_is_refused_with_the_nearest(column, near):
    """A misspelt measure would read as somebody without data."""
    days = panel("ann").assign(**{column: 1.0})
    with pytest.raises(FeaturesError, match=f"`days` has no measure `{column}`; perhaps `{near}`"):
        build_matrix(days, events(), enrolment("ann"), index("ann"))


def test_every_column_that_a_feature_is_made_of_may_stand_in_the_days():
    """Measures, what patterns are made of, whether there are data, and signals that nobody declared."""
    made_of = {measure.name for measure in STANDARD.measures}.union(*(pattern.columns for pattern in STANDARD.patterns))
    columns = sorted(made_of - {"weekday", "since_receipt"} | {"signals_pace"})
    days = pd.concat([panel("ann").iloc[:, :3], pd.DataFrame(1.0, index=range(len(DATES)), columns=columns)], axis=1)
    assert len(build_matrix(days, events(), enrolment("ann"), index("ann"))) == 1


def test_a_day_that_was_known_long_before_it_was_lived_is_refused():
    """Swapped columns, or one date for all rows: told by count."""
    days = panel("ann")
    days.loc[[1, 2, 3], "known_on"] = DATES[[1, 2, 3]] - 3 * DAY
    with pytest.raises(FeaturesError, match="`days.known_on` lies more than 2 days before `local_date` in 3 rows"):
        build_matrix(days, events(), enrolment("ann"), index("ann"))


@pytest.mark.parametrize("n_days", [0, 1, 2])
def test_a_day_that_was_known_on_itself_counts_from_the_day_after(n_days):
    """Windows end before the index date: an early receipt, as on a journey or before the cutoff, shows nothing sooner."""
    told = panel("ann")
    early = told.assign(known_on=told["local_date"] - n_days * DAY)
    names = [name for name in NAMES if not name.startswith("adherence_days_since_sync")]
    dates = index(*["ann"] * 3, index_date=DATES[[20, 30, 39]])
    assert_frame_equal(*(build_matrix(days, events(), enrolment("ann"), dates, features=names) for days in (told, early)),
                       check_exact=True)  # fmt: skip


NO_TABLE = {
    "days": lambda: (None, events(), enrolment("ann"), index("ann")),
    "event_days": lambda: (panel("ann"), None, enrolment("ann"), index("ann")),
    "subjects": lambda: (panel("ann"), events(), {"ann": 1}, index("ann")),
    "index": lambda: (panel("ann"), events(), enrolment("ann"), ["ann"]),
}


@pytest.mark.parametrize("table", NO_TABLE)
def test_what_is_no_table_is_refused_by_name(table):
    """With the columns that it needs, so that an empty one can be made."""
    with pytest.raises(
        FeaturesError, match=rf"`{table}` is no DataFrame but (NoneType|dict|list)\. Give .* subject_id, "
    ):
        build_matrix(*NO_TABLE[table]())


def test_one_text_is_no_list_of_features():
    """Its letters would be taken for names."""
    with pytest.raises(FeaturesError, match="`features` is no list of texts. Give a list"):
        build_matrix(panel("ann"), events(), enrolment("ann"), index("ann"), features="sleep_duration_mean_7d_min")


def test_a_family_stands_for_its_features():
    """As in the configuration: all that it has, on or off, in the order of the dictionary, where it was asked for."""
    found = build_matrix(
        panel("ann"), events(), enrolment("ann"), index("ann"), features=["tenure_days_enrolled", "sleep"]
    )
    of_family = [feature.name for feature in STANDARD.features if feature.family == "sleep"]
    assert found.columns.tolist()[2:] == ["tenure_days_enrolled", *of_family]
    with pytest.raises(FeaturesError, match="1 features are named twice"):
        build_matrix(panel("ann"), events(), enrolment("ann"), index("ann"), features=["sleep", of_family[0]])
    with pytest.raises(FeaturesError, match="`slep` is no feature of the catalogue; perhaps `sleep`"):
        build_matrix(panel("ann"), events(), enrolment("ann"), index("ann"), features=["slep"])


@pytest.mark.parametrize("threads", [0, -1])
def test_nobody_cannot_work(threads):
    """No thread would build nothing."""
    with pytest.raises(FeaturesError, match="`threads` is less than 1"):
        build_matrix(panel("ann"), events(), enrolment("ann"), index("ann"), threads=threads)


@pytest.mark.parametrize("told", [{"unit": "m/s"}, {"unit": "m/s", "usual_spread": 1}, "m/s", ("m/s",), ("m/s", 0.0),
                                  ("m/s", "1"), (None, 1.0), ("m/s", np.inf), None])  # fmt: skip
def test_a_signal_is_declared_by_its_unit_and_spread(told):
    """Keys of a mapping or letters of a text would be taken for a unit."""
    with pytest.raises(FeaturesError, match="The signal `pace` is not declared by a unit and a usual spread"):
        STANDARD.with_signals({"pace": told})
