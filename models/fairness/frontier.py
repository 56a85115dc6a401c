"""What each way to mitigate gains and costs, for everybody and by group, at the same capacity and in the same resamples.

Whom a night's capacity flags is found again in every resample of subjects (`models.fairness.alerts`). Ways that flag by chance are
counted by their chances; they have no risk, so that ranking, calibration and Brier score are missing, not 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from models import resampling
from models.calibration import binned_levels, binned_slopes, slope_and_intercept
from models.fairness import audit, bootstrap, disclosure, metrics
from models.fairness.alerts import Queue, Scope, queue_rows
from models.fairness.groups import membership
from models.fairness.ways import RANDOMISED, UNMITIGATED, WAYS
from models.power import EVERYBODY

Values = NDArray[np.float64]
Draws = dict[str, Values]
# The share caught in the group where it is highest, minus that where it is lowest.
GAP = "tpr_widest_gap"
RATES = ("selection_rate", "tpr", "fpr", "ppv")
OF_RISK = ("auroc", "calibration_slope", "calibration_intercept", "brier")
METRICS = (*RATES, *OF_RISK)
# Of figures of groups; squared errors are small, and a mean of thousands of them gives no count back.
DECIMALS = dict.fromkeys((*METRICS, GAP), disclosure.DECIMALS) | {"brier": 4}
MINUS_UNMITIGATED = "_minus_unmitigated"
RESAMPLES_AT_ONCE = 20


@dataclass(frozen=True)
class Frontier:
    """What was measured.

    `rows`: model (a way, or one with `MINUS_UNMITIGATED`: its difference to none), group, metric, value, low, high, n_subjects,
    n_episodes; of everybody and of groups large enough to be shown, whose figures and counts are rounded. `groups`: one row per
    group as in `models.fairness.audit.Audit`, with is_shown and is_counted. `scope` is within what capacity is counted.
    """

    rows: pd.DataFrame
    groups: pd.DataFrame
    scope: Scope


def measure(
    rows: pd.DataFrame, attributes: pd.DataFrame, top_share: float, resamples: int, seed: int
) -> Frontier:  # fmt: skip
    """Every metric of every way, by group, with the audit's 95 % intervals over resampled subjects; conditional on the fits.

    Of each group as many subjects carry a figure as in the audit (`metrics.carriers`), and the widest gap rests on the group with
    the fewest.

    Args:
        rows: `models.fairness.mitigation.Mitigated.rows` and, where alerts are counted within sites, `site`.
        attributes: one row per subject: `subject_id` and the attribute as a text column.
        top_share: share of the rows of a night that is flagged.
        resamples: of subjects, the same for all ways.
    """
    groupings, groups = audit.divide(rows.assign(probability=rows[UNMITIGATED]), attributes, {})
    groups = groups.assign(is_shown=disclosure.is_showable(groups), is_counted=disclosure.is_countable(groups))
    members = membership(groupings)
    codes, subjects = pd.factorize(rows["subject_id"], sort=True)
    subject, n = codes.astype(np.int64), len(subjects)
    weights = np.vstack([np.ones((1, n)), resampling.draws(n, resamples, seed)])
    ways = {name: _way(rows, name, subject, weights, top_share, seed) for name in WAYS}
    asked = groups[groups["is_shown"] | (groups["attribute"] == EVERYBODY)]
    found = []
    for place, group in asked.iterrows():
        drawn = {name: way.among(members[int(str(place))]) for name, way in ways.items()}
        for model, of in _with_differences(drawn).items():
            found += [_told(model, group, metric, values, _carriers(metric, group)) for metric, values in of.items()]
    shown = groups[groups["is_shown"] & (groups["attribute"] != EVERYBODY)]
    gaps = {name: {GAP: _gap(way, members[shown.index])} for name, way in ways.items()}
    fewest = int(metrics.carriers("tpr", shown).min(initial=len(subjects)))
    for model, of in _with_differences(gaps).items():
        found += [_told(model, groups.iloc[0], metric, values, fewest) for metric, values in of.items()]
    return Frontier(pd.DataFrame(found), groups, ways[UNMITIGATED].scope)


@dataclass(frozen=True)
class _Way:
    """One way: flagged rows and caught rows of each subject in each draw, (n_subjects, n_draws), and its risks if it has any."""

    flagged: Values
    caught: Values
    rows: Values
    positives: Values
    weights: Values
    scored: "_Scored | None"
    scope: Scope

    def among(self, here: NDArray[np.bool_]) -> Draws:
        """Every metric among some of the subjects, of shape (n_draws,) each; missing where it is not defined."""
        flagged, caught = self.flagged[here].sum(axis=0), self.caught[here].sum(axis=0)
        drawn = self.weights[:, here]
        every, positives = drawn @ self.rows[here], drawn @ self.positives[here]
        rates = {
            "selection_rate": _ratio(flagged, every), "tpr": _ratio(caught, positives),
            "fpr": _ratio(flagged - caught, every - positives), "ppv": _ratio(caught, flagged),
        }  # fmt: skip
        if self.scored is None:
            return {**rates, **{name: np.full(len(drawn), np.nan) for name in OF_RISK}}
        return {**rates, **self.scored.among(here, self.weights)}


@dataclass(frozen=True)
class _Scored:
    """Risks of rows, their labels and subjects, of shape (n_rows,)."""

    risk: Values
    label: Values
    subject: NDArray[np.int64]

    def among(self, here: NDArray[np.bool_], weights: Values) -> Draws:
        """Ranking, calibration and Brier score among some of the subjects."""
        kept = here[self.subject]
        risk, label, subject = self.risk[kept], self.label[kept], self.subject[kept]
        curve = resampling.curve(risk, label, subject, weights)
        binned = curve.score, curve.rows, curve.positives
        slopes, levels = binned_slopes(*binned), binned_levels(*binned)
        if 0 < label.sum() < len(label):
            slopes[0], levels[0] = slope_and_intercept(risk, label)
        return {
            "auroc": resampling.concordance(risk, label, subject).auroc(weights),
            "calibration_slope": slopes,
            "calibration_intercept": levels,
            "brier": resampling.subject_means((risk - label) ** 2, subject, weights),
        }


def _way(
    rows: pd.DataFrame, name: str, subject: NDArray[np.int64], weights: Values, top_share: float, seed: int
) -> _Way:
    score, label = rows[name].to_numpy(dtype=np.float64), rows["label"].to_numpy(dtype=np.float64)
    queue = queue_rows(rows.assign(probability=score), subject, top_share, seed)
    is_by_chance = name in RANDOMISED
    flagged, caught = (
        _flagged_by_chance(queue, score, label, weights)
        if is_by_chance
        else _flagged_by_rank(queue, subject, label, weights)
    )
    n = weights.shape[1]
    every, positives = (np.bincount(subject, of, n).astype(np.float64) for of in (np.ones(len(rows)), label))
    scored = None if is_by_chance else _Scored(score, label, subject)
    return _Way(flagged, caught, every, positives, weights, scored, queue.scope)


def _flagged_by_rank(queue: Queue, subject: NDArray[np.int64], label: Values, weights: Values) -> tuple[Values, Values]:
    """Flagged rows, and caught ones, of each subject in each draw: the night's capacity goes to the highest risks."""
    n, places = weights.shape[1], np.arange(len(queue.rows))
    of_all, of_caught = (
        sparse.csr_matrix((of, (subject, places)), shape=(n, len(places))) for of in (np.ones(len(places)), label)
    )
    copies = np.ascontiguousarray(weights.T.astype(np.int32))
    flagged, caught = [], []
    for start in range(0, copies.shape[1], RESAMPLES_AT_ONCE):
        chosen = queue.flagged(np.ascontiguousarray(copies[:, start : start + RESAMPLES_AT_ONCE])).astype(np.float64)
        flagged.append(of_all @ chosen)
        caught.append(of_caught @ chosen)
    return np.hstack(flagged), np.hstack(caught)


def _flagged_by_chance(queue: Queue, chance: Values, label: Values, weights: Values) -> tuple[Values, Values]:
    """The same for rows that are flagged by chance: where a night would flag more than its capacity, a lot decides.

    Where it would flag fewer, room stays empty: nothing says whom else to flag.
    """
    n, drawn = weights.shape[1], weights.T
    of = chance[queue.rows]

    def by_pool(values: Values) -> sparse.csr_matrix:
        return sparse.csr_matrix((values, (queue.subject, queue.pool)), shape=(n, len(queue.starts) - 1))

    expected, every = by_pool(of).T @ drawn, by_pool(np.ones(len(of))).T @ drawn
    room = np.minimum(1.0, np.divide(queue.share * every, expected, out=np.ones_like(expected), where=expected > 0))
    flagged, caught = (np.asarray(by_pool(values) @ room) * drawn for values in (of, of * label[queue.rows]))
    return flagged, caught


def _gap(way: _Way, members: NDArray[np.bool_]) -> Values:
    """The widest gap of the share caught between groups that are shown, of shape (n_draws,); missing with fewer than two."""
    if len(members) < 2:
        return np.full(len(way.weights), np.nan)
    caught = np.stack(
        [_ratio(way.caught[here].sum(axis=0), way.weights[:, here] @ way.positives[here]) for here in members]
    )
    gap: Values = caught.max(axis=0) - caught.min(axis=0)
    return gap


def _with_differences(drawn: Mapping[str, Draws]) -> dict[str, Draws]:
    """Each way's metrics, and those of all but the first minus those of the first, draw by draw."""
    plain = drawn[UNMITIGATED]
    apart = {
        f"{name}{MINUS_UNMITIGATED}": {metric: values - plain[metric] for metric, values in of.items()}
        for name, of in drawn.items()
        if name != UNMITIGATED
    }
    return {**drawn, **apart}


def _carriers(metric: str, group: pd.Series) -> int:
    """How many subjects carry a figure of a group, and its difference to another way's, which is of the same subjects."""
    return int(metrics.carriers(metric, group.to_frame().T)[0])


def _told(model: str, group: pd.Series, metric: str, values: Values, n_carriers: int) -> dict[str, object]:
    """A metric of a group; of everybody as it is, of others rounded, and their counts only where none follows from them."""
    low, high = bootstrap.interval(values[1:, None], np.array([n_carriers]))
    told = {"value": float(values[0]), "low": float(low[0]), "high": float(high[0])}
    counts = {name: float(group[name]) for name in ("n_subjects", "n_episodes")}
    is_of_groups = group["attribute"] != EVERYBODY
    if is_of_groups or metric == GAP:
        told = {name: round(of, DECIMALS[metric]) for name, of in told.items()}
    if is_of_groups:
        counts = {
            name: float(disclosure.rounded_count(of)) if group["is_counted"] else float("nan")
            for name, of in counts.items()
        }
    return {"model": model, "group": group["label"], "metric": metric, **told, **counts}


def _ratio(above: Values, below: Values) -> Values:
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0))
