"""The classifier for notebooks: scikit-learn's contract, Foretide's risks, people kept apart."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from models import risk
from models.errors import ModelsError
from models.estimator import RiskClassifier
from models.growth import Growth
from models.outcomes import at_horizon
from tests.models.made_up import FEATURES, OUTCOME, cohort

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, np.ndarray, pd.Series]:
    """Every second row that has a label at 14 days: features, labels, whose they are."""
    matrix, labels = cohort(subjects=60)
    label = at_horizon(labels, 14)
    known = np.isfinite(label) & (np.arange(len(labels)) % 2 == 0)
    return matrix.loc[known, list(FEATURES)], label[known].astype(int), matrix.loc[known, "subject_id"]


# The array API is of arrays that are not numpy's; scikit-learn skips its check by itself unless SCIPY_ARRAY_API is set.
@parametrize_with_checks([RiskClassifier("logistic"), RiskClassifier("boosted_trees")])
def test_scikit_learns_contract_is_kept(estimator, check):
    """Whatever scikit-learn expects of a classifier of two classes that takes missing values holds for both learners."""
    check(estimator)


def test_it_is_cross_validated_over_subjects_as_any_classifier(rows):
    """The lines of the README rank people that were held back."""
    blocks = README.read_text(encoding="utf-8").split("```python\n")
    (code,) = (block.split("```")[0] for block in blocks if "RiskClassifier" in block)
    told = dict(zip(("x", "y", "who"), rows, strict=True))
    exec(code, told)
    assert np.mean(told["scores"]) > 0.7


@pytest.mark.parametrize("learner", ["boosted_trees", "logistic"])
def test_its_risks_are_those_of_a_model_of_that_horizon(rows, learner):
    """To the last bit what `models.risk` gives for one horizon, the history features at its base included."""
    matrix, labels = cohort(subjects=60)
    x, y, who = rows
    model = risk.fit(matrix.loc[x.index], labels.loc[x.index], (14,), FEATURES, learner, 1)
    fitted = RiskClassifier(learner).fit(x, y, groups=who)
    assert fitted.model_.linear.features == model.linear.features
    np.testing.assert_array_equal(fitted.predict_proba(x)[:, 1], risk.predict(model, x)[:, 0])
    assert OUTCOME.horizons_days[-1] == 14


def test_without_groups_calibration_knows_people_again(rows):
    """Rows of one person on both sides of a fold give another, too steep a calibration line."""
    x, y, who = rows
    apart, mixed = RiskClassifier().fit(x, y, groups=who), RiskClassifier().fit(x, y)
    assert mixed.model_.lines != apart.model_.lines


def test_groups_of_another_length_and_too_few_people_are_refused(rows):
    """Neither is fitted on in silence."""
    x, y, who = rows
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        RiskClassifier().fit(x, y, groups=who[:-1])
    with pytest.raises(ModelsError, match="Too few subjects with an event"):
        RiskClassifier().fit(x, (who == who[y == 1].iloc[0]).astype(int), groups=who)


def test_a_declared_or_tuned_growth_can_be_given(rows):
    """To the last bit the model of that growth, cloned and searched over like any parameter; every part of it counts."""
    matrix, labels = cohort(subjects=60)
    x, y, who = rows
    growth = Growth(40, 2, 0.1, 5.0, 1.0, 0.9, 0.8)
    made = clone(RiskClassifier(**asdict(growth)))
    assert {name: made.get_params()[name] for name in asdict(growth)} == asdict(growth)
    model = risk.fit(matrix.loc[x.index], labels.loc[x.index], (14,), FEATURES, "boosted_trees", 1, growth=growth)
    np.testing.assert_array_equal(made.fit(x, y, groups=who).predict_proba(x)[:, 1], risk.predict(model, x)[:, 0])
    assert made.model_.growth == growth
    assert RiskClassifier().get_params().items() >= asdict(Growth()).items()
