"""The learners of `models.risk` as a scikit-learn classifier, for notebooks: cross-validation, pipelines, searches.

scikit-learn knows one label per row, so the label is that of one horizon (`models.outcomes.at_horizon`): 1 if an event came
within it, 0 if not, and rows without a label are left out beforehand. Labels of several horizons at once, which share a
hazard there, would fit no scorer; they are for `models.risk.fit`.
"""

from dataclasses import fields

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from models import risk
from models.growth import USUAL, Growth
from models.risk import Learner

# The one interval that a label of one horizon is about; how many days it has makes no difference to a fit.
ONE_INTERVAL = (1,)


class RiskClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn publishes no types
    """The risk of an event within one horizon, by Foretide's own learners, calibrated by cross-fitting over subjects.

    Give `fit` a DataFrame: features named `history_...` carry the regression that trees correct. Missing values may stay.

        known = np.isfinite(label := at_horizon(labels, 14))
        x, y, who = matrix.loc[known, features], label[known].astype(int), matrix.loc[known, "subject_id"]
        cross_val_score(RiskClassifier(), x, y, groups=who, cv=GroupKFold(5), params={"groups": who}, scoring="roc_auc")

    How trees are grown is told by plain parameters, named as under `training: model:` in foretide.yaml and in
    `models.growth.Growth`; so a declared or tuned model is `RiskClassifier(**asdict(settings.training.model.growth()))`.

    Args:
        learner: `boosted_trees` or `logistic`, as in `models.risk`.
        seed: makes a fit reproducible to the byte.
        threads: of a fit of trees.
        rounds, max_depth, learning_rate, min_child_weight, reg_lambda, subsample, colsample_bytree: of `boosted_trees`.
    """

    def __init__(
        self, learner: Learner = "boosted_trees", seed: int = 1, threads: int = 2, rounds: int = USUAL.rounds,
        max_depth: int = USUAL.max_depth, learning_rate: float = USUAL.learning_rate,
        min_child_weight: float = USUAL.min_child_weight, reg_lambda: float = USUAL.reg_lambda,
        subsample: float = USUAL.subsample, colsample_bytree: float = USUAL.colsample_bytree,
    ) -> None:  # fmt: skip
        self.learner = learner
        self.seed = seed
        self.threads = threads
        self.rounds = rounds
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.min_child_weight = min_child_weight
        self.reg_lambda = reg_lambda
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> "RiskClassifier":  # noqa: N803
        """Fit on labelled rows.

        Args:
            X: features, of shape (n_rows, n_features).
            y: two classes, of shape (n_rows,).
            groups: subject of each row, so that calibration keeps people apart; without it each row counts as a subject of
                its own, and risks of people with many rows come out too extreme.

        Raises:
            ValueError: not two classes, or infinite values.
            ModelsError: too few subjects with an event to hold a third of them back.
        """
        values, label = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(label)
        self.classes_ = np.unique(label)
        if len(self.classes_) > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {type_of_target(label)}."
            )
        if len(self.classes_) < 2:
            raise ValueError("There is only 1 class in the labels: no risk can be learnt. Give rows of both.")
        subject = np.arange(len(label)) if groups is None else column_or_1d(groups)
        check_consistent_length(values, subject)
        labels = pd.DataFrame({
            "subject_id": subject, "outcome": "", "task": "onset", "is_masked": False, "followed_days": ONE_INTERVAL[0],
            "days_to_event": np.where(label == self.classes_[1], 0.0, np.nan),
        })  # fmt: skip
        matrix = self._named(values)
        growth = Growth(**{of.name: getattr(self, of.name) for of in fields(Growth)})
        self.model_ = risk.fit(
            matrix, labels, ONE_INTERVAL, tuple(matrix.columns), self.learner, self.seed, self.threads, growth=growth
        )
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Chance of each of `classes_`, of shape (n_rows, 2)."""
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        chance = risk.predict(self.model_, self._named(values))
        return np.column_stack([1 - chance, chance])

    def predict(self, X: ArrayLike) -> NDArray[np.generic]:  # noqa: N803
        """The likelier of `classes_`, of shape (n_rows,); where events are rare that is hardly ever the event."""
        likelier: NDArray[np.int64] = self.predict_proba(X).argmax(axis=1)
        chosen: NDArray[np.generic] = self.classes_[likelier]
        return chosen

    def _named(self, values: NDArray[np.float64]) -> pd.DataFrame:
        names = getattr(self, "feature_names_in_", [f"x{place}" for place in range(values.shape[1])])
        return pd.DataFrame(values, columns=list(names))

    def __sklearn_tags__(self) -> Tags:
        """Two classes only, and missing values are welcome."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags
