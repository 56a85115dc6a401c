"""The promise that a training at a cut learns from labels as they were known there, shown through the lake.

Events of a small cohort come to be known hours or days later, turn out to have been on another day, or never.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from models import splits
from pipelines import cohort as cohorts
from pipelines import engineering
from pipelines.installation import Installation
from pipelines.outcome_sections import OutcomeSettings
from pipelines.sections import Training
from pipelines.training import labelling
from tests.guarantees.course import Course, Deliveries
from tests.guarantees.nights_at_random import DAY, FIRST
from tests.guarantees.test_point_in_time import RELAPSE, installed, received_by, take_in

# DuckDB 2.0 and PyArrow 25 call what pandas 3.1 deprecates; their warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]
CUTS, HORIZON = 2, 7
CRISIS = OutcomeSettings(events=("panic",), horizons_days=(HORIZON,), merge_within_days=1, refractory_days=1)
TOLD = OutcomeSettings(events=("panic",), horizons_days=(HORIZON,), ascertainment="self_report", min_coverage=0.3)
SCALE = RELAPSE.model_copy(update={"horizons_days": (HORIZON,)})
WORSE = OutcomeSettings(any_of=({"events": ("panic",)}, {"assessment": "phq_9", "rise": 4}), horizons_days=(HORIZON,),
                        merge_within_days=1, refractory_days=1)  # fmt: skip


def labels_by(made: Installation, night: pd.Timestamp, name: str, index: pd.DataFrame) -> pd.DataFrame:
    """Labels of index rows as made on a night."""
    days = engineering.panel(made, f"{night:%Y-%m-%d}")
    outcome = next(outcome for outcome in engineering.outcomes(made) if outcome.name == name)
    reports = days.load(columns=cohorts.reporting_columns(outcome))
    return labelling.labels_of(made, days.cohort, outcome, index, reports)


def on_the_ward(course: Course) -> Deliveries:
    """Half of the people are admitted for a week, of which one hears days later; of one admission it turns out that it was a
    death."""
    rng, told = np.random.default_rng(1), []
    for number, who in enumerate(course.people[::2]):
        since = FIRST + int(rng.integers(25, 40)) * DAY
        days = [(since, "inpatient", 5), (since + 7 * DAY, "active", 1)]
        told += [(who, *row) for row in ([*days, (since, "deceased", 9)] if number == 0 else days)]
    rows = pd.DataFrame(told, columns=["subject_id", "since", "status", "late"])
    received = rows["since"] + pd.to_timedelta(rows.pop("late"), unit="D")
    return [("care_status", rows.assign(received_at=received))]


@pytest.mark.parametrize("name", ["crisis", "told", "relapse", "worse"])
def test_what_a_cut_is_learnt_from_is_what_a_training_there_would_have_made(tmp_path: Path, name: str):
    """From all rows or from those received by the cut: the same labels, which are others than those known by now."""
    course = Course(tmp_path / "course", 3, people=12, history=50, is_live=name != "crisis")
    for _ in range(6):
        course.go_on()
    declared = {"crisis": CRISIS, "told": TOLD, "relapse": SCALE, "worse": WORSE}
    deliveries = [*course.deliveries, *on_the_ward(course)]
    made = installed(tmp_path / "all", **declared)
    made = replace(made, settings=made.settings.model_copy(update={"training": Training(cuts=CUTS, folds=2, refits=0)}))
    take_in(made, deliveries, "all")
    known = cohorts.load(made.lake, made.settings, course.night)
    until = known.subjects[["subject_id"]].assign(followed_until=course.night - pd.Timedelta(days=1))
    index = cohorts.index_rows(known, until)
    found = labels_by(made, course.night, name, index)
    differing = 0
    assert found["is_admitted"].any()
    assert found["days_to_competing"].notna().any()
    for cut, begin in enumerate(splits.cut_dates(index["index_date"], CUTS)):
        is_over = splits.is_over(index["index_date"], HORIZON, begin)
        then = installed(tmp_path / f"cut-{cut}", **declared)
        take_in(then, received_by(begin, deliveries), "by then")
        expected = labels_by(then, begin, name, index[is_over])[["task", "subject_id", "index_date", *splits.LABEL]]
        by_cut = splits.as_known(found, cut)[splits.is_over(found["index_date"], HORIZON, begin)]
        assert_frame_equal(by_cut[expected.columns].reset_index(drop=True), expected)
        now = found.loc[by_cut.index, list(splits.LABEL)]
        differing += int((now.fillna(-1) != by_cut[list(splits.LABEL)].fillna(-1)).any(axis=1).sum())
        later = splits.as_known(found, cut)[~splits.is_over(found["index_date"], HORIZON, begin)]
        assert not later["followed_days"].any()
    assert differing
