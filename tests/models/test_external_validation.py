"""A model on people it never saw: nothing fitted there sees who is tested, and updates mend what they say they mend."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models import external_validation, risk
from models.baselines import Predictor
from models.errors import ModelsError
from models.evaluation import GAIN
from models.external_validation import AS_IS, INTERCEPT_UPDATED, LINE_REFITTED, REFITTED, WAYS
from models.protocol import Predictions
from models.risk import HazardModel
from tests.models.made_up import FEATURES, OUTCOME, cohort

RULES = (Predictor("prevalence", "logistic", ()), Predictor("history_only", "logistic", ("history_episode_rate",)))


def predicted(model: HazardModel, matrix: pd.DataFrame, labels: pd.DataFrame) -> Predictions:
    """By the model in every way and by both rules, in three folds."""
    return external_validation.predict(model, matrix, labels, RULES, 3, 7, 1, 2, lambda share: None)


def measured(predictions: Predictions) -> pd.DataFrame:
    """Tidy rows at 14 days."""
    rows = external_validation.measure(predictions, "elsewhere", "crisis", 200, 1, 0.1)
    return rows[rows["horizon_days"] == 14]


def value(rows: pd.DataFrame, way: str, metric: str, column: str = "value") -> float:
    """One figure."""
    return float(rows[(rows["model"] == way) & (rows["metric"] == metric)][column].iloc[0])


@pytest.fixture(scope="module")
def model() -> HazardModel:
    """Fitted on a cohort of its own."""
    matrix, labels = cohort(subjects=120, seed=5)
    return risk.fit(matrix, labels, OUTCOME.horizons_days, FEATURES, "logistic", 1)


@pytest.fixture(scope="module")
def elsewhere() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Other people, alike."""
    return cohort(subjects=90, seed=9)


@pytest.fixture(scope="module")
def too_extreme(model, elsewhere) -> tuple[Predictions, pd.DataFrame]:
    """The model with twice its log-odds and five more: its risks are too high and too far apart elsewhere."""
    found = predicted(replace(model, lines=((2.0,), (5.0,))), *elsewhere)
    return found, measured(found)


def test_as_is_are_the_risks_of_the_model_untouched(model, elsewhere):
    """To the last bit but rounding those of `risk.predict`, for every row that was tested, in its place."""
    found = predicted(model, *elsewhere)
    key = ["subject_id", "index_date"]
    whole = elsewhere[0][key].assign(risk=risk.predict(model, elsewhere[0])[:, 1])
    beside = found.rows[key].merge(whole, on=key, how="left")
    np.testing.assert_allclose(found.risks[AS_IS][:, 1], beside["risk"], rtol=1e-12)
    assert set(found.risks) == {*WAYS, "prevalence", "history_only"}


def test_a_miscalibrated_model_is_seen_and_each_update_mends_what_it_is_for(too_extreme):
    """Risks too high as is; the intercept alone brings the level right, slope and intercept the spread too."""
    rows = too_extreme[1]
    assert value(rows, AS_IS, "calibration_intercept", "high") < 0
    assert value(rows, AS_IS, "calibration_slope", "high") < 1
    for way in (INTERCEPT_UPDATED, LINE_REFITTED):
        assert value(rows, way, "calibration_intercept", "low") < 0 < value(rows, way, "calibration_intercept", "high")
    assert value(rows, INTERCEPT_UPDATED, "calibration_slope") < 0.8
    assert value(rows, LINE_REFITTED, "calibration_slope") == pytest.approx(1, abs=0.15)
    updated = [value(rows, way, "brier") for way in (INTERCEPT_UPDATED, LINE_REFITTED)]
    assert max(updated) < value(rows, AS_IS, "brier")


def test_each_interval_gets_a_line_of_its_own(model, elsewhere):
    """Right for the first week and much too low for the second: one level for both makes the first week too high."""
    slopes, intercepts = (of * 2 if len(of) == 1 else of for of in model.lines)
    found = predicted(replace(model, lines=(slopes, (intercepts[0], intercepts[1] - 2.5))), *elsewhere)
    rows = external_validation.measure(found, "elsewhere", "crisis", 200, 1, 0.1)
    weeks = {days: rows[rows["horizon_days"] == days] for days in OUTCOME.horizons_days}
    off = {way: {days: value(of, way, "calibration_intercept") for days, of in weeks.items()} for way in WAYS}
    assert off[AS_IS][14] > 0.4
    assert off[INTERCEPT_UPDATED][7] < -0.3
    assert abs(off[LINE_REFITTED][7]) < 0.15
    assert abs(off[LINE_REFITTED][14]) < 0.15


def test_every_way_has_every_figure_with_an_interval_and_a_difference_to_the_best_rule(too_extreme):
    """AUROC, its difference, slope, intercept, ICI, Brier and scaled Brier, each held by its interval."""
    rows = too_extreme[1]
    for way in WAYS:
        for metric in ("auroc", GAIN, "calibration_slope", "calibration_intercept", "ici", "brier", "scaled_brier"):
            low, point, high = (value(rows, way, metric, column) for column in ("low", "value", "high"))
            assert low <= point <= high, (way, metric)
    best = max(("prevalence", "history_only"), key=lambda rule: value(rows, rule, "auroc"))
    assert set(rows.loc[rows["metric"] == GAIN, "group"]) == {f"best baseline: {best}"}
    gain = value(rows, REFITTED, "auroc") - value(rows, best, "auroc")
    assert value(rows, REFITTED, GAIN) == pytest.approx(gain)


def test_what_is_fitted_there_never_saw_whom_it_is_tested_on(model, elsewhere):
    """With the labels of one fold's subjects changed, no risk of theirs changes in any way of using the model."""
    matrix, labels = elsewhere
    before = predicted(model, matrix, labels)
    of = before.rows.loc[before.rows["fold"] == 0, "subject_id"].unique()
    here = labels["subject_id"].isin(of) & labels["days_to_event"].notna()
    changed = labels.assign(days_to_event=labels["days_to_event"].mask(here, 0.0))
    after = predicted(model, matrix, changed)
    rows = (before.rows["subject_id"].isin(of)).to_numpy()
    assert rows.any()
    assert rows[before.rows["fold"] == 0].all()
    for way in (*WAYS, "history_only"):
        np.testing.assert_array_equal(before.risks[way][rows], after.risks[way][rows], err_msg=way)
        assert way == AS_IS or (before.risks[way][~rows] != after.risks[way][~rows]).any()


def test_a_cohort_too_small_to_fit_anything_still_tells_how_the_model_does_there(model):
    """With five event subjects there is no refitted model and no rule, so no difference; the rest is there."""
    matrix, labels = cohort(subjects=60, seed=3)
    of = labels.loc[labels["days_to_event"].notna() & ~labels["is_masked"], "subject_id"].unique()[5:]
    quiet = ~labels["subject_id"].isin(of)
    found = predicted(model, matrix[quiet.to_numpy()], labels[quiet])
    assert set(found.risks) == {AS_IS, INTERCEPT_UPDATED, LINE_REFITTED}
    rows = measured(found)
    assert GAIN not in set(rows["metric"])
    assert np.isfinite(value(rows, AS_IS, "auroc"))


def test_a_cohort_without_an_event_is_refused(model, elsewhere):
    """Nothing can be said of a model there."""
    matrix, labels = elsewhere
    with pytest.raises(ModelsError, match="holds no event that could have been foreseen"):
        predicted(model, matrix, labels.assign(days_to_event=np.nan))
