"""How fast trailing windows are, beside pandas, bottleneck, tsfresh and a bare copy of the same size: `make bench`.

A value is one statistic of one window at one day of one subject; millions of them a second are in `extra_info`.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from warnings import catch_warnings, simplefilter

import bottleneck as bn
import numpy as np
import pandas as pd
import pytest

from features import baseline
from features.measures import WINDOWS
from features.windows import Windows

SUBJECTS, DAYS, MEASURES, TOGETHER, THREADS = 256, 365, 8, 64, 2
MOMENTS, TREND = ("mean", "sd"), ("mean", "sd", "slope", "rmssd")
FIRST = max(WINDOWS)
ENDS = np.arange(FIRST, DAYS + 1)


@pytest.fixture(scope="module")
def grid() -> np.ndarray:
    """Measures by days by subjects, a tenth of them missing."""
    rng = np.random.default_rng(1)
    values = rng.normal(50, 5, (MEASURES, DAYS, SUBJECTS))
    values[rng.random(values.shape) < 0.1] = np.nan
    return values


@pytest.fixture(scope="module")
def panel(grid: np.ndarray) -> pd.api.typing.DataFrameGroupBy:
    """The same as pandas has it: long, a column per measure, grouped by subject."""
    columns = {f"measure_{k}": values.T.reshape(-1) for k, values in enumerate(grid)}
    return pd.DataFrame({"subject": np.repeat(np.arange(SUBJECTS), DAYS), **columns}).groupby("subject")


def measured(benchmark, work: Callable[[], object], values: int, rounds: int = 5) -> None:
    """Run and note how many million values a second that was, at best."""
    benchmark.pedantic(work, rounds=rounds, warmup_rounds=1)
    benchmark.extra_info["million_values_per_s"] = round(values / benchmark.stats.stats.min / 1e6, 3)


def in_portions(grid: np.ndarray, work: Callable[[np.ndarray], object]) -> list[object]:
    """As the matrix does it: some subjects at a time, two portions at once."""
    portions = [np.ascontiguousarray(grid[..., start : start + TOGETHER]) for start in range(0, SUBJECTS, TOGETHER)]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, portions))


def moments_of(grid: np.ndarray, statistics: tuple[str, ...]) -> Callable[[], object]:
    """All statistics of all windows at every day."""

    def portion(measures: np.ndarray) -> None:
        windows = Windows(ENDS, WINDOWS, measures.shape[2])
        for values in measures:
            found = windows.of(values, statistics)
            for window, fewest in WINDOWS.items():
                for name in statistics:
                    found[window].statistic(name, fewest)

    return lambda: in_portions(grid, portion)


def n_values(statistics: tuple[str, ...]) -> int:
    """Statistics x windows x measures x days x subjects."""
    return len(statistics) * len(WINDOWS) * MEASURES * len(ENDS) * SUBJECTS


@pytest.mark.benchmark(group="mean and SD, 5 windows, 8 measures of 93,440 subject-days")
def test_moments(benchmark, grid):
    """The goal is 150 million values a second on two idle cores."""
    measured(benchmark, moments_of(grid, MOMENTS), n_values(MOMENTS))


@pytest.mark.benchmark(group="mean and SD, 5 windows, 8 measures of 93,440 subject-days")
def test_moments_by_pandas(benchmark, panel):
    """The peer: groupby.rolling, which knows nothing of what was known when."""

    def rolling() -> None:
        for window, fewest in WINDOWS.items():
            rolled = panel.rolling(window, min_periods=fewest)
            rolled.mean(), rolled.std()

    measured(benchmark, rolling, len(MOMENTS) * len(WINDOWS) * MEASURES * DAYS * SUBJECTS, rounds=1)


@pytest.mark.benchmark(group="mean and SD, 5 windows, 8 measures of 93,440 subject-days")
def test_a_bare_copy_of_as_many_values(benchmark):
    """The limit: memory to memory, one core."""
    source = np.ones(n_values(MOMENTS))
    out = np.empty_like(source)
    measured(benchmark, lambda: np.copyto(out, source), n_values(MOMENTS))


@pytest.mark.benchmark(group="mean, SD, slope and RMSSD, 5 windows, 8 measures of 93,440 subject-days")
def test_moments_and_trends(benchmark, grid):
    """Least-squares slopes and day-to-day changes come from the same blocks of days."""
    measured(benchmark, moments_of(grid, TREND), n_values(TREND))


@pytest.mark.benchmark(group="median and MAD of 90 days, 8 measures of 93,440 subject-days")
def test_medians_and_deviations(benchmark, grid):
    """The goal is 20 million values a second on two idle cores."""

    def portion(measures: np.ndarray) -> None:
        for values in measures:
            baseline.past(values, ENDS, (0,))

    measured(benchmark, lambda: in_portions(grid, portion), 2 * MEASURES * len(ENDS) * SUBJECTS)


@pytest.mark.benchmark(group="median and MAD of 90 days, 8 measures of 93,440 subject-days")
def test_medians_by_pandas(benchmark, panel):
    """Medians alone, which pandas computes itself."""
    measured(benchmark, lambda: panel.rolling(90, min_periods=1).median(), MEASURES * DAYS * SUBJECTS, rounds=1)


@pytest.mark.benchmark(group="median and MAD of 90 days, 8 measures of 93,440 subject-days")
def test_medians_and_deviations_by_pandas(benchmark, grid):
    """The peer: pandas has no MAD, so a function is called at every day; a small part is measured."""
    few = 4
    columns = {"subject": np.repeat(np.arange(few), DAYS), "measure": grid[0, :, :few].T.reshape(-1)}
    rolled = pd.DataFrame(columns).groupby("subject").rolling(90, min_periods=1)

    def deviation(days: np.ndarray) -> float:
        return float(np.nanmedian(np.abs(days - np.nanmedian(days))))

    def both() -> None:
        rolled.median(), rolled.apply(deviation, raw=True)

    measured(benchmark, both, 2 * DAYS * few, rounds=1)


@pytest.mark.benchmark(group="median and MAD of 90 days, 8 measures of 93,440 subject-days")
def test_medians_by_bottleneck(benchmark, grid):
    """Medians alone, in C."""
    by_subject = np.ascontiguousarray(grid.swapaxes(1, 2))
    measured(benchmark, lambda: bn.move_median(by_subject, 90, min_count=1, axis=2), MEASURES * DAYS * SUBJECTS)


@pytest.mark.benchmark(group="mean, SD and median of 28 days by tsfresh, 270 subject-days")
def test_windows_by_tsfresh(benchmark, grid):
    """A library of features: every window becomes a frame of its own, so the part measured is small."""
    with catch_warnings():
        simplefilter("ignore")
        from tsfresh import extract_features
        from tsfresh.utilities.dataframe_functions import roll_time_series

        few = pd.DataFrame({"id": np.repeat(np.arange(5), 60), "time": np.tile(np.arange(60), 5),
                            "value": np.nan_to_num(grid[0, :60, :5]).T.reshape(-1)})  # fmt: skip
        quiet = {"column_id": "id", "column_sort": "time", "disable_progressbar": True, "n_jobs": 0}
        wanted = {"mean": None, "standard_deviation": None, "median": None}

        def extract() -> pd.DataFrame:
            rolled = roll_time_series(few, max_timeshift=27, min_timeshift=6, **quiet)
            return extract_features(rolled, default_fc_parameters=wanted, **quiet)

        measured(benchmark, extract, extract().size, rounds=1)
