"""The audit: scores, labels and recorded attributes in; figures, verdicts and curves of every group out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import ModelsError
from models.fairness import bootstrap, metrics, parts, thresholds
from models.fairness.alerts import AlertRule, AtLeast, Flags, Scope, TopShare, flags_of
from models.fairness.bootstrap import Weights
from models.fairness.calibration import calibrate
from models.fairness.cells import COUNTED, Cells, all_cells, cells_of
from models.fairness.comparisons import comparisons
from models.fairness.coverage import coverage
from models.fairness.groups import Grouping, everybody, group_subjects
from models.fairness.parts import Parts
from models.fairness.rows import Rows, Values, refuse_unusable, rows_of
from models.fairness.verdicts import FAIL, by_margin, judge

VERDICTS = (
    "cell", "reference_cell", "attribute", "group", "reference", "versus", "metric", "group_value", "reference_value",
    "difference", "low", "high", "verdict", "mdd", "p_adjusted", "why", "passes_from", "is_crossed", "n_subjects",
    "n_event_subjects",
)  # fmt: skip


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

    rule: AlertRule
    margin: float
    resamples: int
    seed: int
    scope: Scope
    n_rows: int


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """What every table of an audit is made of: the rows, how they divide, whom the rule flags, and the resamples.

    `cells` names the cells of the whole view, `drawn` holds each metric of them, of shape (n_weightings, n_cells).
    """

    scored: pd.DataFrame
    rows: Rows
    subjects: pd.Index
    groupings: tuple[Grouping, ...]
    flags: Flags
    weights: Weights
    cells: pd.DataFrame
    drawn: Mapping[str, Values]

    @property
    def singles(self) -> tuple[Grouping, ...]:
        """Everybody, and each attribute by itself."""
        return tuple(g for g in self.groupings if not g.is_crossed)

    @cached_property
    def parts(self) -> tuple[Parts, Parts]:
        """Periods, and shares of data."""
        return parts.periods(self.scored), parts.by_data(self.scored)


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found. Tables beside the verdicts are made when they are first asked for.

    Attributes:
        rows: `cell, metric, value, low, high`: every metric of every group, and of everybody (`all`).
        groups: one row per group: attribute, group, label, is_crossed, is_reference, n_rows, n_subjects,
            n_event_subjects, n_episodes, largest_event_share. The first is everybody.
        verdicts: one row per comparison of a group with its reference or with the rest, and metric: `VERDICTS`; counts
            are those of the smaller side.
        sensitivity: `cell, reference_cell, metric, margin, verdict`: each comparison at other margins.
        study: what it was made of. It holds persons' rows and must not be written.
    """

    audited: Audited
    design: Design
    rows: pd.DataFrame
    groups: pd.DataFrame
    verdicts: pd.DataFrame
    sensitivity: pd.DataFrame
    study: Study

    @property
    def has_failed(self) -> bool:
        """Whether any comparison has the verdict fail."""
        return bool((self.verdicts["verdict"] == FAIL).any())

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Figures by name, each with `cell`, and with `reference_cell` where two cells are compared.

        `rows`, `verdicts`, `sensitivity`, `calibration`, `thresholds`, `lead_times`, `coverage`, `strata` (equal coverage) and
        `course` (over time). What each holds, the function that makes it says.
        """
        of, seed = self.study, self.design.seed
        shared, counted = (of.rows, of.flags, of.singles), self.cells.set_index("cell")
        over, data = of.parts
        groups = self.groups[~self.groups["is_crossed"]]
        return {
            "rows": self.rows,
            "verdicts": self.verdicts,
            "sensitivity": self.sensitivity,
            "calibration": calibrate(of.singles, of.rows, of.weights),
            "thresholds": thresholds.over_thresholds(of.scored, of.rows, of.singles, groups, of.weights, seed),
            "lead_times": thresholds.lead_times(*shared, groups, of.weights),
            "coverage": coverage(of.scored, of.rows, of.singles, of.weights),
            "strata": parts.at_equal_coverage(*shared, data, counted, of.weights),
            "course": parts.over_time(*shared, over, counted, of.weights),
        }

    @cached_property
    def _cells(self) -> Cells:
        return all_cells(self.study.rows, self.study.groupings, self.study.parts)

    @property
    def cells(self) -> pd.DataFrame:
        """Everything of which figures are told, by `cell`, with the columns of `groups`, and `part`.

        Groups by their label, the rest of the cohort (`not site=north`), parts of groups (`sex=F @ 2026-04`).
        """
        return self._cells.table

    @property
    def members(self) -> dict[str, frozenset[str]]:
        """The subjects of each cell. Never to be written."""
        return self._named(self._cells.member)

    @property
    def event_members(self) -> dict[str, frozenset[str]]:
        """Those of them with an event there: in a part, within it. Never to be written."""
        return self._named(self._cells.with_event)

    def _named(self, member: NDArray[np.bool_]) -> dict[str, frozenset[str]]:
        cells = zip(self.cells["cell"], member, strict=True)
        return {str(cell): frozenset(self.study.subjects[of]) for cell, of in cells}


def audit(
    scored: pd.DataFrame,
    attributes: pd.DataFrame,
    audited: Audited,
    *,
    rule: AlertRule,
    margin: float,
    resamples: int = 1000,
    seed: int = 1,
    reference_groups: Mapping[str, str] | None = None,
) -> Audit:
    """Compare groups of subjects by how well the scores serve them.

    Args:
        scored: one row per subject x index date: subject_id, probability (0-1), label (0/1); where known index_date, site
            (alerts are counted within sites then), days_to_event, days_since_event (see `rows.rows_of`) and any of
            `coverage.MEASURES`. Rows without a label must be left out before.
        attributes: one row per subject: subject_id and one text column per attribute to audit.
        audited: names of what was scored, copied into every row.
        rule: who would be flagged.
        margin: largest difference that counts as none.
        resamples: redrawn cohorts of subjects for every interval.
        seed: of the resamples and of the order of equal scores.
        reference_groups: attribute -> group that the others are compared to.

    Raises:
        ModelsError: no rows, a missing column, repeated subject-days, labels other than 0 and 1, scores not within 0-1,
            a rule that flags nobody or everybody, or a subject in two groups.
    """
    _refuse_pointless(rule)
    groupings, groups = divide(scored, attributes, reference_groups or {})
    rows, subjects = rows_of(scored)
    flags, scope = flags_of(rule, scored, rows.subject, seed)
    weights = bootstrap.draw(rows.n_subjects, resamples, seed)
    drawn = bootstrap.resample(rows, flags, bootstrap.whole(rows, groupings), weights)
    is_flagged = flags.flagged(weights[:, :1])[:, 0] > 0
    if is_flagged.all() or not is_flagged.any():
        who = "everybody" if is_flagged.all() else "nobody"
        raise ModelsError(
            f"The alert rule flags {who}, so that there is nothing to compare. Flag another share, or from another risk on."
        )
    _set_points(drawn, rows, groupings, is_flagged)
    cells = cells_of(rows, groupings)
    compared = comparisons(cells, groupings, drawn, flags)
    return Audit(
        audited, Design(rule, margin, resamples, seed, scope, len(scored)),
        _figures(cells, drawn), groups, _told(judge(compared, margin)),
        by_margin(compared, margin)[["cell", "reference_cell", "metric", "margin", "verdict"]],
        Study(scored, rows, subjects, groupings, flags, weights, cells, drawn),
    )  # fmt: skip


def divide(
    scored: pd.DataFrame, attributes: pd.DataFrame, reference_groups: Mapping[str, str]
) -> tuple[tuple[Grouping, ...], pd.DataFrame]:
    """Everybody, then the groups of each attribute and of pairs of them, and who they are: see `Audit.groups`.

    Codes of subjects are places in the sorted ids. Arguments and errors as of `audit`.
    """
    refuse_unusable(scored)
    rows, subjects = rows_of(scored)
    has_event = rows.per_subject(rows.label.astype(float)) > 0
    groupings = (everybody(len(subjects)), *group_subjects(attributes, subjects, has_event, reference_groups))
    cells = cells_of(rows, groupings)
    names = ["attribute", "group", "cell", "is_crossed", "is_reference"]
    groups = cells.loc[~cells["is_rest"], [*names, *COUNTED]].rename(columns={"cell": "label"})
    return groupings, groups.reset_index(drop=True)


def _refuse_pointless(rule: AlertRule) -> None:
    if isinstance(rule, TopShare) and not 0 < rule.share < 1:
        raise ModelsError("The share to flag must lie between 0 and 1. Give the share of subject-days, such as 0.1.")
    if isinstance(rule, AtLeast) and not 0 < rule.risk <= 1:
        raise ModelsError("The risk to flag from must lie above 0 and be at most 1, as scores do, such as 0.2.")


def _set_points(
    drawn: dict[str, Values], rows: Rows, groupings: Sequence[Grouping], is_flagged: NDArray[np.bool_]
) -> None:
    """Put Fairlearn's figures in the place of ours, where it has such: of the groups, on the rows as they are.

    Of a few figures shown, resamples are counted from score bins: they are set about the figure by as much as that is off.
    """
    cells, first = rows.cells(is_flagged), 0
    for g in groupings:
        here = slice(first, first + len(g.levels))
        first += g.n_cells
        of_rows = metrics.points(cells, pd.Series(g.codes[cells["subject"]], name="group"))
        of_ranks = metrics.ranking(rows.label, rows.probability, pd.Series(g.codes[rows.subject], name="group"))
        for table in (of_rows, of_ranks):
            for name in table.columns:
                of = drawn[str(name)]
                if name in metrics.OF_BINS:
                    off = metrics.ratio(table[name].to_numpy(), of[0, here])
                    of[1:, here] *= np.where(np.isfinite(off), off, 1.0)
                of[0, here] = table[name]


def _figures(cells: pd.DataFrame, drawn: Mapping[str, Values]) -> pd.DataFrame:
    """`cell, metric, value, low, high` of every group."""
    kept = ~cells["is_rest"].to_numpy()
    found, told = [], cells[kept]
    for name in metrics.METRICS:
        resampled = drawn[name][1:, kept]
        if name in metrics.DISTANCES:
            low, high = bootstrap.around(drawn[name][0, kept], resampled)
        else:
            low, high = bootstrap.interval(resampled, metrics.carriers(name, told))
        of = {"cell": told["cell"], "metric": name, "value": drawn[name][0, kept], "low": low, "high": high}
        found.append(pd.DataFrame(of))
    return pd.concat(found, ignore_index=True)


def _told(judged: pd.DataFrame) -> pd.DataFrame:
    """`VERDICTS` of each comparison; its counts are those of the smaller side, which limits what it can tell."""
    counts = {name: judged[[name, f"reference_{name}"]].min(axis=1) for name in ("n_subjects", "n_event_subjects")}
    return judged.assign(**counts)[list(VERDICTS)]
