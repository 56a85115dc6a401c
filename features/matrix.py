"""The feature matrix for given index dates: the one path from day panel to features, in training and at night."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from features import adherence, baseline, circadian, history, windows
from features.catalog import FEATURES, MEASURES, feature_name
from features.errors import FeaturesError
from features.hours import HOUR_COLUMNS
from features.measures import LONG, PAST, SHORT, STATISTICS, Measure
from features.windows import DayGrid, Rows, Values

ROWS_PER_CHUNK = 4096
REDUCTIONS: dict[str, Callable[[Values, int], Values]] = {
    "mean": windows.mean, "sd": windows.sd, "slope": windows.slope, "rmssd": windows.rmssd,
}  # fmt: skip
CIRCULAR = {"mean": windows.circular_mean, "sd": windows.circular_sd}


def build_matrix(
    days: pd.DataFrame,
    event_days: pd.DataFrame,
    subjects: pd.DataFrame,
    index: pd.DataFrame,
    merge_within_days: int = 7,
) -> pd.DataFrame:
    """Features of each index row from what was known at its cutoff.

    Args:
        days: the bitemporal day panel (`days.build_days`).
        event_days: `subject_id, event_on, known_on` of the outcome's events.
        subjects: `subject_id, enrolled_on`, one row each.
        index: `subject_id, index_date`, unique.
        merge_within_days: events closer than this are one episode.

    Returns:
        The index, sorted, and one float64 column per feature of the catalogue, NaN where the minimum data are not met.

    Raises:
        FeaturesError: a column is missing, the index has duplicates, or names subjects that `subjects` lacks.
    """
    _check(days, event_days, subjects, index)
    index = index[["subject_id", "index_date"]].sort_values(["subject_id", "index_date"], ignore_index=True)
    enrolled = subjects.set_index("subject_id")["enrolled_on"]
    grid = DayGrid(days)
    observable: Rows = (index["index_date"] - index["subject_id"].map(enrolled)).dt.days.to_numpy().astype(np.int64)
    columns: dict[str, list[Values]] = {}
    for start in range(0, len(index), ROWS_PER_CHUNK):
        part = slice(start, start + ROWS_PER_CHUNK)
        rows = grid.rows(index["subject_id"].iloc[part], index["index_date"].iloc[part], PAST)
        for name, values in _chunk(grid, rows, observable[part]).items():
            columns.setdefault(name, []).append(values)
    built = {name: np.concatenate(parts) for name, parts in columns.items()}
    past = history.history(event_days, index, enrolled, merge_within_days)
    built |= {name: past[name].to_numpy() for name in past.columns}
    names = [feature.name for feature in FEATURES]
    return pd.concat(
        [index, pd.DataFrame({name: built[name] for name in names} if built else {}, columns=names)], axis=1
    )


def _check(days: pd.DataFrame, event_days: pd.DataFrame, subjects: pd.DataFrame, index: pd.DataFrame) -> None:
    for name, frame, needed in (
        ("days", days, ("subject_id", "local_date", "known_on")),
        ("event_days", event_days, ("subject_id", "event_on", "known_on")),
        ("subjects", subjects, ("subject_id", "enrolled_on")),
        ("index", index, ("subject_id", "index_date")),
    ):
        missing = [column for column in needed if column not in frame.columns]
        if missing:
            raise FeaturesError(f"`{name}` lacks the columns {', '.join(missing)}. Add them.")
    if index.empty:
        raise FeaturesError("`index` is empty: there is no subject and date to build features for.")
    for name, repeated in (
        ("index", index.duplicated(["subject_id", "index_date"]).sum()),
        ("subjects", subjects["subject_id"].duplicated().sum()),
    ):
        if repeated:
            raise FeaturesError(f"`{name}` repeats {int(repeated)} of its rows' keys. Drop the duplicates.")
    strangers = int((~index["subject_id"].isin(subjects["subject_id"])).sum())
    if strangers:
        raise FeaturesError(
            f"`index` has {strangers} rows of subjects that `subjects` lacks. Add them or drop the rows."
        )


def _chunk(grid: DayGrid, rows: Rows, observable: Rows) -> dict[str, Values]:
    """All windowed features of one chunk of index rows."""
    result: dict[str, Values] = {}
    for measure in MEASURES:
        if measure.name in grid.days.columns:
            result |= _measure(measure, grid.values(measure.name)[rows])
        else:
            result |= {feature_name(measure, s): np.full(len(rows), np.nan) for s in measure.statistics}
    return result | _assessments(grid, rows) | _circadian(grid, rows) | _adherence(grid, rows, observable)


def _measure(measure: Measure, values: Values) -> dict[str, Values]:
    return {
        feature_name(measure, statistic): _statistic(measure, statistic, values) for statistic in measure.statistics
    }


def _statistic(measure: Measure, statistic: str, values: Values) -> Values:
    window, fewest = STATISTICS[statistic]
    if statistic == "z_7d":
        return baseline.robust_z(windows.unwrapped(values) if measure.is_circular else values)
    if statistic == "last":
        return windows.last(values[:, :window])
    kind = statistic.split("_")[0]
    reduce = CIRCULAR[kind] if measure.is_circular else REDUCTIONS[kind]
    return reduce(np.ascontiguousarray(values[:, :window]), fewest)


def _assessments(grid: DayGrid, rows: Rows) -> dict[str, Values]:
    result = {}
    for name in ("phq_9", "gad_7"):
        column = f"mood_{name}"
        values = grid.values(column)[rows] if column in grid.days.columns else np.full(rows.shape, np.nan)
        newest = windows.last(values)
        before = values.copy()
        found = np.isfinite(values)
        before[np.arange(len(values)), found.argmax(axis=1)] = np.nan
        result[f"{column}_last_90d"] = newest
        result[f"{column}_change_90d"] = newest - windows.mean(before, 1)
    return result


def _circadian(grid: DayGrid, rows: Rows) -> dict[str, Values]:
    recent = rows[:, : circadian.WINDOW_DAYS][:, ::-1]  # oldest day first
    if HOUR_COLUMNS[0] in grid.days.columns:
        hours = np.stack([grid.values(column)[recent] for column in HOUR_COLUMNS], axis=2)
    else:
        hours = np.full((*recent.shape, circadian.HOURS), np.nan)
    l5, m10 = circadian.lowest_and_highest(hours)
    return {
        "circadian_stability_14d": circadian.interdaily_stability(hours),
        "circadian_variability_14d": circadian.intradaily_variability(hours),
        "circadian_l5_14d": l5,
        "circadian_m10_14d": m10,
        "circadian_amplitude_14d": circadian.relative_amplitude(l5, m10),
    }


def _adherence(grid: DayGrid, rows: Rows, observable: Rows) -> dict[str, Values]:
    has_data = grid.holds_data[rows[:, :LONG]] & (np.arange(LONG) < observable[:, None])
    return {
        "adherence_coverage_7d": adherence.coverage(has_data[:, :SHORT], np.minimum(observable, SHORT)),
        "adherence_coverage_28d": adherence.coverage(has_data, np.minimum(observable, LONG)),
        "adherence_days_since_data": adherence.days_since_data(has_data),
        "adherence_longest_gap_28d": adherence.longest_gap(has_data, np.minimum(observable, LONG)),
    }
