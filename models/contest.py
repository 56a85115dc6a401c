"""Two predictors on the same rows of people that neither saw: how their figures differ, and how sure that is."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import operational, resampling
from models.fairness import audit, disclosure
from models.fairness.groups import membership
from models.power import EVERYBODY

Values = NDArray[np.float64]
DIFFERENCE = "difference"
# Of figures of groups. Squared errors are small, and a mean of thousands of them gives no count back.
DECIMALS = {"auroc": disclosure.DECIMALS, "brier": 4, "tpr": disclosure.DECIMALS}


class Standing(Enum):
    """How the champion's predictor stands to the challenger's."""

    SAME = "the same features and learner"
    WEIGHED = "among the predictors of which the challenger's is the one that earned it"
    COMPARED = "fitted in the same folds, compared on the same rows"
    ALTERED = "in files that are lost or are not those that were registered"
    GONE = "made of features that no longer exist, so that it cannot serve either"


@dataclass(frozen=True)
class Contest:
    """Onset AUROC of the challenger's predictor minus that of the champion's, named `champion`, and how they compare.

    `brier` is the same of the Brier score, with its interval. Only the figures of a comparison mean anything; NaN where it
    could not be estimated.
    """

    champion: str
    standing: Standing
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    brier: tuple[float, float, float] = (float("nan"), float("nan"), float("nan"))


Difference = tuple[float, float, float]


def difference(rows: pd.DataFrame, one: str, other: str, resamples: int, seed: int) -> tuple[Difference, Difference]:
    """AUROC of one column of risks minus that of another, and its 95 % interval over resampled subjects; so the Brier score.

    Intervals are conditional on the fitted models. Those of AUROC are missing without rows of both labels.

    Args:
        rows: `subject_id, label` (0 or 1) and a column of risks for each predictor.
        one, other: the columns.
        resamples: of subjects, the same for both.
        seed: what they are drawn by.
    """
    subject, subjects = pd.factorize(rows["subject_id"])
    label = rows["label"].to_numpy(dtype=float)
    everybody = np.ones((1, len(subjects)))
    weights = np.vstack([everybody, resampling.draws(len(subjects), resamples, seed)])
    more, less = (
        resampling.concordance(rows[name].to_numpy(), label, subject.astype(np.int64)).auroc(weights)
        for name in (one, other)
    )
    errors = [np.bincount(subject, (rows[name].to_numpy() - label) ** 2, len(subjects)) for name in (one, other)]
    brier = weights @ (errors[0] - errors[1]) / (weights @ np.bincount(subject, minlength=len(subjects)))
    return _with_interval(more - less), _with_interval(brier)


def _with_interval(drawn: Values) -> Difference:
    return float(drawn[0]), *resampling.interval(drawn[1:])


def by_group(
    rows: pd.DataFrame, one: str, other: str, attributes: pd.DataFrame, top_share: float, resamples: int, seed: int
) -> tuple[pd.DataFrame, dict[str, int]]:
    """AUROC, Brier score and days caught (`tpr`) by both columns of risks and their difference, overall and by group.

    Groups too small to be shown have no row; figures and counts of groups are rounded as disclosure control has it.
    Flags are drawn once on the rows as they are, and subjects resampled with theirs. Intervals are conditional on the
    fitted models.

    Args:
        rows: `subject_id, index_date, label` (0 or 1), a column of risks for each predictor and, where alerts are counted
            within sites, `site`.
        one, other: the columns.
        attributes: one row per subject: `subject_id` and a text column per attribute.
        top_share: share of the rows of a night that is flagged.
        resamples: of subjects, the same for both.

    Returns:
        `model` (one, other or `DIFFERENCE`), `group`, `metric`, `value, low, high, n_subjects, n_episodes`; and how many
        groups of each attribute are hidden.
    """
    groupings, groups = audit.divide(rows.assign(probability=rows[one]), attributes, {})
    member = membership(groupings)
    is_asked = ~groups["is_crossed"]
    groups = groups.assign(is_counted=disclosure.is_countable(groups))
    is_shown = is_asked & (disclosure.is_showable(groups) | (groups["attribute"] == EVERYBODY))
    n_subjects = member.shape[1]
    weights = np.vstack([np.ones((1, n_subjects)), resampling.draws(n_subjects, resamples, seed)])
    figures = [_figures(rows, name, top_share, seed) for name in (one, other)]
    found = []
    for place, group in groups[is_shown].iterrows():
        here = member[int(str(place))]
        first, second = (of.among(here, weights) for of in figures)
        apart = {metric: first[metric] - second[metric] for metric in first}
        for model, values in ((one, first), (other, second), (DIFFERENCE, apart)):
            found += [{"model": model, **_told(group, metric, of)} for metric, of in values.items()]
    return pd.DataFrame(found), disclosure.n_hidden(groups[is_asked & (groups["attribute"] != EVERYBODY)])


@dataclass(frozen=True)
class _Figures:
    """What the metrics of one predictor are sums of, by subject."""

    pairs: resampling.Concordance
    rows: Values
    squared_errors: Values
    positives: Values
    caught: Values

    def among(self, here: NDArray[np.bool_], weights: Values) -> dict[str, Values]:
        """Each metric among some of the subjects, under each weighting of all."""
        drawn = weights[:, here]
        with np.errstate(invalid="ignore", divide="ignore"):
            brier = (drawn @ self.squared_errors[here]) / (drawn @ self.rows[here])
            caught = (drawn @ self.caught[here]) / (drawn @ self.positives[here])
        return {"auroc": self.pairs.among(here).auroc(weights), "brier": brier, "tpr": caught}


def _figures(rows: pd.DataFrame, name: str, top_share: float, seed: int) -> _Figures:
    codes, subjects = pd.factorize(rows["subject_id"], sort=True)
    subject, n = codes.astype(np.int64), len(subjects)
    risk, label = rows[name].to_numpy(dtype=np.float64), rows["label"].to_numpy(dtype=np.float64)
    flagged = operational.flags(rows, risk, top_share, seed)

    def by_subject(values: Values) -> Values:
        return np.bincount(subject, values, n).astype(np.float64)

    return _Figures(
        resampling.concordance(risk, label, subject), by_subject(np.ones(len(rows))),
        by_subject((risk - label) ** 2), by_subject(label), by_subject(label * flagged),
    )  # fmt: skip


def _told(group: pd.Series, metric: str, values: Values) -> dict[str, object]:
    """A metric of a group; of everybody as it is, of others rounded, and their counts only where none follows from them."""
    told = dict(zip(("value", "low", "high"), (float(values[0]), *resampling.interval(values[1:])), strict=True))
    counts = {name: float(group[name]) for name in ("n_subjects", "n_episodes")}
    if group["attribute"] != EVERYBODY:
        told = {name: round(of, DECIMALS[metric]) for name, of in told.items()}
        counts = {
            name: float(disclosure.rounded_count(of)) if group["is_counted"] else float("nan")
            for name, of in counts.items()
        }
    return {"group": group["label"], "metric": metric, **told, **counts}
