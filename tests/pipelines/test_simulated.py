"""The simulated cohort: canonical, reproducible, of the size it promises, and with its truth kept apart."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.calendar import index_date_knowing, local_time, risk_day
from features.tables import DAILY_METRICS, TABLES
from pipelines.errors import Usage
from pipelines.settings import load_settings
from pipelines.sources.simulated import SimulatedCohort, content_hash, read, true_hazard
from pipelines.sources.simulation.clock import SITES
from pipelines.sources.simulation.dirt import STRANGER_ID
from pipelines.sources.simulation.people import BIASED_MODEL, people
from pipelines.sources.simulation.rhythms import after_waking

SMALL = SimulatedCohort(subjects=40, days=90, minute_days=3)
DEFAULT = SimulatedCohort(minute_days=0)


def _tables(cohort: SimulatedCohort) -> dict[str, pd.DataFrame]:
    parts: dict[str, list[pd.DataFrame]] = {}
    for batch in read(cohort):
        parts.setdefault(batch.table + ("_again" if batch.file.endswith("again") else ""), []).append(batch.frame)
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}


@pytest.fixture(scope="module")
def small() -> dict[str, pd.DataFrame]:
    return _tables(SMALL)


@pytest.fixture(scope="module")
def default() -> dict[str, pd.DataFrame]:
    return _tables(DEFAULT)


def _episodes(events: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """First event days of runs with gaps of at most seven days."""
    zones = subjects.set_index("subject_id")["site"].map(SITES)
    known = events[events["subject_id"].isin(zones.index)]
    days = pd.concat(
        part.assign(day=risk_day(part["occurred_at"], str(zone)))
        for zone, part in known.groupby(known["subject_id"].map(zones))
    )
    days = days[["subject_id", "day"]].drop_duplicates().sort_values(["subject_id", "day"])
    gap = days.groupby("subject_id")["day"].diff()
    return days[gap.isna() | (gap > pd.Timedelta(days=7))]


def test_columns_are_canonical(small: dict[str, pd.DataFrame]) -> None:
    """Every batch has all columns of its table, provenance that the source knows, and nothing else."""
    for name, rows in small.items():
        table = TABLES[name.removesuffix("_again")]
        assert {*table.column_names} - {"attributes"} <= set(rows.columns), name
        assert {"received_at", "source", "device_id", "utc_offset_min"} <= set(rows.columns)
        assert set(rows.columns) <= set(table.arrow_schema().names)
        required = [column.name for column in table.columns if column.is_required]
        assert rows[[*required, "received_at", "source", "device_id"]].notna().all(axis=None)


def test_same_numbers_give_the_same_rows(small: dict[str, pd.DataFrame]) -> None:
    """Two readings of one cohort are equal, row by row."""
    again = _tables(SMALL)
    assert small.keys() == again.keys()
    for name, rows in small.items():
        pd.testing.assert_frame_equal(rows, again[name])


def test_a_subject_lives_the_same_life_in_a_larger_cohort(small: dict[str, pd.DataFrame]) -> None:
    """The first subjects' mood answers do not depend on how many subjects follow."""
    few = _tables(SimulatedCohort(subjects=5, days=90, minute_days=3))["mood"]
    ids = few.loc[few["subject_id"] != STRANGER_ID, "subject_id"].unique()
    columns = ["subject_id", "answered_at", "item"]
    pd.testing.assert_frame_equal(
        few[few["subject_id"].isin(ids)].sort_values(columns, ignore_index=True),
        small["mood"][small["mood"]["subject_id"].isin(ids)].sort_values(columns, ignore_index=True),
    )


def test_content_hash_follows_the_numbers() -> None:
    """The content hash is stable for one cohort and differs for another seed."""
    assert content_hash(SMALL) == content_hash(SimulatedCohort(subjects=40, days=90, minute_days=3))
    assert content_hash(SMALL) != content_hash(SimulatedCohort(subjects=40, days=90, minute_days=3, seed=8))


def test_default_cohort_holds_enough_episodes(default: dict[str, pd.DataFrame]) -> None:
    """300 subjects give at least 250 registered episodes in 35 to 45 % of the subjects."""
    episodes = _episodes(default["events"], default["subjects"])
    assert len(default["subjects"]) == 300
    assert len(episodes) >= 250
    assert 105 <= episodes["subject_id"].nunique() <= 135


def test_every_care_status_occurs(default: dict[str, pd.DataFrame]) -> None:
    """Somebody is admitted, paused, discharged, deceased, and withdraws consent."""
    assert set(default["care_status"]["status"]) == {"active", "inpatient", "paused", "discharged", "deceased"}
    assert default["subjects_again"]["consent_until"].notna().sum() >= 2


def test_the_dead_leave_no_traces(default: dict[str, pd.DataFrame]) -> None:
    """No answer and no event of a deceased subject lies after the death."""
    deaths = default["care_status"].query("status == 'deceased'").set_index("subject_id")["since"]
    for table, time in (("mood", "answered_at"), ("events", "occurred_at"), ("sleep", "offset_at")):
        rows = default[table]
        rows = rows[(rows[time] <= rows["received_at"]) & rows["subject_id"].isin(deaths.index)]
        assert (rows[time] < rows["subject_id"].map(deaths) + pd.Timedelta(hours=1)).all()


def test_nothing_is_received_before_it_happened(small: dict[str, pd.DataFrame]) -> None:
    """Only rows with a wrong clock are timed after their receipt, and nothing is received after the snapshot."""
    snapshot = pd.Timestamp("2026-07-01 03:00", tz="America/New_York")
    for name, rows in small.items():
        assert (rows["received_at"] <= snapshot).all(), name
        time = TABLES[name.removesuffix("_again")].time
        if time is not None and time != "local_date":
            assert (rows[time] > rows["received_at"]).mean() < 0.002, name


def test_dirty_rows_are_rare_but_present(default: dict[str, pd.DataFrame]) -> None:
    """Between 0.1 and 0.3 % of mood rows are off the scale, a stranger's or from the future; some are duplicated."""
    rows = default["mood"]
    is_off = (rows["value"] < rows["scale_min"]) | (rows["value"] > rows["scale_max"])
    is_dirty = is_off | (rows["subject_id"] == STRANGER_ID) | (rows["answered_at"] > rows["received_at"])
    assert 0.001 <= is_dirty.mean() <= 0.003
    assert 0.001 <= rows.duplicated().mean() <= 0.004


def test_later_sendings_repeat_known_keys(small: dict[str, pd.DataFrame]) -> None:
    """What is sent again has a key of the first sending, a higher or equal version and a later receipt."""
    for name in [name for name in small if name.endswith("_again")]:
        table = TABLES[name.removesuffix("_again")]
        first = small[table.name].drop_duplicates(list(table.key))
        both = small[name].merge(first[[*table.key, "received_at"]], on=list(table.key), suffixes=("", "_first"))
        # Keys of first sendings that were spoilt (a stranger's id, a wrong clock) are not met again.
        assert len(both) >= 0.99 * len(small[name])
        assert (both["received_at"] > both["received_at_first"]).all()


def test_most_of_a_day_is_known_by_its_night(default: dict[str, pd.DataFrame]) -> None:
    """Between 75 and 95 % of daily summaries are known for the next index date, nearly all within a week."""
    rows = default["wearable_days"].query("metric == 'steps'")
    zones = rows["subject_id"].map(default["subjects"].set_index("subject_id")["site"].map(SITES))
    delay = pd.concat(
        (index_date_knowing(part["received_at"], str(zone)) - part["local_date"]).dt.days
        for zone, part in rows.groupby(zones)
    )
    clean = delay[delay > 0]
    assert 0.75 <= (clean <= 1).mean() <= 0.95
    assert (clean <= 8).mean() > 0.99


def test_nights_do_not_overlap(default: dict[str, pd.DataFrame]) -> None:
    """The clean main sleeps of a subject last 2 to 16 hours, with four hours awake between (three if clocks go on)."""
    rows = default["sleep"].query("is_main").drop_duplicates()
    hours = (rows["offset_at"] - rows["onset_at"]).dt.total_seconds() / 3600
    rows = rows[(rows["offset_at"] <= rows["received_at"]) & (hours != 24) & (rows["subject_id"] != STRANGER_ID)]
    rows = rows.sort_values(["subject_id", "onset_at"])
    assert hours[hours != 24].between(2, 16).all()
    previous = rows.groupby("subject_id")["offset_at"].shift()
    assert (previous.isna() | (rows["onset_at"] - previous >= pd.Timedelta(hours=3))).all()


def test_a_night_begins_four_hours_after_waking() -> None:
    """Somebody who woke at 15:00 cannot be asleep again at 17:00: the night begins at 19:00, 5 h before midnight."""
    begins = after_waking(np.array([[-1.0, -7.0, -2.0]]), np.array([[15.0, 5.0, 6.0]]))
    np.testing.assert_array_equal(begins, [[-1.0, -5.0, -2.0]])


def test_minutes_are_unique_plausible_and_within_their_days(small: dict[str, pd.DataFrame]) -> None:
    """A device has one clean row per minute, in the last three civil days, and a plausible day's steps."""
    rows = small["wearable"].drop_duplicates()
    rows = rows[(rows["steps"] <= 300) & (rows["heart_rate"] != 0) & (rows["subject_id"] != STRANGER_ID)]
    rows = rows[rows["minute_at"] <= rows["received_at"]]
    assert not rows.duplicated(["subject_id", "minute_at", "device_id"]).any()
    local = local_time(rows["minute_at"], rows["utc_offset_min"])
    assert local.dt.date.between(date(2026, 6, 28), date(2026, 6, 30)).all()
    assert rows["heart_rate"].dropna().between(25, 240).all()
    assert 3000 < rows.groupby(["subject_id", local.dt.date])["steps"].sum().median() < 10_000


@pytest.mark.parametrize(("until", "most"), [(date(2026, 3, 29), 23 * 60), (date(2025, 10, 26), 24 * 60)])
def test_no_minute_occurs_twice_when_clocks_change(until: date, most: int) -> None:
    """On a day of 23 or 25 hours the minutes of the north stay unique and inside that day."""
    tables = _tables(SimulatedCohort(subjects=12, days=20, minute_days=1, until=until))
    north = tables["subjects"].query("site == 'north'")["subject_id"]
    rows = tables["wearable"].drop_duplicates()
    rows = rows[rows["subject_id"].isin(north) & (rows["minute_at"] <= rows["received_at"])]
    local = local_time(rows["minute_at"], rows["utc_offset_min"])
    assert (local.dt.date == until).all()
    assert not rows.duplicated(["subject_id", "minute_at"]).any()
    assert 0 < rows.groupby("subject_id").size().max() <= most


def test_daily_summaries_have_declared_metrics_and_units(small: dict[str, pd.DataFrame]) -> None:
    """Summaries name metrics of DAILY_METRICS in their units, and stop where the minutes begin."""
    rows = small["wearable_days"]
    assert set(rows["metric"]) <= set(DAILY_METRICS)
    assert (rows["unit"] == rows["metric"].map(lambda name: DAILY_METRICS[name][0])).all()
    assert rows.loc[rows["local_date"] < "2026-07-01", "local_date"].max() < pd.Timestamp("2026-06-28")


def test_truth_is_kept_apart_and_coherent(small: dict[str, pd.DataFrame]) -> None:
    """No batch names a hidden state; true risks rise with the horizon and are highest in a prodrome."""
    truth = true_hazard(SMALL)
    assert not any({"state", "hazard", "susceptibility", "warning_strength"} & set(rows) for rows in small.values())
    free = truth[truth["state"] != "episode"]
    risks = free[["hazard", "risk_7d", "risk_14d", "risk_28d"]]
    assert risks.to_numpy().min() >= 0
    assert risks.to_numpy().max() <= 1
    assert (np.diff(risks.to_numpy(), axis=1) >= 0).all()
    assert truth.loc[truth["state"] == "episode", "hazard"].isna().all()
    assert free.groupby("state")["risk_14d"].mean().idxmax() == "prodrome"
    assert not truth.duplicated(["subject_id", "index_date"]).any()


def test_true_risk_is_calibrated_against_what_happens() -> None:
    """Over many subjects the mean true 14-day risk equals the share of days followed by an onset within 14 days."""
    truth = true_hazard(SimulatedCohort(subjects=1500, days=120, seed=3), horizons_days=(14,))
    entered = truth["state"].eq("episode") & truth.groupby("subject_id")["state"].shift().ne("episode")
    # The onset happened on the risk day before the first day that starts in the episode.
    onset = entered.groupby(truth["subject_id"]).shift(-1, fill_value=False)
    ahead = onset[::-1].groupby(truth["subject_id"]).rolling(14, min_periods=14).max().droplevel(0).reindex(truth.index)
    free = truth["state"].ne("episode") & ahead.notna()
    assert truth.loc[free, "risk_14d"].mean() == pytest.approx(ahead[free].mean(), rel=0.12)


def test_documented_unfairness_is_there() -> None:
    """Ownership falls with deprivation, the biased sensor misreads one group only, and events go missing in it."""
    who = people(7, np.arange(1, 3001))
    owns = [who.has_device[who.quintile == quintile].mean() for quintile in range(5)]
    assert owns[0] - owns[4] > 0.25
    is_misread = who.sensor_bias_bpm > 0
    assert set(who.device_model[is_misread]) == {BIASED_MODEL}
    assert set(who.ethnicity[is_misread]) <= {1, -1}
    assert who.registry_capture[who.ethnicity == 1].max() < who.registry_capture[who.ethnicity == 0].max()
    assert who.answer_logit[who.language == 1].mean() < who.answer_logit[who.language == 0].mean() - 1


def test_the_embedded_configuration_knows_the_sites_and_groups(default: dict[str, pd.DataFrame]) -> None:
    """foretide.yaml gives the simulator's sites their time zones, and its reference groups exist."""
    settings = load_settings(Path(__file__).parents[2] / "foretide.yaml")
    assert settings.sites.time_zones == SITES
    for attribute, reference in settings.audit.reference_groups.items():
        assert reference in set(default["subjects"][attribute])


def test_a_cohort_of_nobody_is_refused() -> None:
    """Numbers that make no cohort are refused with the keys to mend."""
    with pytest.raises(Usage, match="subjects"):
        SimulatedCohort(subjects=0)
