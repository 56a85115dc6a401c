"""Early-warning indicators of a transition: rolling variance and lag-1 autocorrelation around the trend, and their rise.

A system that loses its stability recovers more slowly, so that its fluctuations grow and resemble those just before
(Dakos 2012). On complete series the figures are those of ewstools with Gaussian detrending, bandwidth 0.2 and a rolling
window of half the series; gaps take part neither in the trend nor in a variance, and only valid pairs in a correlation.
"""

import bottleneck as bn
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from features.measures import Pattern, PatternFeature, Values

# Of the series' length, with the quartiles of the kernel a quarter of it from its middle.
BANDWIDTH = 0.2
QUARTILE_OF_NORMAL = 0.675
# Length of the rolling window in the series' length; and in it, the least share of days or pairs that is valid, as well
# as the least share of rolling windows that have a value.
ROLLING, FEWEST_SHARE = 0.5, 0.5
# Residuals that are nothing but rounding, in the largest value of the series; their variance, in that of all of them.
ROUNDING = 1e-9


def early_warning(days: Values) -> tuple[Values, Values, Values, Values]:
    """How much and how persistently a measure fluctuates around its trend of late, and whether both have been rising.

    Args:
        days: of shape (n_rows, n_days, 1), oldest day first, NaN where unknown.

    Returns:
        Four arrays of shape (n_rows,): variance (n - 1) and lag-1 autocorrelation of the newest half of the series, and
        Kendall's tau-b of each over all rolling halves: 1 when always rising. Missing where less than half of the days,
        or of the rolling halves, are valid; all but the variance also where nothing fluctuates.
    """
    residuals = detrended(days[:, :, 0])
    length = int(ROLLING * residuals.shape[1])
    variances, autocorrelations = rolling_variance(residuals, length), rolling_autocorrelation(residuals, length)
    return variances[:, -1], autocorrelations[:, -1], kendall_tau(variances), kendall_tau(autocorrelations)


def detrended(values: Values) -> Values:
    """Each value less the Gaussian-weighted mean of the valid days around it; shape (n_rows, n_days) in and out."""
    is_valid = np.isfinite(values)
    filled = np.where(is_valid, values, 0.0)
    sigma = 0.25 / QUARTILE_OF_NORMAL * BANDWIDTH * values.shape[1]
    weighted, weights = (
        gaussian_filter1d(part, sigma, axis=1, mode="reflect") for part in (filled, is_valid.astype(np.float64))
    )
    residuals = np.where(is_valid, filled - weighted / np.where(is_valid, weights, 1.0), np.nan)
    is_rounding = np.abs(residuals) <= ROUNDING * np.abs(filled).max(axis=1, keepdims=True)
    return np.where(is_rounding, 0.0, residuals)


def rolling_variance(residuals: Values, length: int) -> Values:
    """Variance (n - 1) over each `length` days in a row, oldest first, of shape (n_rows, n_days - length + 1)."""
    n, total, squares = (_rolling_sum(part, length) for part in _moments(residuals))
    deviation = squares - total**2 / np.maximum(n, 1)
    # Sums that run along leave a rest where nothing fluctuates any more.
    deviation = np.where(deviation > ROUNDING * np.nansum(residuals**2, axis=1, keepdims=True), deviation, 0.0)
    return np.where(n >= max(FEWEST_SHARE * length, 2), deviation / np.maximum(n - 1, 1), np.nan)


def rolling_autocorrelation(residuals: Values, length: int) -> Values:
    """Correlation of each day with the next over the valid pairs of each `length` days in a row, shape as the variance's."""
    is_pair = np.isfinite(residuals[:, 1:]) & np.isfinite(residuals[:, :-1])
    before, after = (np.where(is_pair, part, np.nan) for part in (residuals[:, :-1], residuals[:, 1:]))
    n, total, squares = (_rolling_sum(part, length - 1) for part in _moments(before))
    _, total_after, squares_after = (_rolling_sum(part, length - 1) for part in _moments(after))
    pairs = np.maximum(n, 1)
    products = _rolling_sum(np.nan_to_num(before * after), length - 1) - total * total_after / pairs
    deviations = squares - total**2 / pairs, squares_after - total_after**2 / pairs
    least = ROUNDING * np.nansum(residuals**2, axis=1, keepdims=True)
    varies = (deviations[0] > least) & (deviations[1] > least) & (n >= max(FEWEST_SHARE * (length - 1), 3))
    spread = np.sqrt(np.where(varies, deviations[0] * deviations[1], 1.0))
    return np.where(varies, products / spread, np.nan)


def kendall_tau(series: Values) -> Values:
    """Kendall's tau-b of each row with time: 1 always rising, -1 always falling; shape (n_rows, n) to (n_rows,).

    Missing where fewer than half of the values are valid, or none differs.
    """
    rising, tied, pairs = (np.zeros(len(series)) for _ in range(3))
    for lag in range(1, series.shape[1]):
        step = series[:, lag:] - series[:, :-lag]
        rising += np.nansum(np.sign(step), axis=1)
        tied += (step == 0).sum(axis=1)
        pairs += np.isfinite(step).sum(axis=1)
    is_given = (np.isfinite(series).sum(axis=1) >= FEWEST_SHARE * series.shape[1]) & (pairs > tied)
    return np.where(is_given, rising / np.sqrt(np.where(is_given, pairs * (pairs - tied), 1.0)), np.nan)


def _moments(values: Values) -> tuple[Values, Values, Values]:
    """Valid, value and square of each day, 0 where unknown."""
    filled = np.nan_to_num(values)
    return np.isfinite(values).astype(np.float64), filled, filled * filled


def _rolling_sum(values: Values, length: int) -> Values:
    sums: NDArray[np.float64] = bn.move_sum(values, length, axis=1)[:, length - 1 :]
    return sums


def _pattern(measure: str, squared: str, words: str) -> Pattern:
    def figure(name: str, unit: str, words: str, formula: str) -> PatternFeature:
        minimum = "half of the days and of the rolling windows valid"
        return PatternFeature(f"early_warning_{measure}_{name}", unit, words, formula, "Dakos 2012", minimum)

    around = "around its Gaussian trend (bandwidth 0.2)"
    return Pattern(
        (measure,),
        early_warning,
        (
            figure("variance", squared, f"how much {words} fluctuated of late", f"variance {around}, newest half"),
            figure("autocorrelation", "1", f"how slowly {words} recovered of late (0 at once, 1 never)",
                   f"lag-1 autocorrelation {around}, newest half, valid pairs"),
            figure("variance_rise", "1", f"whether {words} fluctuated more and more (1 ever more, -1 ever less)",
                   f"Kendall's tau-b with time of the variance {around} in rolling halves"),
            figure("autocorrelation_rise", "1", f"whether {words} recovered ever more slowly (1 ever more, -1 ever less)",
                   f"Kendall's tau-b with time of the lag-1 autocorrelation {around} in rolling halves"),
        ),
        (28, 90),
        measure,
        has_own_past=False,
    )  # fmt: skip


PATTERNS = (
    _pattern("mood_valence", "(share of scale)^2", "mood"),
    _pattern("sleep_duration", "min^2", "sleep duration"),
    _pattern("activity_steps", "steps^2", "the number of steps"),
)
