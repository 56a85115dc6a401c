"""The hazard model: coherent, calibrated, reproducible, saved as data."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from models import calibration, explanation, outcomes, resampling, risk
from models.errors import ModelsError
from models.growth import Growth
from models.linear import Linear
from tests.models.made_up import FEATURES, OUTCOME, cohort

MATRIX, LABELS = cohort()
ROOT = Path(__file__).parents[2]
NOTHING: Mapping[str, str] = MappingProxyType({})


def fitted(learner: risk.Learner = "boosted_trees", **changed) -> risk.HazardModel:
    """A model of the made-up cohort."""
    told = {"seed": 1, "threads": 2, "name": "it", "with_intervals": True} | changed
    return risk.fit(MATRIX, LABELS, OUTCOME.horizons_days, FEATURES, learner, **told)


@pytest.fixture(scope="module")
def model() -> risk.HazardModel:
    """The boosted model, fitted once."""
    return fitted()


@pytest.mark.parametrize("learner", ["logistic", "boosted_trees"])
def test_risk_never_falls_with_the_horizon(learner: risk.Learner):
    """risk(7) <= risk(14) for every row, since a hazard cannot be negative."""
    risks = risk.predict(fitted(learner, with_intervals=False), MATRIX)
    assert (np.diff(risks, axis=1) >= 0).all()
    assert ((risks > 0) & (risks < 1)).all()


def test_predictions_on_unseen_people_are_calibrated(model: risk.HazardModel):
    """Mean predicted and observed risk of a second cohort agree within a fifth; the slope is near 1."""
    matrix, labels = cohort(seed=2)
    known = outcomes.at_horizon(labels, 14)
    kept = np.isfinite(known)
    predicted = risk.predict(model, matrix)[kept, 1]
    assert predicted.mean() == pytest.approx(known[kept].mean(), rel=0.2)
    slope, _ = calibration.slope_and_intercept(predicted, known[kept])
    assert 0.7 < slope < 1.4


def test_equal_seeds_give_equal_bytes_whatever_the_threads(model: risk.HazardModel):
    """Nothing but the seed decides."""
    assert fitted(threads=1) == model


FRESH = """
import sys
from pathlib import Path
from models import risk
from tests.models.made_up import FEATURES, OUTCOME, cohort

matrix, labels = cohort(30, 60)
for learner in ("boosted_trees", "logistic"):
    fitted = risk.fit(matrix, labels, OUTCOME.horizons_days, FEATURES, learner, 1, int(sys.argv[1]), with_intervals=True)
    risk.save(fitted, Path(sys.argv[2], learner))
"""


def test_fresh_processes_with_one_and_two_threads_save_the_same_bytes(tmp_path):
    """Neither the threads of XGBoost, nor those of the libraries beneath, nor the order of sets decides anything."""
    saved = []
    for threads in ("1", "2"):
        beneath = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED"), threads)
        told = [sys.executable, "-c", FRESH, threads, str(tmp_path / threads)]
        subprocess.run(told, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **beneath})
        saved.append(
            {path.relative_to(tmp_path / threads): path.read_bytes() for path in (tmp_path / threads).rglob("model*")}
        )
    assert saved[0] == saved[1]
    assert saved[0][Path("boosted_trees/model.ubj")]


def test_a_saved_model_predicts_the_same_and_holds_no_code(model: risk.HazardModel, tmp_path):
    """JSON and UBJ only; to the last bit."""
    risk.save(model, tmp_path)
    refits = [f"model.refit-{number:02}.ubj" for number in range(risk.REFITS)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["hashes.json", "model.json", *refits, "model.ubj"]
    assert risk.load(tmp_path) == model
    assert np.array_equal(risk.predict(risk.load(tmp_path), MATRIX), risk.predict(model, MATRIX))


def test_trees_are_grown_as_declared_and_by_default_as_ever(model: risk.HazardModel, monkeypatch, tmp_path):
    """What XGBoost is told is the declaration; the defaults are the values of before it could be declared; both are kept."""
    told = {}
    train = risk.xgb.train

    def spied(parameters, data, rounds):
        told.update(parameters, rounds=rounds)
        return train(parameters, data, rounds)

    monkeypatch.setattr(risk.xgb, "train", spied)
    assert fitted(with_intervals=False).trees == model.trees
    assert told == {
        "objective": "binary:logistic", "tree_method": "hist", "max_depth": 3, "learning_rate": 0.05, "min_child_weight": 20,
        "reg_lambda": 10.0, "subsample": 0.8, "colsample_bytree": 0.3, "max_bin": 64, "base_score": 0.5, "verbosity": 0,
        "seed": 1, "nthread": 2, "rounds": 120,
    }  # fmt: skip
    other = fitted(growth=Growth(rounds=7, max_depth=2))
    assert (told["rounds"], told["max_depth"]) == (7, 2)
    assert other.trees != model.trees
    risk.save(other, tmp_path)
    assert risk.load(tmp_path) == other


def test_a_model_of_other_code_is_refused_in_words(model: risk.HazardModel, tmp_path):
    """Whole, but without a part that this code asks for, or with one that it does not know."""
    folder = tmp_path / "model"
    risk.save(model, folder)
    told = json.loads((folder / "model.json").read_text())
    for other in ({**told, "unheard_of": 1}, {name: told[name] for name in told if name != "lines"}):
        (folder / "model.json").write_text(json.dumps(other))
        hashes = json.loads((folder / "hashes.json").read_text())
        hashes["model.json"] = hashlib.sha256((folder / "model.json").read_bytes()).hexdigest()
        (folder / "hashes.json").write_text(json.dumps(hashes))
        with pytest.raises(ModelsError, match="another version of Foretide"):
            risk.load(folder)


def test_an_altered_model_is_refused(model: risk.HazardModel, tmp_path):
    """A single changed number in the calibration is found before it is used."""
    risk.save(model, tmp_path)
    told = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**told, "lines": [[1.0], [-3.0]]}))
    with pytest.raises(ModelsError, match="not as they were written"):
        risk.load(tmp_path)


def test_the_interval_holds_the_estimate_and_is_wider_with_fewer_people(model: risk.HazardModel):
    """It is about the estimated mean risk, so it shrinks with the number of subjects."""
    low, high = risk.predict_interval(model, MATRIX)
    point = risk.predict(model, MATRIX)
    assert ((low <= point) & (point <= high)).all()
    few = LABELS["subject_id"] < "p025"
    small = risk.fit(MATRIX[few], LABELS[few].reset_index(drop=True), OUTCOME.horizons_days, FEATURES, "boosted_trees", 1,
                     with_intervals=True)  # fmt: skip
    small_low, small_high = risk.predict_interval(small, MATRIX)
    assert (small_high - small_low).mean() > (high - low).mean()
    assert (np.diff(low, axis=1) >= 0).all()
    assert (np.diff(high, axis=1) >= 0).all()


@pytest.mark.parametrize("learner", ["logistic", "boosted_trees"])
def test_the_interval_is_as_wide_as_models_of_other_cohorts_differ(learner: risk.Learner):
    """Twelve cohorts of the same kind, one model each: their log-odds at the same rows spread as the intervals say, within a third."""

    def fit_weekly(seed: int) -> risk.HazardModel:
        matrix, labels = cohort(seed=seed, signal=1.0)
        is_weekly = matrix.groupby("subject_id").cumcount() % 7 == 0
        matrix, labels = matrix[is_weekly], labels[is_weekly].reset_index(drop=True)
        return risk.fit(matrix, labels, OUTCOME.horizons_days, FEATURES, learner, 1, with_intervals=seed < 3)

    rows = cohort(seed=99, signal=1.0)[0].iloc[::40]
    fits = [fit_weekly(seed) for seed in range(12)]
    spread = np.std([logit(risk.predict(fit, rows)) for fit in fits], axis=0, ddof=1)
    widths = [np.subtract(*map(logit, risk.predict_interval(fit, rows)[::-1])) for fit in fits[:3]]
    told = np.mean(widths, axis=0) / (2 * risk.INTERVAL_HALF_WIDTH)
    assert 0.67 < np.sqrt((told**2).mean() / (spread**2).mean()) < 1.5


def test_parts_add_up_to_the_score(model: risk.HazardModel):
    """SHAP values and linear parts differ from the log-odds by one constant only."""
    parts = explanation.contributions(model, MATRIX).sum(axis=1)
    rest = risk.hazards(model, MATRIX)[:, 0] - parts
    assert np.ptp(rest) < 1e-4


def test_the_feature_that_drives_the_risk_is_named_first(model: risk.HazardModel):
    """Sleep is the only signal that was put in."""
    worst = np.argsort(-risk.predict(model, MATRIX)[:, 0])[:20]
    usual = explanation.medians(model, MATRIX)
    plain = explanation.Language(lambda *said: "{} {:.3f} {:.3f}".format(*said), {}, {})
    named = explanation.drivers(model, MATRIX.iloc[worst], usual, OUTCOME.horizons_days[1], plain, top=1)
    values, median = MATRIX["sleep_short"].iloc[worst], MATRIX["sleep_short"].median()
    assert named == [(f"sleep_short {value:.3f} {median:.3f}",) for value in values]


def test_what_is_as_with_half_of_the_others_drives_nobody(model: risk.HazardModel):
    """Though it is worse than the mean: "0, median of all 0" explains nothing."""
    worst = MATRIX.iloc[[int(np.argmax(risk.predict(model, MATRIX)[:, 0]))]]
    usual = explanation.medians(model, MATRIX).copy()
    usual[model.features.index("sleep_short")] = worst["sleep_short"].iloc[0]
    assert "sleep_short" not in named(model, worst, usual)
    assert "sleep_short" in named(model, worst, explanation.medians(model, MATRIX))


def named(
    model: risk.HazardModel, row: pd.DataFrame, usual: np.ndarray, about: Mapping[str, str] = NOTHING,
    in_units: Mapping[str, str] = NOTHING,
) -> tuple[str, ...]:  # fmt: skip
    """Names of what drives one row's risk."""
    plain = explanation.Language(lambda name, value, usual, shift: f"{name}{'' if np.isnan(shift) else f' by {shift:g}'}",
                                 about, in_units)  # fmt: skip
    (found,) = explanation.drivers(model, row, usual, OUTCOME.horizons_days[1], plain)
    return found


def by_weights(**weights: float) -> risk.HazardModel:
    """A logistic model of one interval whose parts are weight times arcsinh of the feature."""
    names, flat = tuple(weights), (0.0,) * len(weights)
    parts = Linear(
        names, flat, (1.0,) * len(weights), tuple(weights.values()), flat, (0.0,) * len(OUTCOME.horizons_days)
    )
    return risk.HazardModel("it", "crisis", "onset", OUTCOME.horizons_days, names, "logistic", parts)


def test_near_copies_speak_once_and_count_together():
    """Two tellings of sleep raise the risk by 0.6 each, more than mood by 1 alone: the stronger speaks, before mood."""
    model = by_weights(sleep_a=0.6, sleep_b=0.7, mood=1.0, calm=-1.0)
    row = pd.DataFrame([dict.fromkeys(model.features, np.sinh(1.0))])
    nobody = np.full(4, np.nan)
    assert named(model, row, nobody) == ("mood", "sleep_b", "sleep_a")
    assert named(model, row, nobody, {"sleep_a": "sleep", "sleep_b": "sleep"}) == ("sleep_b", "mood")
    # One that lowers the risk by more than the other raises it leaves nothing to say.
    assert named(by_weights(sleep_a=0.6, sleep_b=-0.7), row, nobody[:2], {"sleep_a": "sleep", "sleep_b": "sleep"}) == ()


def test_what_raises_the_risk_less_than_what_is_usual_is_not_named():
    """Longer ago is worse here, and whoever never had an event is safer still: 70 days raise the risk, 96 would more."""
    model = by_weights(days_since=1.0, mood=1.0)
    model = replace(model, linear=replace(model.linear, missing_weight=(-3.0, 0.0)))
    usual = np.array([96.0, np.nan])
    for days, said in ((70.0, ("mood",)), (120.0, ("days_since", "mood")), (96.0, ("mood",)), (np.nan, ("mood",))):
        assert named(model, pd.DataFrame({"days_since": [days], "mood": [1.0]}), usual) == said
    # Where too few are known for a median, the part alone counts.
    assert named(model, pd.DataFrame({"days_since": [70.0], "mood": [1.0]}), np.full(2, np.nan)) == (
        "days_since",
        "mood",
    )


def test_what_people_held_out_contradict_is_never_said():
    """The score uses it all the same."""
    model = by_weights(sleep=2.0, mood=1.0)
    row = pd.DataFrame([dict.fromkeys(model.features, np.sinh(1.0))])
    silent = replace(model, unsaid=("sleep",))
    # Nor does it lend its weight to another feature about the same.
    twins = {"sleep": "night", "mood": "night"}
    assert named(replace(by_weights(sleep=2.0, mood=-1.0), unsaid=("sleep",)), row, np.full(2, np.nan), twins) == ()
    assert named(model, row, np.full(2, np.nan)) == ("sleep", "mood")
    assert named(silent, row, np.full(2, np.nan)) == ("mood",)
    assert (risk.predict(silent, row) == risk.predict(model, row)).all()


def test_the_own_past_is_told_in_units_where_these_are_known():
    """From the column that holds the same in the measure's unit."""
    model, row = by_weights(z=1.0), pd.DataFrame({"z": [1.2], "min": [114.0]})
    assert named(model, row, np.full(1, np.nan), in_units={"z": "min"}) == ("z by 114",)
    assert named(model, row[["z"]], np.full(1, np.nan), in_units={"z": "min"}) == ("z",)


def test_parts_of_a_horizon_are_how_its_risk_moves(model: risk.HazardModel):
    """Were every interval's parts a little larger, -log(1 - risk) would grow by their sum times the hazards' sum."""
    parts = explanation.contributions_within(model, MATRIX, OUTCOME.horizons_days[1])
    slopes, intercepts = map(np.array, model.lines)
    margin = slopes * risk.hazards(model, MATRIX) + intercepts
    each = slopes * np.stack([explanation.contributions(model, MATRIX, k).sum(axis=1) for k in (0, 1)], axis=1)
    before, after = (-np.log1p(-expit(margin + step * each)).sum(axis=1) for step in (-1e-4, 1e-4))
    told = parts.sum(axis=1) * expit(margin).sum(axis=1)
    assert (after - before) / 2e-4 == pytest.approx(told, rel=1e-6, abs=1e-9)
    first = explanation.contributions_within(model, MATRIX, OUTCOME.horizons_days[0])
    assert first == pytest.approx(slopes[0] * explanation.contributions(model, MATRIX))


def test_what_is_usual_of_few_is_not_told(model: risk.HazardModel):
    """The median of nine might be one person's own value; that of ten rows with a value is told."""
    ten = MATRIX.iloc[:10].assign(noise=[np.nan, *range(9)])
    told = dict(zip(model.features, explanation.medians(model, ten), strict=True))
    assert np.isnan(told["noise"])
    assert told["sleep_short"] == ten["sleep_short"].median()


def test_an_account_of_a_score_has_every_part_of_it_also_of_a_low_one(model: risk.HazardModel):
    """All that is not zero, largest first, what lowers the risk too; what people held out contradict is there, and marked."""
    lowest, horizon = MATRIX.iloc[[int(np.argmin(risk.predict(model, MATRIX)[:, 0]))]], OUTCOME.horizons_days[1]
    plain = explanation.Language(lambda *said: "{} {:.3f} {:.3f}".format(*said), {}, {})
    usual = explanation.medians(model, MATRIX)
    told = explanation.parts_of(replace(model, unsaid=("noise",)), lowest, usual, horizon, plain)
    whole = explanation.contributions_within(model, lowest, horizon)[0]
    assert sum(part.contribution for part in told) == pytest.approx(whole.sum())
    assert [abs(part.contribution) for part in told] == sorted(np.abs(whole[whole != 0]), reverse=True)
    (sleep,) = (part for part in told if part.feature == "sleep_short")
    assert sleep.contribution < 0
    assert (sleep.value, sleep.usual) == (lowest["sleep_short"].iloc[0], MATRIX["sleep_short"].median())
    assert sleep.words == f"sleep_short {sleep.value:.3f} {sleep.usual:.3f}"
    assert {part.feature for part in told if not part.is_said} <= {"noise"}


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (MATRIX.drop(columns="noise"), "lacks 1 of the model's 3 features"),
        (MATRIX.assign(noise=np.inf), "infinite values"),
    ],
)
def test_an_unfit_matrix_is_refused(model: risk.HazardModel, matrix: pd.DataFrame, message: str):
    """At fitting and at scoring alike."""
    with pytest.raises(ModelsError, match=message):
        risk.predict(model, matrix)
    with pytest.raises(ModelsError, match=message):
        risk.fit(matrix, LABELS, OUTCOME.horizons_days, FEATURES, "logistic", 1)


@pytest.mark.parametrize("column", [["zebra", *[0.1] * (len(MATRIX) - 1)], pd.Categorical(["zebra"] * len(MATRIX))])
def test_a_category_is_no_feature(model: risk.HazardModel, column):
    """Text is refused by name of the column, at fitting and at scoring, and is not told."""
    with pytest.raises(ModelsError, match="`noise` holds what is no number") as told:
        risk.predict(model, MATRIX.assign(noise=column))
    assert "zebra" not in str(told.value)
    assert told.value.__cause__ is None


def test_whole_numbers_and_unknown_ones_are_features(model: risk.HazardModel):
    """Integers, booleans and pandas' own missing values are read as what they say."""
    some = MATRIX.head(4)
    expected = risk.predict(model, some.assign(noise=[1.0, 0.0, 1.0, np.nan]))
    for column in (pd.array([1, 0, 1, None], dtype="Int64"), pd.array([True, False, True, None], dtype="boolean"),
                   np.array([1, 0, True, None], dtype=object)):  # fmt: skip
        assert (risk.predict(model, some.assign(noise=column)) == expected).all()


def test_nothing_can_be_learnt_without_an_event():
    """Refused, rather than a risk of zero."""
    with pytest.raises(ModelsError, match="hold no event"):
        risk.fit(MATRIX, LABELS.assign(days_to_event=np.nan), OUTCOME.horizons_days, FEATURES, "logistic", 1)


def test_binned_slopes_agree_with_the_exact_slope():
    """One bin per distinct score: Newton on bins finds what the optimiser finds on rows."""
    rng = np.random.default_rng(0)
    score = rng.integers(1, 30, 4000) / 40
    label = (rng.random(4000) < 0.5 * score + 0.1).astype(float)
    curve = resampling.curve(score, label, np.zeros(4000, np.int64), np.ones((1, 1)))
    slope = calibration.binned_slopes(curve.score, curve.rows, curve.positives)[0]
    assert slope == pytest.approx(calibration.slope_and_intercept(score, label)[0], abs=1e-4)
