"""The feature matrix for given index dates: the one path from day panel to features, in training and at night."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from features import baseline, circular, history, pattern_past
from features.catalog import STANDARD, Catalog
from features.checks import checked_days, checked_index, checked_restarts
from features.days import with_has_data
from features.errors import FeaturesError
from features.feature import distance_name, feature_name, kinds
from features.grid import DAYS_PER_ROW, DayGrid, Places, Sheet, SubjectDays, Values
from features.measures import AGAINST_PAST, HAS_DATA, SINCE_RECEIPT, WEEKDAY, WINDOWS, Measure, Pattern
from features.windows import Windows

# What fits the processor's cache: subjects whose days lie side by side, or index rows that stand alone.
SUBJECTS_AT_ONCE, ROWS_AT_ONCE = 64, 512
NO_RESTARTS = pd.DataFrame({"subject_id": pd.Series(dtype="str"), "stream": pd.Series(dtype="str"),
                            "measure": pd.Series(dtype="str"), "on_date": pd.Series(dtype="datetime64[us]"),
                            "known_on": pd.Series(dtype="datetime64[us]")})  # fmt: skip


# Place in the matrix, statistic, window.
Wanted = list[tuple[int, str, int]]
# With its window, and for each of its figures the place in the matrix, -1 where it is not asked for.
WantedPattern = tuple[Pattern, int, list[int]]


@dataclass(frozen=True)
class _Asked:
    """The wanted features by how they are computed, each with its place in the matrix."""

    linear: list[tuple[Measure, Wanted]]
    circular: list[tuple[Measure, Wanted]]
    patterns: list[WantedPattern]
    pattern_pasts: list[tuple[WantedPattern, list[Measure]]]
    distances: list[tuple[int, int]]
    together: list[Measure]
    history: list[tuple[int, str]]

    @property
    def lookback(self) -> int:
        """Days before an index date that any of them sees: the longest window, and the past before one."""
        pasts = [w for _, wanted in (*self.linear, *self.circular) for _, kind, w in wanted if kind in AGAINST_PAST]
        pasts += [window for _, window in self.distances]
        pasts += [window for (_, window, _), _ in self.pattern_pasts]
        return max(*WINDOWS, *(window + baseline.PAST_DAYS for window in pasts))


def build_matrix(
    days: pd.DataFrame, event_days: pd.DataFrame, subjects: pd.DataFrame, index: pd.DataFrame,
    merge_within_days: int = 7, features: Sequence[str] | None = None, catalog: Catalog = STANDARD,
    restarts: pd.DataFrame = NO_RESTARTS, threads: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Features of each index row from what was known at its cutoff.

    Args:
        days: the bitemporal day panel (`days.build_days`), in any order.
        event_days: `subject_id, event_on, known_on` of the outcome's events.
        subjects: `subject_id, enrolled_on`, one row each; where the day was corrected one more for each `known_on`, the
            index date from which on it counts.
        index: `subject_id, index_date`, unique, in any order.
        merge_within_days: events closer than this are one episode.
        features: names of features or families of the catalogue, in any order; those that are on by default, and tenure,
            unless given.
        catalog: what the names mean; `STANDARD.with_signals(...)` where signals are declared.
        restarts: `subject_id, stream, measure, on_date, known_on` (`flags.restarts_of`): where a past begins anew.
        threads: how many portions of subjects are worked on at a time; the result is the same.

    Returns:
        The index, sorted, and one float64 column per feature, NaN where the minimum data are not met.

    Raises:
        FeaturesError: a table is none, a column is missing or no measure, a key is repeated or no civil day, values are
            infinite, the index names subjects that `subjects` lacks, a name is no feature, or there is no thread.
    """
    if threads < 1:
        raise FeaturesError("`threads` is less than 1. Give at least 1.")
    names = list(catalog.chosen(("tenure",))) if features is None else catalog.asked(features)
    index, enrolled_on = checked_index(index, subjects, event_days)
    versions, restarts = _checked_versions(days, catalog), checked_restarts(restarts)
    asked = _asked(catalog, names)
    out = np.full((len(names), len(index)), np.nan)
    portions = list(_portions(versions, index, asked.lookback))

    def fill(portion: tuple[slice, slice]) -> None:
        of_days, of_index = portion
        grid = DayGrid(versions[of_days], index.iloc[of_index], restarts, enrolled_on.iloc[of_index],
                       asked.lookback)  # fmt: skip
        _fill(grid, asked, out[:, of_index])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, portions))
    if asked.history:
        past = history.history(event_days, index, enrolled_on, merge_within_days)
        for place, name in asked.history:
            out[place] = past[name].to_numpy()
    return pd.concat([index, pd.DataFrame(out.T, columns=names, copy=False)], axis=1)


def _checked_versions(days: pd.DataFrame, catalog: Catalog) -> SubjectDays:
    """The day panel as versions of subject-days, and which of them hold data at all."""
    versions = checked_days(days, _columns(catalog))
    if HAS_DATA in days:
        return versions
    return replace(versions, measures={**versions.measures, HAS_DATA: with_has_data(days)[HAS_DATA].to_numpy()})


def _columns(catalog: Catalog) -> set[str]:
    """What of the day panel any feature is made of."""
    made_of = {HAS_DATA, *(measure.name for measure in catalog.measures)}
    return made_of.union(*(pattern.columns for pattern in catalog.patterns)) - {WEEKDAY, SINCE_RECEIPT}


@dataclass(frozen=True)
class Needs:
    """What of the day panel some features are computed from.

    Args:
        columns: names, beside the key, with how many days before an index date are seen of each.
        lookback: the most of them.
    """

    columns: dict[str, int]
    lookback: int


def needs_of(features: Sequence[str], catalog: Catalog = STANDARD) -> Needs:
    """What of the day panel must be at hand for some features."""
    asked, past = _asked(catalog, list(features)), baseline.PAST_DAYS
    seen = [(HAS_DATA, asked.lookback)]
    seen += [(measure.name, window + past * (kind in AGAINST_PAST))
             for measure, wanted in (*asked.linear, *asked.circular) for _, kind, window in wanted]  # fmt: skip
    seen += [(measure.name, window + past) for _, window in asked.distances for measure in asked.together]
    seen += [(column, window) for pattern, window, _ in asked.patterns for column in pattern.columns]
    seen += [(column, window + past) for (pattern, window, _), _ in asked.pattern_pasts for column in pattern.columns]
    # Of a name that comes several times the last one stays, which sees the most.
    columns = {name: days for name, days in sorted(seen) if name not in (WEEKDAY, SINCE_RECEIPT)}
    return Needs(columns, asked.lookback)


def _asked(catalog: Catalog, names: list[str]) -> _Asked:
    place = {name: k for k, name in enumerate(names)}
    measures = []
    for measure in catalog.measures:
        wanted = [(place[name], kind, window) for kind in kinds(measure) for window in WINDOWS
                  if (name := feature_name(measure.name, kind, window, measure.unit)) in place]  # fmt: skip
        if wanted:
            measures.append((measure, wanted))
    patterns, pasts = (_asked_patterns(catalog, place, kind) for kind in ("", "z"))
    return _Asked(
        linear=[(measure, wanted) for measure, wanted in measures if not measure.is_circular],
        circular=[(measure, wanted) for measure, wanted in measures if measure.is_circular],
        patterns=patterns,
        pattern_pasts=[(past, [m for m in catalog.measures if m.name in past[0].restarts_with]) for past in pasts],
        distances=[(place[name], window) for window in WINDOWS if (name := distance_name(window)) in place],
        together=[measure for measure in catalog.measures if measure.name in baseline.TOGETHER],
        history=[(place[name], name) for name in history.NAMES if name in place],
    )


def _asked_patterns(catalog: Catalog, place: dict[str, int], kind: str) -> list[WantedPattern]:
    patterns = ((pattern, window, [place.get(feature_name(f.name, kind, window, f.unit), -1) for f in pattern.features])
                for pattern in catalog.patterns for window in pattern.windows)  # fmt: skip
    return [wanted for wanted in patterns if max(wanted[2]) >= 0]


def _portions(days: SubjectDays, index: pd.DataFrame, lookback: int) -> Iterator[tuple[slice, slice]]:
    """Rows of days and of the index of some subjects at a time."""
    rows_of_index, names = pd.factorize(index["subject_id"])
    rows_of_days = names.get_indexer(days.names)[days.subject]
    of_days, of_index = (
        np.searchsorted(rows, np.arange(len(names) + 1)) for rows in (_filled(rows_of_days), rows_of_index)
    )
    span = int((index["index_date"].max() - index["index_date"].min()).days) + lookback
    size = SUBJECTS_AT_ONCE if len(index) * DAYS_PER_ROW >= len(names) * span else ROWS_AT_ONCE
    for start in range(0, len(names), size):
        stop = min(start + size, len(names))
        yield slice(of_days[start], of_days[stop]), slice(of_index[start], of_index[stop])


def _filled(places: Places) -> Places:
    """Places of sorted names among sorted others, those of strangers taken from the one before, so that they rise."""
    filled: Places = np.maximum.accumulate(places) if len(places) else places
    return filled


def _fill(grid: DayGrid, asked: _Asked, out: Values) -> None:
    """Every feature of the grid's index rows but their history, into a matrix of shape (n_features, n_rows)."""
    for sheet in grid.sheets(ROWS_AT_ONCE):
        windows = Windows(sheet.ends, WINDOWS, sheet.panel_rows.shape[1])
        for measure, wanted in asked.linear:
            _linear(grid, sheet, windows, measure, wanted, out)
    if not (asked.circular or asked.patterns or asked.pattern_pasts or asked.distances):
        return
    for start in range(0, out.shape[1], ROWS_AT_ONCE):
        sheet = grid.alone(np.arange(start, min(start + ROWS_AT_ONCE, out.shape[1])))
        windows = Windows(sheet.ends, WINDOWS, sheet.panel_rows.shape[1])
        for measure, wanted in asked.circular:
            _circular(grid, sheet, windows, measure, wanted, out)
        for place, window in asked.distances:
            out[place, sheet.answers] = _distance(grid, sheet, windows, asked.together, window)
        for pattern, window, places in asked.patterns:
            _put(pattern.compute(grid.pattern_values(sheet, window, pattern.columns)), places, sheet, out)
        for (pattern, window, places), measures in asked.pattern_pasts:
            _put(pattern_past.robust_z(grid, sheet, pattern, window, measures), places, sheet, out)


def _put(figures: Sequence[Values], places: list[int], sheet: Sheet, out: Values) -> None:
    for place, value in zip(places, figures, strict=True):
        if place >= 0:
            out[place, sheet.answers] = value


def _linear(grid: DayGrid, sheet: Sheet, windows: Windows, measure: Measure, wanted: Wanted, out: Values) -> None:
    values = grid.column(measure.name)[sheet.panel_rows]
    found = windows.of(values, {kind for _, kind, _ in wanted})
    compared = {window for _, kind, window in wanted if kind in AGAINST_PAST}
    usual = baseline.past(values, sheet.ends, compared, sheet.begins_of(measure)) if compared else {}
    for place, kind, window in wanted:
        at = found[window]
        if kind == "coverage":
            out[place, sheet.answers] = _coverage(at.n[sheet.end, sheet.series], window, grid.observable[sheet.answers])
        else:
            value = at.statistic("mean" if kind in AGAINST_PAST else kind, WINDOWS[window])
            if kind in AGAINST_PAST:
                value = _against_past(kind, value, usual[window], measure)
            out[place, sheet.answers] = value[sheet.end, sheet.series]


def _against_past(kind: str, recent: Values, usual: baseline.Past, measure: Measure) -> Values:
    """How far a recent mean lies from the own past, in standard deviations or in the measure's unit."""
    return recent - usual.median if kind == "shift" else baseline.robust_z(recent, usual, measure.usual_spread)


def _coverage(n: Values, window: int, observable: Places) -> Values:
    """Share of the days since enrolment that are valid; a subject's past before enrolment may count, never above 1."""
    share: Values = np.minimum(n / np.clip(observable, 1, window), 1.0)
    return share


def _circular(grid: DayGrid, sheet: Sheet, windows: Windows, measure: Measure, wanted: Wanted, out: Values) -> None:
    """Clock times: mean and spread of angles. All series of the sheet end on the same day."""
    hours = grid.column(measure.name)[sheet.panel_rows]
    east, north = ({w: at.statistic("mean", WINDOWS[w]) for w, at in windows.of(hand, ()).items()}
                   for hand in circular.hand(hours))  # fmt: skip
    found = windows.of(hours, ("last",))
    begins = sheet.begins_of(measure) if any(kind in AGAINST_PAST for _, kind, _ in wanted) else None
    for place, kind, window in wanted:
        if kind == "coverage":
            value = _coverage(found[window].n, window, grid.observable[sheet.answers])
        elif kind == "last":
            value = found[window].statistic("last", 1)
        elif kind == "sd":
            value = circular.sd(east[window], north[window])
        else:
            value = circular.mean(east[window], north[window])
        if kind in AGAINST_PAST:
            # Seen from the recent mean, so that no clock time lies across midnight from it.
            recent = np.where(np.isfinite(value), 0.0, np.nan)
            usual = baseline.past(circular.apart(hours, value), sheet.ends, (window,), begins)[window]
            value = _against_past(kind, recent, usual, measure)
        out[place, sheet.answers] = value[0]


def _distance(grid: DayGrid, sheet: Sheet, windows: Windows, together: list[Measure], window: int) -> Values:
    """How unusual the last days were in several measures at once, against the 90 days before them."""
    days, recent = [], []
    for measure in together:
        values, begins = grid.column(measure.name)[sheet.panel_rows], sheet.begins_of(measure)
        mean = windows.of(values, ())[window].statistic("mean", WINDOWS[window])
        usual = baseline.past(values, sheet.ends, (window,), begins)[window]
        scale = baseline.spread(usual, measure.usual_spread)
        own = baseline.since_begin(values, begins)[-window - baseline.PAST_DAYS : -window]
        days.append((own - usual.median) / scale)
        recent.append(((mean - usual.median) / scale)[0])
    return baseline.distance(np.stack(recent, axis=1), np.stack(days, axis=2).transpose(1, 0, 2))
