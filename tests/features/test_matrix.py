"""The feature matrix: its shape, what is missing, what it refuses, and that nothing from later changes it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from features import grid, matrix
from features.catalog import STANDARD
from features.errors import FeaturesError
from features.hours import HOUR_COLUMNS
from features.matrix import ROWS_AT_ONCE, build_matrix

NAMES = STANDARD.chosen(("tenure",))
# Some of each kind of computation, beside those that are on.
MORE = [*NAMES, "activity_steps_z_90d", "activity_steps_rmssd_90d", "sleep_midpoint_z_28d_h".removesuffix("_h"),
        "sleep_midpoint_sd_90d_h", "own_past_distance_7d", "own_past_distance_28d", "mood_valence_slope_90d",
        "circadian_stability_28d", "activity_steps_coverage_14d", "heart_resting_z_7d", "circadian_l5_onset_z_3d",
        "sleep_social_jetlag_z_7d", "adherence_longest_gap_z_3d", "circadian_coverage_14d",
        "own_past_distance_coverage_7d"]  # fmt: skip
FIRST = pd.Timestamp("2026-01-01")
DAY = pd.Timedelta(days=1)
MEASURES = [
    "activity_steps",
    "sleep_midpoint",
    "mood_valence",
    "mood_phq_9",
    "heart_resting",
    "sleep_duration",
    *HOUR_COLUMNS,
]
COUNTS_WITHOUT_DATA = {"adherence_coverage_7d", "adherence_coverage_28d", "adherence_days_since_data_28d",
                       "adherence_longest_gap_28d", "tenure_days_enrolled"}  # fmt: skip

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=30, deadline=None)


def dates(offsets: np.ndarray | list[int]) -> pd.DatetimeIndex:
    """Days counted from the first, as the panel has them."""
    return (FIRST + pd.to_timedelta(offsets, unit="D")).as_unit("us")


def subjects(*names: str, enrolled: int = 0) -> pd.DataFrame:
    """Subjects enrolled on one day."""
    return pd.DataFrame({"subject_id": list(names), "enrolled_on": dates([enrolled] * len(names))})


def index(*rows: tuple[str, int]) -> pd.DataFrame:
    """Index rows as (subject, days from the first)."""
    return pd.DataFrame({"subject_id": [name for name, _ in rows], "index_date": dates([day for _, day in rows])})


def toy_panel(rng: np.random.Generator, rows: int = 160) -> pd.DataFrame:
    """Days of ann and bob over 60 days, some with later versions, some values missing."""
    local, late = rng.integers(0, 60, rows), rng.choice([1, 1, 1, 2, 5, 20], rows)
    values = {name: np.where(rng.random(rows) < 0.8, rng.uniform(0, 24, rows), np.nan) for name in MEASURES}
    panel = pd.DataFrame(
        {"subject_id": rng.choice(["ann", "bob"], rows), "local_date": dates(local), "known_on": dates(local + late)}
        | values
    )
    return panel.drop_duplicates(["subject_id", "local_date", "known_on"], ignore_index=True)


def toy_events(rng: np.random.Generator, rows: int = 12) -> pd.DataFrame:
    """Event days over the same 60 days, some known late, some taken back."""
    on, late = rng.integers(0, 60, rows), rng.choice([1, 1, 3, 20], rows)
    until = pd.Series(dates(on + late + rng.integers(1, 30, rows))).where(rng.random(rows) < 0.3)
    return pd.DataFrame({"subject_id": rng.choice(["ann", "bob"], rows), "event_on": dates(on),
                         "known_on": dates(on + late), "superseded_on": until})  # fmt: skip


def none_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The same columns without a row."""
    return frame.iloc[:0]


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    """Equal to the last bit."""
    assert_frame_equal(left, right, check_exact=True)


def test_the_matrix_is_the_index_sorted_and_one_column_per_feature():
    """Floats of 64 bits, whatever the order of the index rows."""
    rng = np.random.default_rng(1)
    wanted = index(("bob", 40), ("ann", 50), ("bob", 30), ("ann", 10))
    found = build_matrix(toy_panel(rng), toy_events(rng), subjects("bob", "ann"), wanted)
    assert found[["subject_id", "index_date"]].to_numpy().tolist() == sorted(wanted.to_numpy().tolist())
    assert found.columns.tolist() == ["subject_id", "index_date", *NAMES]
    assert set(found[list(NAMES)].dtypes) == {np.dtype("float64")}
    assert found.index.tolist() == [0, 1, 2, 3]


def test_rows_do_not_depend_on_the_rows_built_beside_them():
    """A night for one subject is what the training matrix has for that day; chunks leave no trace."""
    rng = np.random.default_rng(2)
    panel, events, who = toy_panel(rng), toy_events(rng), subjects("ann", "bob")
    wanted = index(*((name, day) for name in ("ann", "bob") for day in range(ROWS_AT_ONCE + 10)))
    everything = build_matrix(panel, events, who, wanted, features=MORE)
    for place in (30, ROWS_AT_ONCE + 40, len(wanted) - 1):
        alone = build_matrix(panel, events, who, wanted.iloc[[place]], features=MORE)
        same(everything.iloc[[place]].reset_index(drop=True), alone)


def without_data(panel: pd.DataFrame) -> pd.Series:
    """Features on day 30 of a subject enrolled on the first, of whom the panel holds nothing."""
    events = none_of(toy_events(np.random.default_rng(3)))
    return build_matrix(panel, events, subjects("cat"), index(("cat", 30))).iloc[0]


def test_without_data_only_counts_and_history_have_values():
    """Everything else is missing, never zero."""
    row = without_data(toy_panel(np.random.default_rng(3)))
    assert row["adherence_coverage_28d"] == 0
    assert row["adherence_longest_gap_28d"] == 28
    assert row["adherence_days_since_data_28d"] == 28
    has_value = {name for name in NAMES if not pd.isna(row[name])}
    assert {name for name in has_value if not name.startswith("history")} == COUNTS_WITHOUT_DATA


def test_an_empty_panel_is_a_panel_without_data():
    """On the first night of an installation nobody has data yet, and everybody still has a row."""
    panel = toy_panel(np.random.default_rng(3))
    expected = without_data(panel)
    assert without_data(none_of(panel)).equals(expected)
    assert without_data(none_of(panel)[["subject_id", "local_date", "known_on"]]).equals(expected)


def test_other_peoples_data_are_nobody_elses():
    """Features of bob are the same whatever the panel and the events say about ann."""
    rng = np.random.default_rng(4)
    panel, events, who = toy_panel(rng), toy_events(rng), subjects("bob")
    alone = [frame[frame["subject_id"] == "bob"] for frame in (panel, events)]
    same(build_matrix(panel, events, who, index(("bob", 45))), build_matrix(*alone, who, index(("bob", 45))))


@pytest.mark.parametrize(
    ("table", "column"),
    [("days", "local_date"), ("days", "known_on"), ("subjects", "enrolled_on"), ("index", "index_date")],
)
def test_a_missing_column_is_refused_by_name(table, column):
    """The message says which column of which table."""
    rng = np.random.default_rng(5)
    tables = {"days": toy_panel(rng), "event_days": toy_events(rng), "subjects": subjects("ann", "bob"),
              "index": index(("ann", 30))}  # fmt: skip
    tables[table] = tables[table].drop(columns=column)
    with pytest.raises(FeaturesError, match=f"`{table}` lacks the columns {column}"):
        build_matrix(**tables)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("ann", 30), ("ann", 31), ("ann", 30)], "`index` repeats 1 of its rows' keys"),
        ([("ann", 30), ("stranger-77", 30), ("stranger-77", 31)], "has 2 rows of subjects that `subjects` lacks"),
        ([], "is empty"),
    ],
)
def test_an_index_that_cannot_be_meant_is_refused(rows, message):
    """Repeated pairs, unknown subjects, or nothing at all; counts, never an id."""
    rng = np.random.default_rng(6)
    with pytest.raises(FeaturesError, match=message) as refusal:
        build_matrix(toy_panel(rng), toy_events(rng), subjects("ann", "bob"), index(*rows))
    assert "77" not in str(refusal.value)


@few
@given(seeds, st.integers(5, 70))
def test_days_and_events_of_later_change_nothing(seed, day):
    """What lies on or after the index date, or is known only after it, can as well not exist."""
    rng = np.random.default_rng(seed)
    panel, events, who = toy_panel(rng), toy_events(rng), subjects("ann", "bob")
    today = FIRST + day * DAY
    known_days = panel[(panel["local_date"] < today) & (panel["known_on"] <= today)]
    known_events = events.assign(superseded_on=events["superseded_on"].where(events["superseded_on"] <= today))
    known_events = known_events[(events["event_on"] < today) & (events["known_on"] <= today)]
    wanted = index(("ann", day), ("bob", day))
    same(build_matrix(panel, events, who, wanted, features=MORE),
         build_matrix(known_days, known_events, who, wanted, features=MORE))  # fmt: skip


@few
@given(seeds)
def test_the_order_of_the_rows_changes_nothing(seed):
    """Neither of the panel's nor of the events'."""
    rng = np.random.default_rng(seed)
    panel, events, who = toy_panel(rng), toy_events(rng), subjects("ann", "bob")
    wanted = index(("ann", 45), ("bob", 61))
    shuffled = [frame.iloc[rng.permutation(len(frame))] for frame in (panel, events)]
    same(build_matrix(panel, events, who, wanted), build_matrix(*shuffled, who, wanted))


@few
@given(seeds, st.integers(1, 10))
def test_a_correction_counts_from_the_day_it_is_known(seed, delay):
    """Before, the matrix is as without it; from then on, as if the day had always been so."""
    rng = np.random.default_rng(seed)
    panel, events, who = toy_panel(rng), toy_events(rng), subjects("ann", "bob")
    panel = panel.drop_duplicates(["subject_id", "local_date"], ignore_index=True)
    place = int(rng.integers(len(panel)))
    right = panel.copy()
    right.loc[place, MEASURES] = 1.5
    known_on = panel.loc[place, "known_on"] + delay * DAY
    both = pd.concat([panel, right.loc[[place]].assign(known_on=known_on)], ignore_index=True)
    for date, expected in ((known_on - DAY, panel), (known_on, right), (known_on + 3 * DAY, right)):
        wanted = who[["subject_id"]].assign(index_date=date)
        same(build_matrix(both, events, who, wanted), build_matrix(expected, events, who, wanted))


def test_the_day_before_changes_the_features_but_the_index_date_does_not():
    """So that the tests above could fail: a day of data counts from the next index date on."""
    day = pd.DataFrame(
        {"subject_id": ["ann"], "local_date": dates([30]), "known_on": dates([31]), "mood_valence": [0.5]}
    )
    rng = np.random.default_rng(8)
    found = build_matrix(day, none_of(toy_events(rng)), subjects("ann"), index(("ann", 30), ("ann", 31), ("ann", 37)))
    assert found["mood_valence_last_7d"].tolist()[1:] == [0.5, 0.5]
    assert pd.isna(found["mood_valence_last_7d"].iloc[0])
    assert found["adherence_days_since_data_28d"].tolist() == [28, 0, 6]


def test_versions_of_a_day_follow_one_another():
    """Three versions, known on days 31, 33 and 33 + 2: each index date sees the newest it knows."""
    versions = pd.DataFrame({"subject_id": "ann", "local_date": dates([30] * 3), "known_on": dates([35, 31, 33]),
                             "mood_valence": [0.3, 0.1, np.nan]})  # fmt: skip
    wanted = index(*(("ann", day) for day in (31, 32, 33, 34, 35)))
    rng = np.random.default_rng(9)
    found = build_matrix(versions, none_of(toy_events(rng)), subjects("ann"), wanted)["mood_valence_last_7d"]
    np.testing.assert_array_equal(found, [0.1, 0.1, np.nan, np.nan, 0.3])


def restarts(*rows: tuple[str, str, int, int]) -> pd.DataFrame:
    """Restarts as (subject, stream, day, known on)."""
    return pd.DataFrame({"subject_id": [name for name, *_ in rows], "stream": [stream for _, stream, *_ in rows],
                         "measure": "", "on_date": dates([day for *_, day, _ in rows]),
                         "known_on": dates([known for *_, known in rows])})  # fmt: skip


@few
@given(seeds)
def test_side_by_side_and_alone_agree_to_the_last_bit(seed):
    """Whether index rows share a sheet of newest versions or each has a series of its own changes nothing."""
    rng = np.random.default_rng(seed)
    panel, events, who = toy_panel(rng), toy_events(rng), subjects("ann", "bob")
    wanted = index(*((name, day) for name in ("ann", "bob") for day in range(3, 70, 1 + seed % 4)))
    told = {"features": MORE, "restarts": restarts(("ann", "wearable", 20, 25), ("bob", "sleep", 40, 40))}
    found = {}
    for days_per_row in (0, 10_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(grid, "DAYS_PER_ROW", days_per_row)
            patch.setattr(matrix, "DAYS_PER_ROW", days_per_row)
            found[days_per_row] = build_matrix(panel, events, who, wanted, **told)
    same(*found.values())


@few
@given(seeds)
def test_threads_change_nothing(seed):
    """Portions of subjects do not know of each other."""
    rng = np.random.default_rng(seed)
    panel, events, who = toy_panel(rng), toy_events(rng), subjects("ann", "bob")
    wanted = index(*((name, day) for name in ("ann", "bob") for day in range(3, 70)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix, "SUBJECTS_AT_ONCE", 1)
        two = build_matrix(panel, events, who, wanted, features=MORE, threads=2)
    same(two, build_matrix(panel, events, who, wanted, features=MORE))


def steps_then_twice_as_many() -> pd.DataFrame:
    """Thirty days around 5,000 steps, then thirty around 10,000."""
    steps = np.concatenate([5000 + 100.0 * (np.arange(30) % 3), 10_000 + 100.0 * (np.arange(30) % 3)])
    return pd.DataFrame({"subject_id": "ann", "local_date": dates(np.arange(60)), "known_on": dates(np.arange(1, 61)),
                         "activity_steps": steps})  # fmt: skip


def test_a_new_device_is_no_change_of_the_subject_once_it_is_known():
    """Twice the steps are a change against the own past; from the night on that knows of the new device they are not."""
    panel, events, who = steps_then_twice_as_many(), none_of(toy_events(np.random.default_rng(1))), subjects("ann")
    wanted = index(("ann", 37), ("ann", 38), ("ann", 50))
    told = {"features": ["activity_steps_z_7d"], "restarts": restarts(("ann", "wearable", 30, 38))}
    before, after, later = build_matrix(panel, events, who, wanted, **told)["activity_steps_z_7d"]
    assert before > 1
    # One day of the new device precedes the week: 10,000 against a mean of 10,100 or so.
    assert abs(after) < 0.1
    assert abs(later) < 0.1
    unmoved = build_matrix(panel, events, who, wanted, features=told["features"])["activity_steps_z_7d"]
    assert (unmoved > 1).all()


def test_a_restart_of_another_stream_or_subject_is_none():
    """A new sleep sensor says nothing of steps, bob's device nothing of ann's."""
    panel, events, who = (
        steps_then_twice_as_many(),
        none_of(toy_events(np.random.default_rng(1))),
        subjects("ann", "bob"),
    )
    told = {"features": ["activity_steps_z_7d"], "index": index(("ann", 50))}
    others = restarts(("ann", "sleep", 30, 30), ("bob", "wearable", 30, 30))
    same(build_matrix(panel, events, who, restarts=others, **told), build_matrix(panel, events, who, **told))
