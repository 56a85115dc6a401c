"""Patterns against their own past, computed on paper. z = n / (n + 7) (newest - median) / (1.4826 MAD)."""

import numpy as np
import pandas as pd
import pytest

from features.catalog import STANDARD
from features.errors import FeaturesError
from features.matrix import needs_of

NAN = np.nan
FIRST = "2026-03-01"
RATE = ["adherence_answer_rate_z_7d"]


def after(days: int) -> str:
    """The date so many days after the first."""
    return f"{pd.Timestamp(FIRST) + pd.Timedelta(days=days):%Y-%m-%d}"


def weeks(*rates: float) -> list[float | None]:
    """Answers of each day of weeks, of which each has its own rate; none on a day where the rate is missing."""
    return [None if np.isnan(rate) else rate for rate in rates for _ in range(7)]


def restart(stream: str, day: int, known: int, measure: str = "") -> pd.DataFrame:
    """A past that begins anew on a day, as is known some day."""
    return pd.DataFrame({"subject_id": ["ann"], "stream": [stream], "measure": [measure],
                         "on_date": pd.DatetimeIndex([after(day)]).as_unit("us"),
                         "known_on": pd.DatetimeIndex([after(known)]).as_unit("us")})  # fmt: skip


def steps(*starts: int) -> dict[str, list[float | None]]:
    """Hourly steps of three days each, still for the five hours from a clock hour on."""
    hours = [[0.0 if (hour - start) % 24 < 5 else 100.0 for start in starts for _ in range(3)] for hour in range(24)]
    return {f"activity_h{hour:02d}": values for hour, values in enumerate(hours)}


def test_the_newest_week_is_compared_with_the_weeks_before_it(panel_from, features_on):
    """1, 2, 3 and 5 answers a day, then 6: the median is 2.5, the deviations 1.5, 0.5, 0.5 and 2.5, their median 1."""
    panel = panel_from(FIRST, adherence_answers=weeks(1, 2, 3, 5, 6))
    found = features_on(panel, after(35), FIRST, RATE)
    assert found[RATE[0]] == pytest.approx(4 / 11 * (6 - 2.5) / 1.4826)


def test_the_past_ends_90_days_before_the_window(panel_from, features_on):
    """Of 14 weeks before the newest one 12 lie within 84 days: 1 and 3 in turn, and two of 100 that are too long ago."""
    panel = panel_from(FIRST, adherence_answers=weeks(100, 100, *[1, 3] * 6, 6))
    found = features_on(panel, after(105), FIRST, RATE)
    # The median is 2, and every week lies 1 from it.
    assert found[RATE[0]] == pytest.approx(12 / 19 * (6 - 2) / 1.4826)


def test_three_earlier_windows_are_enough_and_two_are_not(panel_from, features_on):
    """1, 2 and 4 have the median 2 and the MAD 1; weeks before enrolment tell nothing."""
    panel = panel_from(FIRST, adherence_answers=weeks(9, 1, 2, 4, 6))
    assert features_on(panel, after(35), after(7), RATE)[RATE[0]] == pytest.approx(3 / 10 * (6 - 2) / 1.4826)
    assert np.isnan(features_on(panel, after(35), after(14), RATE)[RATE[0]])


def test_a_past_that_never_varied_has_no_spread(panel_from, features_on):
    """Four weeks of two answers a day: any change would be without measure."""
    assert np.isnan(
        features_on(panel_from(FIRST, adherence_answers=weeks(2, 2, 2, 2, 6)), after(35), FIRST, RATE)[RATE[0]]
    )


def test_a_past_that_varies_by_rounding_has_not_varied(panel_from, features_on):
    """A cosine with its peak at 1.5 h on all 36 days, each with other hours unknown, so that the last digits differ."""
    cosine = {f"activity_h{hour:02d}": [None if (7 * hour + day**2) % 5 == 0 else 50 + 30 * np.cos(np.pi / 12 * (hour - 1))
                                        for day in range(36)] for hour in range(24)}  # fmt: skip
    names = ["circadian_acrophase_z_3d", "circadian_acrophase_3d_h"]
    found = features_on(panel_from(FIRST, **cosine), after(36), FIRST, names)
    assert found[names].tolist() == pytest.approx([NAN, 1.5], nan_ok=True)


def test_clock_times_are_compared_round_the_clock(panel_from, features_on):
    """L5 begins at 23, 1 and 0 h, and then at 2 h: seen from there at -3, -1 and -2 h; the median -2, the MAD 1."""
    name = "circadian_l5_onset_z_3d"
    found = features_on(panel_from(FIRST, **steps(23, 1, 0, 2)), after(12), FIRST, [name])
    assert found[name] == pytest.approx(3 / 10 * (0 - -2) / 1.4826)


def test_the_past_begins_anew_with_the_measure_that_the_pattern_rests_on(panel_from, features_on):
    """Another phone from the third of six weeks on: 3, 5 and 1 remain; from a day later on, only two weeks."""
    panel = panel_from(FIRST, adherence_answers=weeks(90, 80, 3, 5, 1, 6))
    on_day_14 = features_on(panel, after(42), FIRST, RATE, restart("mood", 14, 20))
    # The median is 3 and the MAD 2.
    assert on_day_14[RATE[0]] == pytest.approx(3 / 10 * (6 - 3) / (1.4826 * 2))
    assert np.isnan(features_on(panel, after(42), FIRST, RATE, restart("mood", 15, 20))[RATE[0]])
    # One within the newest week leaves nothing to compare with.
    assert np.isnan(features_on(panel, after(42), FIRST, RATE, restart("mood", 40, 41))[RATE[0]])


def test_a_restart_of_others_or_of_later_changes_nothing(panel_from, features_on):
    """Of another stream, of a measure that the pattern does not rest on, or one not known by the index date."""
    panel = panel_from(FIRST, adherence_answers=weeks(1, 2, 3, 5, 6))
    expected = features_on(panel, after(35), FIRST, RATE)[RATE[0]]
    for other in (restart("wearable", 14, 20), restart("mood", 14, 20, "mood_valence"), restart("mood", 14, 36)):
        assert features_on(panel, after(35), FIRST, RATE, other)[RATE[0]] == expected


def test_only_who_asks_for_a_past_looks_back_for_it():
    """90 days for the pattern itself, 90 more than its window with its past; from the same columns."""
    alone, compared = needs_of(["circadian_stability_14d"]), needs_of(["circadian_stability_z_14d"])
    assert (alone.lookback, compared.lookback) == (90, 104)
    assert list(alone.columns) == list(compared.columns)


@pytest.mark.parametrize(
    "name", ["circadian_stability_z_90d", "mood_phq_9_last_z_90d", "early_warning_mood_valence_variance_z_28d"]
)
def test_what_has_no_past_is_no_feature(name):
    """90 days hold no three windows of 90 days; early warnings are told of a past already."""
    with pytest.raises(FeaturesError, match=f"`{name}` is no feature"):
        STANDARD.asked([name])
