"""Calibration month by month, and how sure its distances are."""

import numpy as np
import pandas as pd
import pytest

from models import reliability, resampling
from models.protocol import Predictions

SUBJECTS, DAYS = 60, 60


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    """Two months of sixty people, every risk the true one in March and twice its log-odds' shift too low in April."""
    rng = np.random.default_rng(2)
    dates = pd.date_range("2026-03-02", periods=DAYS, freq="D", unit="us")
    subject = np.repeat([f"p{i:02}" for i in range(SUBJECTS)], DAYS)
    margin = rng.normal(-2, 1, len(subject))
    is_april = np.tile(dates.month == 4, SUBJECTS)
    has_event = rng.random(len(subject)) < 1 / (1 + np.exp(-margin - is_april))
    rows = pd.DataFrame({
        "subject_id": subject, "index_date": np.tile(dates, SUBJECTS), "days_to_event": np.where(has_event, 3.0, np.nan),
        "followed_days": 30, "is_masked": False,
    })  # fmt: skip
    return Predictions("onset", "unseen_subjects", (7,), rows, {"model": (1 / (1 + np.exp(-margin)))[:, None]})


def test_risks_that_are_wrong_in_one_month_are_told_by_month(predictions):
    """Right in March, too low in April by one on the log-odds; slope, level and distance each with an interval."""
    found = reliability.by_month(predictions, 7, ["model"], "made up", "crisis", 1)
    by = found.set_index(["group", "metric"])
    assert set(by.index.get_level_values("group")) == {"month=2026-03", "month=2026-04"}
    assert abs(by.loc[("month=2026-03", "monthly_calibration_intercept"), "value"]) < 0.2
    april = by.loc[("month=2026-04", "monthly_calibration_intercept")]
    assert april["value"] == pytest.approx(1.0, abs=0.2)
    assert april["low"] > 0.5
    assert by.loc[("month=2026-04", "monthly_ici"), "value"] > by.loc[("month=2026-03", "monthly_ici"), "value"]
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()


@pytest.mark.parametrize("kept", ["few people", "few with an event", "one person's events"])
def test_a_month_of_few_people_is_not_estimable_and_counts_nobody(predictions, kept):
    """Nine people, four with an event, or one who has nearly all events: no figure, and no count to subtract."""
    rows = predictions.rows.copy()
    place = rows["subject_id"].str[1:].astype(int)
    april = rows["index_date"].dt.month == 4
    if kept == "few people":
        dropped = april & (place >= 9)
    else:
        limit, dropped = 4 if kept == "few with an event" else 20, np.zeros(len(rows), dtype=bool)
        some = april & (place > 0) & (rows["index_date"].dt.day > 3) if kept == "one person's events" else april
        rows.loc[some & ((place >= limit) | (kept != "few with an event")), "days_to_event"] = np.nan
        if kept == "one person's events":
            rows.loc[april & (place == 0), "days_to_event"] = 3.0
    left = Predictions(
        "onset", "unseen_subjects", (7,), rows[~dropped], {"model": predictions.risks["model"][~dropped]}
    )
    found = reliability.by_month(left, 7, ["model"], "made up", "crisis", 1)
    told = found[found["group"] == "month=2026-04"]
    assert told["value"].isna().all()
    assert not told[["n_subjects", "n_episodes"]].any(axis=None)
    assert found.loc[found["group"] == "month=2026-03", "value"].notna().all()


def test_the_ninetieth_percentile_of_the_distance_has_an_interval(predictions):
    """Around the estimate, and wider for few people than for many."""
    rows = predictions.rows
    widths = []
    for count in (10, SUBJECTS):
        some = (rows["subject_id"].str[1:].astype(int) < count).to_numpy()
        label, score = rows["days_to_event"].notna().to_numpy()[some].astype(float), predictions.risks["model"][some, 0]
        subject = pd.factorize(rows["subject_id"][some])[0].astype(np.int64)
        weights = np.vstack([np.ones(count), resampling.draws(count, 200, 1)])
        curve = resampling.curve(score, label, subject, weights)
        value, low, high = reliability.measure(score, label, subject, weights, curve)["e90"]
        assert 0 <= low <= value <= high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_no_curve_is_drawn_of_few_people():
    """Of fifty people there is one for each predictor, of forty-nine none: it would show them one by one."""
    rows = pd.DataFrame({"subject_id": np.repeat([f"p{i}" for i in range(50)], 2), "label": [0.0, 1.0] * 50})
    rows = rows.assign(model=0.5, rule=0.4)
    assert set(reliability.curves(rows, ("model", "rule"))) == {"model", "rule"}
    assert reliability.curves(rows[rows["subject_id"] != "p0"], ("model", "rule")) == {}
