"""The audit: scores, labels and recorded attributes in; tidy rows, verdicts and calibration per group out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import ModelsError
from models.fairness import bootstrap, metrics
from models.fairness.alerts import Scope, queue_rows
from models.fairness.bootstrap import Rows
from models.fairness.calibration import calibrate
from models.fairness.groups import Grouping, group_subjects
from models.fairness.metrics import Values
from models.fairness.verdicts import FAIL, judge

# Positive rows of a subject further apart than this belong to different episodes.
EPISODE_GAP_DAYS = 7
TIDY = ("dataset", "outcome", "task", "horizon_days", "split", "model", "group", "metric", "value", "low", "high",
        "n_subjects", "n_episodes")  # fmt: skip


@dataclass(frozen=True)
class Audited:
    """Which scores were audited: the leading columns of every tidy row."""

    dataset: str
    outcome: str
    task: str
    horizon_days: int
    split: str
    model: str


@dataclass(frozen=True)
class Design:
    """How the audit was made, for the methods section."""

    top_share: float
    margin: float
    resamples: int
    seed: int
    scope: Scope
    n_rows: int


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    `rows`: tidy rows, every group x metric, and group "all". `groups`: attribute, group, is_crossed, is_reference,
    n_rows, n_subjects, n_event_subjects, n_episodes, largest_event_share. `verdicts`: one row per comparison with
    attribute, group, reference, metric, group_value, reference_value, difference, low, high, verdict, mdd, p_adjusted,
    is_crossed, n_subjects, n_event_subjects. `calibration`: attribute, group, predicted, observed, low, high per
    fifth of the group's scores.
    """

    audited: Audited
    design: Design
    rows: pd.DataFrame
    groups: pd.DataFrame
    verdicts: pd.DataFrame
    calibration: pd.DataFrame

    @property
    def has_failed(self) -> bool:
        """Whether any comparison has the verdict fail."""
        return bool((self.verdicts["verdict"] == FAIL).any())


def audit(
    scored: pd.DataFrame,
    attributes: pd.DataFrame,
    audited: Audited,
    *,
    top_share: float,
    margin: float,
    resamples: int = 1000,
    seed: int = 1,
    reference_groups: Mapping[str, str] | None = None,
) -> Audit:
    """Compare groups of subjects by how well the scores serve them.

    Args:
        scored: one row per subject x index date: subject_id, index_date, probability (0-1), label (0/1) and,
            where alerts are counted within sites, site. Rows without a label must be left out before.
        attributes: one row per subject: subject_id and one text column per attribute to audit.
        audited: names of what was scored, copied into every row.
        top_share: share of rows that would be flagged, within site and night (see `alerts.queue_rows`).
        margin: largest difference that counts as none.
        resamples: redrawn cohorts of subjects for every interval.
        seed: of the resamples and of the order of equal scores.
        reference_groups: attribute -> group that the others are compared to.

    Raises:
        ModelsError: no rows, a missing column, repeated subject-days, labels other than 0 and 1, scores not within 0-1,
            or a subject in two groups.
    """
    _refuse_unusable(scored, top_share)
    rows, _ = _coded(scored)
    groupings, groups = divide(scored, attributes, reference_groups or {})
    queue = queue_rows(scored, rows.subject, top_share, seed)
    weights = bootstrap.draw(rows.n_subjects, resamples, seed)
    is_flagged = np.zeros(len(scored), dtype=bool)
    is_flagged[queue.rows] = queue.flagged(np.ones((rows.n_subjects, 1), np.int32))[:, 0] > 0

    values = _values(groupings, rows, is_flagged)
    drawn = _resample(groupings, rows, metrics.rates(bootstrap.count_groups(rows, queue, groupings, weights)), weights)
    return Audit(
        audited,
        Design(top_share, margin, resamples, seed, queue.scope, len(scored)),
        _tidy(audited, groups, values, drawn),
        groups,
        _verdicts(groupings, groups, values, drawn, margin),
        calibrate(groupings, rows, weights),
    )


def divide(
    scored: pd.DataFrame, attributes: pd.DataFrame, reference_groups: Mapping[str, str]
) -> tuple[tuple[Grouping, ...], pd.DataFrame]:
    """Everybody, then the groups of each attribute and of pairs of them, and who they are: see `Audit.groups`.

    Codes of subjects are places in the sorted ids. Arguments as of `audit`.
    """
    rows, subjects = _coded(scored)
    everybody = Grouping(("all",), ("all",), np.zeros(len(subjects), np.int64), 0)
    is_event_subject = rows.per_subject(rows.label.astype(float)) > 0
    groupings = (everybody, *group_subjects(attributes, subjects, is_event_subject, reference_groups))
    return groupings, _describe(groupings, rows, _episodes(scored, rows.subject, len(subjects)))


def _coded(scored: pd.DataFrame) -> tuple[Rows, pd.Index]:
    codes, subjects = pd.factorize(scored["subject_id"], sort=True)
    label, probability = scored["label"].to_numpy(np.int64), scored["probability"].to_numpy(float)
    return Rows(codes, label, probability, len(subjects)), pd.Index(subjects)


def _refuse_unusable(scored: pd.DataFrame, top_share: float) -> None:
    absent = [c for c in ("subject_id", "index_date", "probability", "label") if c not in scored.columns]
    if absent:
        raise ModelsError(f"`scored` lacks {absent}. Hand over one row per subject and index date with these columns.")
    if scored.empty:
        raise ModelsError(
            "`scored` has no rows, so there is nothing to audit. Score and label some subject-days first."
        )
    if not 0 < top_share < 1:
        raise ModelsError("`top_share` must lie between 0 and 1. Give the share of subject-days to flag, such as 0.1.")
    for count, what, cure in (
        (scored.duplicated(["subject_id", "index_date"]).sum(), "repeat a subject and index date", "Keep one per day."),
        ((~scored["label"].isin([0, 1])).sum(), "have a label other than 0 or 1", "Leave unlabelled rows out."),
        ((~scored["probability"].between(0, 1)).sum(), "have no probability within 0 to 1", "Give calibrated scores."),
    ):
        if count:
            raise ModelsError(f"`scored` has {int(count)} rows that {what}. {cure}")


def _episodes(scored: pd.DataFrame, codes: NDArray[np.int64], n_subjects: int) -> NDArray[np.int64]:
    """Runs of positive rows of each subject: each run is the days before one episode. Shape (n_subjects,)."""
    table = pd.DataFrame(
        {"subject": codes, "day": scored["index_date"].to_numpy(), "label": scored["label"].to_numpy()}
    )
    table = table.sort_values(["subject", "day"], kind="stable")
    earlier = table.groupby("subject").shift()
    is_new = (earlier["label"] != 1) | ((table["day"] - earlier["day"]) > pd.Timedelta(days=EPISODE_GAP_DAYS))
    return np.bincount(table.loc[(table["label"] == 1) & is_new, "subject"], minlength=n_subjects)


def _describe(groupings: Sequence[Grouping], rows: Rows, episodes: NDArray[np.int64]) -> pd.DataFrame:
    """One row per group, in the order of `bootstrap.membership`: who they are, and how many."""
    member = bootstrap.membership(groupings)
    names = pd.DataFrame(
        [
            {
                "attribute": g.name,
                "group": level,
                "label": label,
                "is_crossed": g.is_crossed,
                "is_reference": k == g.reference,
            }
            for g in groupings
            for k, (level, label) in enumerate(zip(g.levels, g.labels(), strict=True))
        ]
    )
    counted = {
        "n_rows": member @ rows.per_subject(np.ones(len(rows.label))),
        "n_subjects": member.sum(axis=1),
        "n_event_subjects": member @ (episodes > 0),
        "n_episodes": member @ episodes,
    }
    largest = (member * episodes).max(axis=1)
    share = np.divide(
        largest, counted["n_episodes"], out=np.full(len(largest), np.nan), where=counted["n_episodes"] > 0
    )
    names.loc[0, "label"] = "all"
    return names.assign(**{k: v.astype(np.int64) for k, v in counted.items()}, largest_event_share=share)


def _values(groupings: Sequence[Grouping], rows: Rows, is_flagged: NDArray[np.bool_]) -> dict[str, Values]:
    """Every metric of every group, shape (n_groups,), by Fairlearn except the slope; crossed groups have rates only."""
    cells = rows.cells(is_flagged)
    bins, once = bootstrap.bin_scores(rows), np.ones((rows.n_subjects, 1), np.int32)
    tables = []
    for grouping in groupings:
        table = metrics.points(cells, pd.Series(grouping.codes[cells["subject"]], name="group"))
        if not grouping.is_crossed:
            of_row = pd.Series(grouping.codes[rows.subject], name="group")
            levels = range(len(grouping.levels))
            table["auroc"] = metrics.ranking(rows.label, rows.probability, of_row)
            table["calibration_slope"] = [bins.resampled(grouping.codes == level, once)[1][0] for level in levels]
        tables.append(table)
    together = pd.concat(tables, ignore_index=True)
    return {name: together[name].to_numpy(float) for name in metrics.METRICS}


def _resample(
    groupings: Sequence[Grouping], rows: Rows, rates: dict[str, Values], weights: NDArray[np.int32]
) -> dict[str, Values]:
    """Every metric in every resample, shape (n_resamples, n_groups)."""
    bins = bootstrap.bin_scores(rows)
    shape = rates["tpr"].shape
    area, slope = np.full(shape, np.nan), np.full(shape, np.nan)
    column = 0
    for grouping in groupings:
        for level in range(len(grouping.levels)):
            if not grouping.is_crossed:
                area[:, column], slope[:, column] = bins.resampled(grouping.codes == level, weights)
            column += 1
    return {**rates, "auroc": area, "calibration_slope": slope}


def _tidy(audited: Audited, groups: pd.DataFrame, values: dict[str, Values], drawn: dict[str, Values]) -> pd.DataFrame:
    parts = []
    for name in metrics.METRICS:
        low, high = bootstrap.interval(drawn[name])
        is_asked = ~groups["is_crossed"] | (name in metrics.RATES)
        part = groups[["label", "n_subjects", "n_episodes"]].assign(metric=name, value=values[name], low=low, high=high)
        parts.append(part[is_asked])
    rows = pd.concat(parts, ignore_index=True).rename(columns={"label": "group"})
    return rows.assign(**asdict(audited))[list(TIDY)]


def _verdicts(
    groupings: Sequence[Grouping],
    groups: pd.DataFrame,
    values: dict[str, Values],
    drawn: dict[str, Values],
    margin: float,
) -> pd.DataFrame:
    parts, first = [], 0
    for grouping in groupings:
        here = np.arange(first, first + len(grouping.levels))
        first += len(grouping.levels)
        other, reference = np.delete(here, grouping.reference), int(here[grouping.reference])
        for name in metrics.JUDGED_RATES if grouping.is_crossed else metrics.JUDGED:
            parts.append(_compare(groups, other, reference, name, values[name], drawn[name]))
    judged = judge(pd.concat(parts, ignore_index=True), margin)
    columns = [
        *("attribute", "group", "reference", "metric", "group_value", "reference_value", "difference", "low", "high"),
        *("verdict", "mdd", "p_adjusted", "is_crossed", "n_subjects", "n_event_subjects"),
    ]
    return judged[columns]


def _compare(
    groups: pd.DataFrame, other: NDArray[np.int64], reference: int, name: str, value: Values, drawn: Values
) -> pd.DataFrame:
    """Paired differences: both groups in the same resamples."""
    differences = drawn[:, other] - drawn[:, [reference]]
    low, high = bootstrap.interval(differences)
    against = groups.loc[reference]
    return (
        groups.loc[other, ["attribute", "group", "is_crossed", "n_subjects", "n_event_subjects"]]
        .assign(reference=against["group"], metric=name, group_value=value[other], reference_value=value[reference])
        .assign(difference=value[other] - value[reference], low=low, high=high)
        .assign(standard_error=bootstrap.spread(differences), own_standard_error=bootstrap.spread(drawn[:, other]))
        .assign(reference_n_subjects=against["n_subjects"], reference_n_event_subjects=against["n_event_subjects"])
    )
