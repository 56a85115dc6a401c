"""Importance: parts add up to the score, sizes are means over people held out, and fits are compared."""

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from scipy.special import expit

from models import explanation, importance, protocol, risk, splits
from models.baselines import MODEL, Predictor
from models.linear import Linear
from models.protocol import Predictions
from models.risk import HazardModel
from tests.models.made_up import FEATURES, OUTCOME, cohort

MATRIX, LABELS = cohort()
FITS = {0: (2.0, 0.5), 1: (1.0, 3.0)}


def linear(weights: tuple[float, float]) -> HazardModel:
    """A model whose parts are weight times arcsinh of the feature."""
    flat = (0.0, 0.0)
    return HazardModel("it", "crisis", "onset", (7,), ("a", "b"), "logistic",
                       Linear(("a", "b"), flat, (1.0, 1.0), weights, flat, (0.0,)))  # fmt: skip


def by_hand() -> tuple[Predictions, pd.DataFrame]:
    """Two fits; subject p has two rows in the first, q one in the second and one that is masked."""
    dates = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-01", "2026-01-02"])
    rows = pd.DataFrame({"subject_id": list("ppqq"), "index_date": dates, "fold": [0, 0, 1, 1], "cut": 0,
                         "days_to_event": [1, 0, np.nan, np.nan], "followed_days": 9,
                         "is_masked": [False, False, False, True]})  # fmt: skip
    matrix = rows[["subject_id", "index_date"]].assign(a=np.sinh([1, -2, 1, 99]), b=np.sinh([0, 1, -1, 99]))
    fits = {(0, fold): {"it": linear(weights)} for fold, weights in FITS.items()}
    risks = {"it": np.full((4, 1), 0.5)}
    return Predictions("onset", "unseen_subjects", (7,), rows, risks, fits), matrix.iloc[::-1].reset_index(drop=True)


def sizes(found: pd.DataFrame, metric: str = importance.SIZE) -> dict[str, float]:
    """Value by feature."""
    rows = found[found["metric"] == metric]
    return dict(zip(rows["group"].str.removeprefix(importance.FEATURE), rows["value"], strict=True))


@pytest.fixture(scope="module")
def predicted() -> Predictions:
    """Every subject by a model that never saw them."""
    predictor = Predictor(MODEL, "boosted_trees", FEATURES)
    planned = list(splits.unseen_subjects(LABELS, 3, 1))
    (found,) = protocol.cross_predict(
        MATRIX, LABELS, OUTCOME.horizons_days, (predictor,), planned, 7, 1, 2, lambda _: None
    )
    return found


def test_parts_and_bias_add_up_to_the_margin():
    """Linear parts, SHAP values, the interval's own and both levels give the uncalibrated log-odds, to a millionth of what
    is added: XGBoost counts in single precision."""
    model = risk.fit(MATRIX, LABELS, OUTCOME.horizons_days, FEATURES, "boosted_trees", 1)
    x = np.column_stack([MATRIX[list(FEATURES)].to_numpy(float), np.zeros(len(MATRIX))])
    told = risk.booster(model).predict(xgb.DMatrix(x), pred_contribs=True)
    rest = np.column_stack([told[:, len(FEATURES) :], np.full(len(x), model.linear.interval_level[0])])
    terms = np.column_stack([explanation.contributions(model, MATRIX), rest])
    apart = np.abs(terms.sum(axis=1) - risk.hazards(model, MATRIX)[:, 0])
    assert (apart <= 1e-6 * np.abs(terms).sum(axis=1)).all()


def test_a_size_is_the_mean_over_fits_of_the_mean_over_their_own_rows():
    """a: (2 x mean(1, 2) + 1 x 1) / 2; b: (0.5 x mean(0, 1) + 3 x 1) / 2; the masked row says nothing."""
    found = sizes(importance.importance(*by_hand(), "it", 7, 100, 1))
    assert found == pytest.approx({"a": (2 * 1.5 + 1) / 2, "b": (0.5 * 0.5 + 3) / 2})


def test_fits_that_rank_features_the_other_way_round_disagree():
    """In the first fit a is larger, in the second b: their rank correlation is -1."""
    found = importance.importance(*by_hand(), "it", 7, 100, 1)
    row = found[found["metric"] == importance.AGREEMENT].iloc[0]
    assert (row["value"], row["low"], row["high"]) == (-1, -1, -1)
    assert set(found["n_fits"]) == {2}
    assert set(found["n_episodes"]) == {1}


def slopes(of_events: tuple[float, float]) -> pd.DataFrame:
    """Slopes of two parts that a model gives weight 1, where events come of other weights; by feature."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 0.5, (2, 4000))
    subject = np.repeat(np.arange(1000), 4).astype(str)
    is_event = rng.random(4000) < expit(of_events[0] * a + of_events[1] * b)
    rows = pd.DataFrame({"subject_id": subject, "index_date": np.tile(pd.date_range("2026-01-01", periods=4), 1000), "fold": 0,
                         "cut": 0, "days_to_event": np.where(is_event, 1, np.nan), "followed_days": 9,
                         "is_masked": False})  # fmt: skip
    matrix = rows[["subject_id", "index_date"]].assign(a=np.sinh(a), b=np.sinh(b))
    fitted = linear((1.0, 1.0))
    risks = {"it": risk.predict(fitted, matrix)}
    found = importance.importance(
        Predictions("onset", "unseen_subjects", (7,), rows, risks, {(0, 0): {"it": fitted}}), matrix, "it", 7, 200, 1
    )
    return found.assign(outcome="crisis")


def test_a_part_is_held_against_what_came_to_pass(monkeypatch):
    """Right as it is, half as large as it is, without any say, the other way round: its slope is 1, 0.5, 0, -0.5."""
    monkeypatch.setattr(importance, "MOST_ROWS", 4000)
    right = slopes((1.0, 0.5))
    told = right[right["metric"] == importance.BORNE_OUT].set_index("group")
    assert told["value"].to_dict() == pytest.approx({"feature=a": 1, "feature=b": 0.5}, abs=0.15)
    assert importance.contradicted(right, "crisis", "it") == ()
    wrong = slopes((0.0, -0.5))
    assert sizes(wrong, importance.BORNE_OUT) == pytest.approx({"a": 0, "b": -0.5}, abs=0.15)
    assert importance.contradicted(wrong, "crisis", "it") == ("b",)
    assert importance.contradicted(wrong, "relapse", "it") == ()


def test_what_says_something_is_the_largest_in_every_fit(predicted: Predictions):
    """Short sleep was put in; its interval lies above that of noise."""
    found = importance.importance(predicted, MATRIX, MODEL, 14, 200, 1)
    rows = found[found["metric"] == importance.SIZE].set_index("group")
    assert rows.index[0] == "feature=sleep_short"
    assert rows.loc["feature=sleep_short", "low"] > rows.loc["feature=noise", "high"]
    assert sizes(found, importance.IN_TOP)["sleep_short"] == 1


def test_a_fit_explains_only_people_it_never_saw(predicted: Predictions):
    """One fitted model for each fold, and each tested row belongs to exactly one."""
    assert sorted(predicted.fits) == [(0, 0), (0, 1), (0, 2)]
    train = splits.unseen_subjects(LABELS, 3, 1)
    for split in train:
        rows = predicted.rows[predicted.rows["fold"] == split.fold]
        assert not set(rows["subject_id"]) & set(LABELS["subject_id"][split.train])
        again = risk.predict(predicted.fits[(0, split.fold)][MODEL], MATRIX[split.test])
        assert (again == predicted.risks[MODEL][(predicted.rows["fold"] == split.fold).to_numpy()]).all()


def test_many_rows_are_sampled_and_the_same_seed_gives_the_same(predicted: Predictions, monkeypatch):
    """Each fit explains no more rows than it may; the figures are near those of all rows, and repeat to the bit."""
    whole = sizes(importance.importance(predicted, MATRIX, MODEL, 14, 100, 1))
    monkeypatch.setattr(importance, "MOST_ROWS", 400)
    first = importance.importance(predicted, MATRIX, MODEL, 14, 100, 1)
    pd.testing.assert_frame_equal(first, importance.importance(predicted, MATRIX, MODEL, 14, 100, 1))
    assert sizes(first) != whole
    assert sizes(first) == pytest.approx(whole, rel=0.25)
