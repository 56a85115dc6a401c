"""Resampling subjects: every metric of every cell in all redrawn cohorts at once, from counts.

A resample changes how often each subject counts, and who is flagged; nothing else. So rows are sorted and coded once, and
a batch of resamples is one walk through them (`walks`): each step adds a short vector, one number a resample.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from models import resampling
from models.calibration import log_odds
from models.fairness import metrics, walks
from models.fairness.alerts import Flags
from models.fairness.groups import Grouping
from models.fairness.metrics import Sums
from models.fairness.rows import Places, Rows, Values
from models.fairness.walks import Walk

Weights = NDArray[np.int32]
# For AUPRC, slope and distances, which are shown and not judged; ranks are counted exactly.
SCORE_BINS = 512
# Resamples in one walk: their running sums stay in the processor's caches.
AT_ONCE = 32
FEWEST_DEFINED = 0.95


def draw(n_subjects: int, resamples: int, seed: int) -> Weights:
    """How often each subject counts: once each in the first column, then as drawn; shape (n_subjects, 1 + resamples)."""
    chances = np.full(n_subjects, 1 / n_subjects)
    drawn = np.random.default_rng(seed).multinomial(n_subjects, chances, size=resamples).T
    return np.hstack([np.ones((n_subjects, 1), np.int32), drawn.astype(np.int32)])


@dataclass(frozen=True)
class Division:
    """One way to divide units among cells: `level` of each, of shape (n_units,), then all but each level if `has_rest`."""

    level: Places
    n_levels: int
    has_rest: bool


@dataclass(frozen=True)
class View:
    """Which rows count, and the cells they are divided among.

    A unit is a subject, or the rows of a subject that lie in one part of the cohort's days. `unit` is of shape (n_rows,), -1
    for rows that do not count; `owner` of shape (n_units,) is the subject of each. Cells follow each other by division.
    """

    unit: Places
    owner: Places
    divisions: tuple[Division, ...]


def whole(rows: Rows, groupings: Sequence[Grouping]) -> View:
    """All rows, divided by each grouping."""
    divisions = tuple(Division(g.codes, len(g.levels), g.has_rest) for g in groupings)
    return View(rows.subject, np.arange(rows.n_subjects), divisions)


def in_parts(rows: Rows, groupings: Sequence[Grouping], part: Places, n_parts: int) -> View:
    """Rows by the part they lie in (-1: in none), each part divided by each grouping: cells by grouping, level, part."""
    unit = np.where(part >= 0, rows.subject * n_parts + part, -1)
    owner = np.repeat(np.arange(rows.n_subjects), n_parts)
    within = np.tile(np.arange(n_parts), rows.n_subjects)
    divisions = tuple(
        Division(g.codes[owner] * n_parts + within, len(g.levels) * n_parts, has_rest=False) for g in groupings
    )
    return View(unit, owner, divisions)


def resample(rows: Rows, flags: Flags, view: View, weights: Weights, *, with_scores: bool = True) -> dict[str, Values]:
    """Every metric of every cell under every weighting of subjects, shape (n_weightings, n_cells).

    Args:
        flags: whom the alert rule flags under each weighting.
        weights: of shape (n_subjects, n_weightings); see `draw`.
        with_scores: whether also what depends on scores beyond who is flagged (`metrics.OF_SCORES`).
    """
    tally = _Tally(rows, view, bin_scores(rows) if with_scores else None)
    found = [tally.metrics(flags, batch) for batch in _batches(weights)]
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def ahead(rows: Rows, flags: Flags, view: View, weights: Weights, least_days: int) -> Values:
    """Share of each cell's episodes flagged at least so many days before their onset, shape (n_weightings, n_cells)."""
    tally = _Tally(rows, view, None)
    walk = Walk.of(rows, view.unit, rows.days_ahead >= least_days)
    found = []
    for drawn in _batches(weights):
        caught, _ = walk.caught(flags.flagged(drawn), len(view.owner))
        found.append(metrics.ratio(tally.by_cell(caught), tally.by_cell(tally.n_episodes[:, None] * drawn[view.owner])))
    return np.concatenate([part.T for part in found])


def _batches(weights: Weights) -> Iterator[Weights]:
    for start in range(0, weights.shape[1], AT_ONCE):
        yield np.ascontiguousarray(weights[:, start : start + AT_ONCE])


class _Tally:
    """What stays the same over resamples."""

    def __init__(self, rows: Rows, view: View, bins: "Bins | None") -> None:
        self._rows, self._view, self._bins = rows, view, bins
        n_units = len(view.owner)
        self._counts = view.unit >= 0
        self._unit_if_positive = np.where(rows.label == 1, view.unit, -1)
        self._each = np.arange(len(rows.label))
        every = np.ones(len(rows.label), dtype=bool)
        self._episodes, self._quiet = Walk.of(rows, view.unit, every), Walk.of(rows, view.unit, rows.is_quiet)
        self.n_episodes = np.bincount(self._episodes.unit, minlength=n_units).astype(float)
        self._members = [
            sparse.csr_matrix((np.ones(n_units), (d.level, np.arange(n_units))), shape=(d.n_levels, n_units))
            for d in view.divisions
        ]
        squared = (rows.probability - rows.label) ** 2
        self._fixed = {
            name: self._by_unit(of)
            for name, of in (("rows", np.ones(len(squared))), ("positives", rows.label.astype(float)),
                             ("expected", rows.probability), ("squared", squared))
        }  # fmt: skip

    def _by_unit(self, values: Values) -> Values:
        return np.bincount(self._view.unit[self._counts], values[self._counts], len(self._view.owner)).astype(float)

    def by_cell(self, by_unit: Values) -> Values:
        """Sums over the units of each cell, shape (n_cells, n)."""
        parts = []
        for division, member in zip(self._view.divisions, self._members, strict=True):
            levels = member @ by_unit
            parts.append(levels)
            if division.has_rest:
                parts.append(levels.sum(axis=0) - levels)
        return np.concatenate(parts)

    def metrics(self, flags: Flags, weights: Weights) -> dict[str, Values]:
        """Every metric under each of a few weightings, shape (n_weightings, n_cells)."""
        chosen, n_units = flags.flagged(weights), len(self._view.owner)
        drawn = weights[self._view.owner].astype(float)
        flagged, caught = (np.zeros((n_units, weights.shape[1]), np.int32) for _ in range(2))
        walks.add(self._view.unit, self._each, chosen, flagged)
        walks.add(self._unit_if_positive, self._each, chosen, caught)
        episodes, days = self._episodes.caught(chosen, n_units)
        quiet, _ = self._quiet.caught(chosen, n_units)
        sums = Sums(
            **{name: self.by_cell(drawn * of[:, None]) for name, of in self._fixed.items()},
            flagged=self.by_cell(flagged.astype(float)), caught=self.by_cell(caught.astype(float)),
            episodes=self.by_cell(drawn * self.n_episodes[:, None]), episodes_caught=self.by_cell(episodes),
            days_ahead=self.by_cell(days), quiet_caught=self.by_cell(quiet),
        )  # fmt: skip
        found = metrics.rates(sums)
        unknown = () if self._rows.has_history else ("quiet_onset_yield",)
        for name in unknown if self._rows.has_dates else metrics.OF_DATES:
            found[name] = np.full_like(found["tpr"], np.nan)
        if self._bins is not None:
            parts = [self._of_scores(self._bins, division, weights) for division in self._view.divisions]
            found |= {name: np.concatenate([part[name] for part in parts]) for name in metrics.OF_SCORES}
        return {name: of.T for name, of in found.items()}

    def _of_scores(self, bins: "Bins", division: Division, weights: Weights) -> dict[str, Values]:
        """Metrics of whole score distributions by cell of one division, shape (n_cells of it, n)."""
        rows, n = self._rows, weights.shape[1]
        level = np.where(self._counts, division.level[self._view.unit], -1)
        place = np.where(level >= 0, level * SCORE_BINS + bins.place, -1)
        tables = []
        for where in (place, np.where(rows.label == 1, place, -1)):
            summed = np.zeros((division.n_levels * SCORE_BINS, n), np.int32)
            walks.add(where, rows.subject, weights, summed)
            table = summed.reshape(division.n_levels, SCORE_BINS, -1).transpose(0, 2, 1)
            tables.append(np.concatenate([table, table.sum(axis=0) - table]) if division.has_rest else table)
        size, positive = (of.reshape(-1, SCORE_BINS).astype(float) for of in tables)
        found = metrics.of_scores(size, positive, bins.log_odds, bins.score)
        pairs = [self._right_pairs(bins, level, division.n_levels, weights)]
        if division.has_rest:
            rests = (np.where(level == k, -1, np.minimum(level, 0)) for k in range(division.n_levels))
            pairs += [self._right_pairs(bins, rest, 1, weights) for rest in rests]
        total, events = size.sum(axis=1), positive.sum(axis=1)
        found["auroc"] = metrics.ratio(np.concatenate(pairs).reshape(-1), events * (total - events))
        return {name: of.reshape(len(tables[0]), -1) for name, of in found.items()}

    def _right_pairs(self, bins: "Bins", level: Places, n_levels: int, weights: Weights) -> Values:
        """Pairs of a positive and a negative row of one level ranked rightly, ties as half, shape (n_levels, n)."""
        rows, right = self._rows, np.zeros((n_levels, weights.shape[1]))
        walks.count_pairs(bins.order, bins.ties, level, rows.label, rows.subject, weights, np.zeros_like(right), right)
        return right


@dataclass(frozen=True)
class Bins:
    """Rows by rising score.

    `order` holds the rows so, `ties` where each run of equal scores begins, and the end; `place` is each row's bin; mean risk of
    each bin in `score`, and mean log-odds of merged ones in `log_odds` (see `metrics.of_scores`).
    """

    order: Places
    ties: Places
    place: Places
    score: Values
    log_odds: Values


def bin_scores(rows: Rows) -> Bins:
    """Sort the rows into `SCORE_BINS` bins of about as many rows each; equal scores share a bin, so some may be empty."""
    order = np.argsort(rows.probability, kind="stable")
    ordered = rows.probability[order]
    ties = np.append(np.flatnonzero(np.diff(ordered, prepend=-1.0)), len(ordered))
    place = np.searchsorted(ordered, rows.probability, side="left") * SCORE_BINS // len(ordered)
    size = np.bincount(place, minlength=SCORE_BINS).astype(float)
    summed = (np.bincount(place, of, SCORE_BINS) for of in (rows.probability, log_odds(rows.probability)))
    risk, odds = (of.astype(float) for of in summed)
    together = metrics.MERGED_FOR_SLOPES
    means = (_mean(risk, size), _mean(metrics.merged(odds, together), metrics.merged(size, together)))
    return Bins(order, ties, place, *means)


def _mean(total: Values, size: Values) -> Values:
    """Of bins without a row, which weigh nothing, 0."""
    return np.divide(total, size, out=np.zeros_like(total), where=size > 0)


def interval(resampled: Values, n: Places) -> tuple[Values, Values]:
    """95 % intervals from resamples (first axis), wide enough for so few: expanded percentiles (Hesterberg 2015).

    Plain percentiles of a sample of n are too narrow, as if its spread were known: by sqrt((n - 1) / n), and by a normal
    quantile where Student's is due. Percentiles further out mend both; with a hundred they are nearly 2.5 and 97.5.

    Args:
        resampled: of shape (n_resamples, n_figures).
        n: how many subjects carry each figure, of shape (n_figures,).

    Missing where under 95 % of the resamples are defined, or fewer than two subjects carry it.
    """
    ordered = np.sort(resampled, axis=0)
    defined = np.isfinite(resampled).sum(axis=0)
    is_known = (defined >= FEWEST_DEFINED * max(len(resampled), 1)) & (defined > 0) & (n > 1)
    few = np.maximum(n, 2)
    tail = stats.norm.sf(np.sqrt(few / (few - 1)) * stats.t.isf((1 - resampling.LEVEL) / 2, few - 1))
    ends = []
    for share in (tail, 1 - tail):
        place = share * np.maximum(defined - 1, 0)
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(defined - 1, 0))
        low, high = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (below, above))
        ends.append(np.where(is_known, low + (place - below) * (high - low), np.nan))
    return ends[0], ends[1]


def around(value: Values, resampled: Values) -> tuple[Values, Values]:
    """95 % intervals of distances, which are never below 0: the estimate and 1.96 bootstrap standard errors to both sides."""
    reach = stats.norm.isf((1 - resampling.LEVEL) / 2) * spread(resampled)
    return np.maximum(0.0, value - reach), value + reach


def spread(resampled: Values) -> Values:
    """The bootstrap standard error over the resamples (first axis); missing where fewer than two are defined."""
    n = np.isfinite(resampled).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(resampled, axis=0) / n
        squares = np.nansum((resampled - mean) ** 2, axis=0)
        return np.where(n > 1, np.sqrt(squares / (n - 1)), np.nan)
