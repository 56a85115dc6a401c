"""What a score is associated with: exact SHAP values of the trees, exact contributions of the linear part; never causes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit

from models.fairness.disclosure import SMALLEST_SUBJECTS
from models.margins import trees_of
from models.risk import HazardModel, booster, hazards, linear_contributions

Values = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Language:
    """How features are told.

    Args:
        phrase: a feature, its value, the median of it, and its difference from the own past, in words.
        about: what each feature is one telling of; of features about the same the strongest is told.
        in_units: of features that compare with the own past in standard deviations, the column that does so in their unit.
    """

    phrase: Callable[[str, float, float, float], str]
    about: Mapping[str, str]
    in_units: Mapping[str, str]


def contributions(model: HazardModel, matrix: pd.DataFrame, interval: int = 0) -> Values:
    """Each feature's part of the log-odds of an interval's hazard, of shape (n_rows, n_features).

    Parts are relative to the average training row and, with the model's level, add up to its uncalibrated log-odds.
    """
    parts = np.zeros((len(matrix), len(model.features)))
    columns = [model.features.index(feature) for feature in model.linear.features]
    parts[:, columns] = linear_contributions(model, matrix)
    if model.learner == "boosted_trees" and len(matrix):
        parts += _tree_parts(booster(model), matrix[list(model.features)], interval)
    return parts


def _tree_parts(trees: xgb.Booster, x: pd.DataFrame, interval: int) -> Values:
    data = xgb.DMatrix(np.column_stack([x.to_numpy(dtype=np.float64), np.full(len(x), float(interval))]))
    parts: Values = trees.predict(data, pred_contribs=True)[:, : x.shape[1]]
    return parts


def contributions_within(model: HazardModel, matrix: pd.DataFrame, horizon_days: int) -> Values:
    """Each feature's part of the calibrated risk within a horizon, of the shape of `contributions`.

    The parts of the intervals up to the horizon, each by its share in the hazard that adds up until then.
    """
    weights = _shares(model, matrix, horizon_days)
    parts = np.zeros((len(matrix), len(model.features)))
    for interval in range(weights.shape[1]):
        parts += weights[:, [interval]] * contributions(model, matrix, interval)
    return parts


def _shares(model: HazardModel, matrix: pd.DataFrame, horizon_days: int) -> Values:
    """For how much a part of each interval's log-odds counts in the risk within a horizon, of shape (n_rows, n_intervals)."""
    n_intervals = model.horizons_days.index(horizon_days) + 1
    slopes, intercepts = (np.array(of)[:n_intervals] for of in model.lines)
    hazard = expit(slopes * hazards(model, matrix)[:, :n_intervals] + intercepts)
    shares: Values = slopes * hazard / hazard.sum(axis=1, keepdims=True)
    return shares


def medians(model: HazardModel, matrix: pd.DataFrame) -> Values:
    """What is usual of each feature among the rows, in the order of `model.features`.

    Missing where fewer than 10 rows have a value: the median of two would tell one person's own beside the other's.
    """
    known = matrix[list(model.features)].astype(np.float64)
    usual: Values = known.median().where(known.count() >= SMALLEST_SUBJECTS).to_numpy()
    return usual


def drivers(
    model: HazardModel, matrix: pd.DataFrame, usual: Values, horizon_days: int, language: Language, top: int = 5
) -> list[tuple[str, ...]]:
    """What raises each row's risk within a horizon most, in words, strongest first.

    Features about the same count together, for they share out one finding among them, and the one that raises the risk most
    speaks for all. Only what raises the risk is named, and raises it more than what is usual would: beside the median a
    reader takes the difference for the reason. Nothing is said by a feature whose part people held out contradict
    (`model.unsaid`); a row whose risk nothing raises gets none.

    Args:
        matrix: the features, and the columns of `language.in_units` where they are known.
        usual: `medians` of all rows of the night, of which `matrix` may hold some.
    """
    values = matrix[list(model.features)].to_numpy(dtype=np.float64)
    parts = contributions_within(model, matrix, horizon_days)
    parts[:, np.isin(model.features, model.unsaid)] = 0.0
    code, topics = pd.factorize(pd.Series([language.about.get(name, name) for name in model.features], dtype="str"))
    together = parts @ np.eye(len(topics))[code]
    spoken = _spoken(np.where(values == usual, 0.0, parts), code, len(topics))
    raises = (together > 0) & (np.take_along_axis(parts, spoken, axis=1) > 0)
    # Those that may turn out to raise no more than what is usual are made up for by twice as many.
    order = np.argsort(-np.where(raises, together, 0.0), axis=1, kind="stable")[:, : 2 * top]
    chosen, is_named = np.take_along_axis(spoken, order, axis=1), np.take_along_axis(raises, order, axis=1)
    is_named = _beyond_usual(model, matrix, parts, usual, horizon_days, chosen, is_named, top)
    shifts = _shifts(model, matrix, language)
    return [
        tuple(language.phrase(model.features[k], values[i, k], usual[k], shifts[i, k]) for k in places[named][:top])
        for i, (places, named) in enumerate(zip(chosen, is_named, strict=True))
    ]


def _beyond_usual(
    model: HazardModel, matrix: pd.DataFrame, parts: Values, usual: Values, horizon_days: int, chosen: Places,
    is_asked: NDArray[np.bool_], top: int,
) -> NDArray[np.bool_]:  # fmt: skip
    """Which of the asked features of each row, in their order, have a larger part than at the usual value; so where nothing is usual.

    No more than the first `top` of them are looked for: to look is dear.
    """
    is_open, is_beyond = is_asked.copy(), np.zeros(chosen.shape, dtype=bool)
    alone = _alone(model)
    while True:
        lacking = top - is_beyond.sum(axis=1, keepdims=True)
        is_next = is_open & (np.cumsum(is_open, axis=1) <= lacking)
        if not is_next.any():
            return is_beyond
        for k in np.unique(chosen[is_next]):
            row, place = np.nonzero((chosen == k) & is_next)
            is_more = np.ones(len(row), dtype=bool)
            if np.isfinite(usual[k]):
                ordinary = matrix.iloc[row][list(model.features)].assign(**{model.features[k]: usual[k]})
                is_more = parts[row, k] > _part_within(model, alone[k], ordinary, horizon_days, k)
            is_beyond[row, place] = is_more
        is_open &= ~is_next


def _alone(model: HazardModel) -> list[tuple[bytes, bool]]:
    """Of each feature the trees that ask for it, and whether any of them asks for the interval, too.

    All others leave the feature's part as it is, to the bit.
    """
    if model.learner != "boosted_trees":
        return [(b"", False)] * len(model.features)
    content = json.loads(bytes(booster(model).save_raw("json")))
    body = content["learner"]["gradient_booster"]["model"]
    every, found = body["trees"], []
    asked = [{f for f, left in zip(t["split_indices"], t["left_children"], strict=True) if left >= 0} for t in every]
    for k in range(len(model.features)):
        places = [place for place, of in enumerate(asked) if k in of]
        mine = [every[place] | {"id": number} for number, place in enumerate(places)]
        body |= {"trees": mine, "tree_info": [0] * len(mine), "iteration_indptr": list(range(len(mine) + 1))}
        body["gbtree_model_param"] |= {"num_trees": str(len(mine))}
        has_interval = any(len(model.features) in asked[place] for place in places)
        found.append((json.dumps(content).encode() if mine else b"", has_interval))
    return found


def _part_within(
    model: HazardModel, alone: tuple[bytes, bool], matrix: pd.DataFrame, horizon_days: int, k: int
) -> Values:
    """One feature's column of `contributions_within`, by the trees that ask for it (`_alone`)."""
    weights, (raw, has_interval) = _shares(model, matrix, horizon_days), alone
    linear = [model.linear.features.index(name) for name in model.features[k : k + 1] if name in model.linear.features]
    part = linear_contributions(model, matrix)[:, linear].sum(axis=1)
    within, of_trees = np.zeros(len(matrix)), np.zeros(len(matrix))
    for interval in range(weights.shape[1]):
        if raw and (interval == 0 or has_interval):
            of_trees = _tree_parts(trees_of(raw), matrix, interval)[:, k]
        within += weights[:, interval] * (part + of_trees)
    return within


def _spoken(parts: Values, code: Places, n_topics: int) -> Places:
    """Of each topic's features the place of the one with the largest part, of shape (n_rows, n_topics)."""
    members = (np.flatnonzero(code == topic) for topic in range(n_topics))
    found = [of[parts[:, of].argmax(axis=1)] for of in members]
    return np.array(found, dtype=np.int64).reshape(n_topics, len(parts)).T


def _shifts(model: HazardModel, matrix: pd.DataFrame, language: Language) -> Values:
    """Differences from the own past in the unit of each feature, of the shape of the features; missing where there is none."""
    names = [language.in_units.get(name, "") for name in model.features]
    columns = [matrix[name] if name in matrix else np.full(len(matrix), np.nan) for name in names]
    return np.array(columns, dtype=np.float64).reshape(len(names), len(matrix)).T


@dataclass(frozen=True)
class Part:
    """What one feature contributes to a row's risk.

    Args:
        feature: its name.
        value, usual: the row's, and the median of the night; NaN where unknown.
        contribution: its part of the log-odds of the calibrated risk, relative to the average training row.
        words: value and median as they are told.
        is_said: whether people held out bear it out, so that a driver may name it.
    """

    feature: str
    value: float
    usual: float
    contribution: float
    words: str
    is_said: bool


def parts_of(model: HazardModel, row: pd.DataFrame, usual: Values, horizon_days: int, language: Language) -> list[Part]:
    """Everything that one row's risk within a horizon is associated with, what raises it and what lowers it; largest first.

    Unlike `drivers` every feature with a part stands by itself, whatever it is about.

    Args:
        row: of one index date; the features, and the columns of `language.in_units` where they are known.
        usual: `medians` of all rows of the night.
    """
    values = row[list(model.features)].to_numpy(dtype=np.float64)[0]
    parts, shifts = contributions_within(model, row, horizon_days)[0], _shifts(model, row, language)[0]
    return [
        Part(
            name, float(values[k]), float(usual[k]), float(parts[k]),
            language.phrase(name, values[k], usual[k], shifts[k]), name not in model.unsaid,
        )
        for k, name in ((int(k), model.features[k]) for k in np.argsort(-np.abs(parts), kind="stable"))
        if parts[k] != 0
    ]  # fmt: skip
