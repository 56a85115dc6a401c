"""What a training tries: the model over the features that tell rows of this cohort apart, and every baseline."""

from collections.abc import Collection

import pandas as pd

from features.feature import family
from models.baselines import Predictor, predictors
from pipelines.errors import Refused
from pipelines.sections import Training
from pipelines.training.labelling import KEY


def candidates(matrix: pd.DataFrame, features_on: Collection[str], how: Training) -> tuple[Predictor, ...]:
    """The model over those features that are on and tell rows of this cohort apart, and every baseline.

    All of them are made with the mitigation that is declared: either may come to serve.

    Raises:
        Refused: there is no such feature.
    """
    families = feature_families(matrix)
    seen = [name for names in families.values() for name in names if name in features_on]
    if not seen:
        lacking = without_use(matrix, features_on)
        raise Refused(
            f"None of the {lacking['features_on']} features that are on tells rows of this cohort apart: "
            f"{lacking['without_value']} have no value, {lacking['constant']} the same everywhere. Switch others on by "
            "`features:`, or bring the data that these are made of."
        )
    return predictors(families, seen, how.model.growth(), how.reweighed_by)


def feature_families(matrix: pd.DataFrame) -> dict[str, list[str]]:
    """Names by family of the features of the matrix that have different values in this cohort."""
    families: dict[str, list[str]] = {"history": [], "tenure": []}
    for name in matrix.columns.drop(KEY):
        if _varies(matrix[name]):
            families.setdefault(family(name), []).append(name)
    return families


def without_use(matrix: pd.DataFrame, features_on: Collection[str]) -> dict[str, int]:
    """How many features are on, and how many of them a model is not given: without any value, and with the same everywhere."""
    values = [matrix[name] for name in matrix.columns.drop(KEY) if name in features_on]
    empty = sum(not of.notna().any() for of in values)
    return {
        "features_on": len(values),
        "without_value": empty,
        "constant": sum(not _varies(of) for of in values) - empty,
    }


def _varies(values: pd.Series) -> bool:
    """Whether it has more than one value; missing is none, for how much is missing has features of its own."""
    return bool(values.min() < values.max())
