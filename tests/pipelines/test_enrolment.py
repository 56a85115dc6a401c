"""Who was known as enrolled since when, and the index dates that follow from it."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features.history import enrolment
from pipelines import cohort as cohorts
from pipelines import engineering
from pipelines.door.intake import ingest
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.lake import Lake
from pipelines.settings import settings_from
from pipelines.sources.batch import Batch
from pipelines.training.places import device_models

# DuckDB 2.0 and PyArrow 25 call what pandas 3.1 deprecates; their warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

LAST = pd.Timestamp("2026-06-25")
EARLIER, LATER, TOLD_LATE, GONE_A_WHILE, OF_TWO, ELSEWHERE = (f"p-{number}" for number in range(6))
# Subject, first day of follow-up, day of receipt in June, source; None: the source takes its row back.
TOLD = [
    (EARLIER, 4, 3, "a"), (EARLIER, 1, 10, "a"),
    (LATER, 1, 1, "a"), (LATER, 18, 6, "a"),
    (TOLD_LATE, 2, 8, "a"),
    (GONE_A_WHILE, 1, 1, "a"), (GONE_A_WHILE, None, 5, "a"), (GONE_A_WHILE, 3, 9, "a"),
    (OF_TWO, 2, 2, "a"), (OF_TWO, 5, 7, "b"), (OF_TWO, None, 12, "b"),
    (ELSEWHERE, 1, 1, "a"),
]  # fmt: skip


def installation(home: Path) -> Installation:
    """Two sites, seven hours apart."""
    return Installation(settings_from({
        "sites": {"time_zones": {"east": "Pacific/Auckland"}, "default_time_zone": "Europe/Berlin"},
        "outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}},
    }, home))  # fmt: skip


def tell(lake: Lake, told: list[tuple[str, int | None, int, str]]) -> None:
    """Rows of subjects in the order of their receipt, at noon."""
    for number, (who, enrolled, received, source) in enumerate(sorted(told, key=lambda row: row[2])):
        rows = pd.DataFrame({
            "subject_id": [who], "source": source, "enrolled_on": date(2026, 6, enrolled or 1), "device_id": "registry",
            "site": "east" if who == ELSEWHERE else "home", "is_deleted": enrolled is None,
            "received_at": pd.Timestamp(2026, 6, received, 12, tz="UTC").as_unit("us"),
        })  # fmt: skip
        ingest(lake, [Batch("subjects", rows, "subjects")], f"told {number}")


def test_training_has_the_index_rows_that_nights_had(tmp_path):
    """Corrected to earlier or later, told late, gone for a while, told by two sources: as each night knew it."""
    made = installation(tmp_path)
    tell(made.lake, TOLD)
    nights = []
    for night in pd.date_range("2026-06-02", LAST, unit="us"):
        known = cohorts.load(made.lake, made.settings, night)
        nights.append(known.roster[["subject_id", "enrolled_on"]].assign(index_date=night))
    # The day of enrolment itself is no index date of training: nothing was followed up yet.
    had = (
        pd.concat(nights).query("enrolled_on < index_date").sort_values(["subject_id", "index_date"], ignore_index=True)
    )
    known = cohorts.load(made.lake, made.settings, LAST)
    until = known.subjects[["subject_id"]].assign(followed_until=LAST)
    index = cohorts.index_rows(known, until)
    assert_frame_equal(index, had[["subject_id", "index_date"]])
    assert enrolment(known.enrolments, index).tolist() == had["enrolled_on"].tolist()
    dates = had.groupby("subject_id")["enrolled_on"].nunique()
    assert dates.to_dict() == {EARLIER: 2, LATER: 2, TOLD_LATE: 1, GONE_A_WHILE: 2, OF_TWO: 2, ELSEWHERE: 1}


def test_a_subject_s_site_is_the_one_of_the_night(tmp_path):
    """Who moved on the 10th was at the former site until then, whatever is known by now."""
    made = installation(tmp_path)
    moved = [("home", 3), ("east", 10)]
    for site, received in moved:
        rows = pd.DataFrame({"subject_id": [LATER], "source": "a", "enrolled_on": date(2026, 6, 1), "device_id": "registry",
                             "site": site, "is_deleted": False,
                             "received_at": pd.Timestamp(2026, 6, received, 12, tz="UTC").as_unit("us")})  # fmt: skip
        ingest(made.lake, [Batch("subjects", rows, "subjects")], site)
    nights = pd.date_range("2026-06-05", "2026-06-15", unit="us")
    index = pd.DataFrame({"subject_id": LATER, "index_date": nights}, index=range(100, 111))
    found = cohorts.sites_on(cohorts.load(made.lake, made.settings, LAST), index)
    then = [cohorts.load(made.lake, made.settings, night).roster["site"].iloc[0] for night in nights]
    assert found.tolist() == then
    assert set(then) == {"home", "east"}
    assert found.index.equals(index.index)


def test_training_on_a_past_that_knew_nobody_is_refused(tmp_path):
    """Subjects who were all told of at the end have no past index date; the cure is named, no subject is."""
    made = installation(tmp_path)
    tell(made.lake, [(TOLD_LATE, 1, 24, "a")])
    with pytest.raises(Refused, match=r"No index date .* `crisis`.* `received: end_of_local_day`") as refusal:
        engineering.training_matrices(made, f"{LAST:%Y-%m-%d}")
    assert TOLD_LATE not in str(refusal.value)


def test_a_subject_s_device_is_the_one_that_most_rows_come_from(tmp_path):
    """As known by the night; who changed theirs counts for the longer one, who has none is not there."""
    made = installation(tmp_path)
    tell(made.lake, [(EARLIER, 1, 1, "a"), (LATER, 1, 1, "a"), (ELSEWHERE, 1, 1, "a")])
    worn = [(EARLIER, "Lumen", 3), (EARLIER, "Pacer", 2), (LATER, "Pacer", 2), (ELSEWHERE, "", 4)]
    late = pd.Timestamp("2026-06-28 12:00", tz="UTC").as_unit("us")
    for who, model, nights in [*worn, (LATER, "Lumen", 9)]:
        offset = pd.date_range("2026-06-05 05:00", periods=nights, tz="UTC", unit="us") + pd.Timedelta(days=len(model))
        rows = pd.DataFrame({
            "subject_id": who, "source": "a", "device_id": f"{who} {model}", "device_model": model,
            "record_id": [f"night-{number}" for number in range(nights)],
            "onset_at": offset - pd.Timedelta(hours=7), "offset_at": offset, "minutes_asleep": 400.0, "is_main": True,
            "received_at": late if nights == 9 else offset + pd.Timedelta(hours=1), "is_deleted": False,
        })  # fmt: skip
        ingest(made.lake, [Batch("sleep", rows, "sleep")], f"{who} {model}")
    found = device_models(made.lake, cohorts.load(made.lake, made.settings, LAST))
    assert found.to_dict() == {EARLIER: "Lumen", LATER: "Pacer"}
