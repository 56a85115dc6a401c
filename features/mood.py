"""Mood answers: level, spread, instability, inertia and latency, each item on its own scale from 0 to 1.

MSSD and RMSSD from day to day are statistics that every measure has; what is here is of single answers, or needs
several columns. A value off its own scale, an infinite one too, and an answer before its prompt are missing.
"""

import numpy as np
import pandas as pd

from features.coverage import Counts, coverage
from features.groups import sums
from features.literature import cited
from features.measures import LEVEL, TREND, Measure, Pattern, PatternFeature, Values
from features.versions import KEY

# Items with measures of their own; others count as answers only.
ITEMS = (
    "mood", "energy", "anxiety", "irritability", "positive_mood", "negative_mood", "positive_energy",
    "negative_energy", "happy", "sad", "tense", "tired", "rested",
)  # fmt: skip
# The item that stands for mood as a whole: the first of these that was answered.
VALENCE = ("mood", "positive_mood", "happy")
# Questionnaires, as a clinician calls them, and who defined their score; scores of others are not read.
ASSESSMENTS = {
    "phq_9": ("PHQ-9", "Kroenke 2001"),
    "gad_7": ("GAD-7", "Spitzer 2006"),
    "stai": ("STAI", "Spielberger 1983"),
    "stai_x1": ("STAI-X1", "Spielberger 1970"),
    "ces_d": ("CES-D", "Radloff 1977"),
}
ASSESSMENTS_ON = ("phq_9", "gad_7")

# Differences are told as if all answers were so far apart: the gap of about four answers over a waking day.
USUAL_GAP_MIN = 240.0
# Two answers nearer than this are one answer given twice: what little they differ by would be blown up.
SHORTEST_GAP_MIN = 15.0
FEWEST_PAIRS, FEWEST_DAYS = 10, 5
# Sums of answers between 0 and 1 that should cancel leave less than this.
ROUNDING = 1e-9

MEASURES = (
    Measure("mood_valence", "share of scale", "overall mood",
            "mean of the day's answers on mood, else positive mood, else happy, scaled to 0..1", "Foretide",
            (*TREND, "rmssd_28d", "last_7d"), usual_spread=0.12, stream="mood"),
    Measure("mood_swing", "share of scale", "mood swings within the day",
            "root mean square of differences of successive answers on overall mood within the day", "Jahng 2008", LEVEL,
            stream="mood"),
    Measure("mood_swing_adjusted", "share of scale", "mood swings within the day, whatever the time between answers",
            "root mean square of differences of successive answers on overall mood within the day, each square divided by "
            "its gap / 4 h, gaps >= 15 min",
            "Jahng 2008", (), stream="mood"),
    Measure("mood_latency", "min", "time taken to answer", "median minutes from prompt to answer", "Foretide",
            LEVEL, stream="mood"),
    *(Measure(f"mood_{item}", "share of scale", f"the answers on {item.replace('_', ' ')}",
              f"mean of the day's answers on {item.replace('_', ' ')}, scaled to 0..1", "Foretide", ("mean_7d", "mean_28d", "z_3d"),
              usual_spread=0.12, stream="mood")
      for item in ITEMS),
)  # fmt: skip

# A day's pairs of adjacent answers on the valence item: how many, sums of the earlier and of the later answer, of the
# squared earlier one, of the products. They add up over days, and from the sums over a window follows the regression
# of the later answer on the earlier exactly: sums of deviations from the window's own mean need that mean only at the end.
PAIR_COLUMNS = ("mood_pairs", "mood_pairs_before", "mood_pairs_after", "mood_pairs_squares", "mood_pairs_products")

# Rows of the day panel need: local_date, known_on, item, level (0..1), minutes_to_answer, answered_at.
ROWS_SQL = """
    item, answered_at,
    CASE WHEN value BETWEEN scale_min AND scale_max THEN (value - scale_min) / nullif(scale_max - scale_min, 0) END AS level,
    CASE WHEN answered_at >= prompted_at THEN (epoch_us(answered_at) - epoch_us(prompted_at)) / 60000000.0 END
        AS minutes_to_answer"""


def daily(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per subject, local day and version, from single answers; days without an answer have no row."""
    # By level too: two sources may give answers of one instant, and a sum must not depend on the order they came in.
    rows = rows.sort_values([*KEY, "item", "answered_at", "level"], ignore_index=True)
    rows = rows.assign(day=rows.groupby(KEY).ngroup())
    series, by_day = rows.groupby(["day", "item"]).ngroup(), rows.groupby("day")
    total, known = sums(rows[["level"]], series)
    levels = (total / known).set_index(pd.MultiIndex.from_frame(rows[["day", "item"]].drop_duplicates()))
    levels = levels["level"].unstack("item")
    result = levels.reindex(columns=list(ITEMS)).add_prefix("mood_")
    result["mood_valence"] = levels.reindex(columns=list(VALENCE)).bfill(axis=1).iloc[:, 0]
    pairs = _pairs(rows, series)
    result = result.join(_swings(pairs)).join(_pair_sums(pairs))
    result["mood_latency"] = by_day["minutes_to_answer"].median()
    result["adherence_answers"] = by_day.size().astype(float)
    return pd.concat([rows.drop_duplicates("day").set_index("day")[KEY], result], axis=1).reset_index(drop=True)


def _pairs(rows: pd.DataFrame, series: pd.Series) -> pd.DataFrame:
    """Adjacent valid answers to one valence item within one day and version, with the minutes between them.

    Args:
        rows: sorted answers.
        series: a number for the day, version and item of each.
    """
    earlier = rows[["answered_at", "level"]].shift(1)
    is_pair = (series == series.shift(1)) & rows["item"].isin(VALENCE) & (rows["level"] + earlier["level"]).notna()
    pairs, earlier = rows.loc[is_pair, ["day", "item", "answered_at", "level"]], earlier[is_pair]
    gap = (pairs["answered_at"] - earlier["answered_at"]).dt.total_seconds() / 60
    return pairs.rename(columns={"level": "after"}).assign(before=earlier["level"], gap=gap)


def _swings(pairs: pd.DataFrame) -> pd.DataFrame:
    """Root mean square of a day's successive differences, as they are and as they would be at gaps of 4 hours.

    A difference grows with the time there was for it, in a random walk its square in proportion (after Jahng 2008).
    """
    square, gap = (pairs["after"] - pairs["before"]) ** 2, pairs["gap"]
    adjusted = square / (gap.where(gap >= SHORTEST_GAP_MIN) / USUAL_GAP_MIN)
    total, known = sums(pd.DataFrame({"mood_swing": square, "mood_swing_adjusted": adjusted}), pairs["day"])
    return (total / known) ** 0.5


def _pair_sums(pairs: pd.DataFrame) -> pd.DataFrame:
    """`PAIR_COLUMNS` of each day: of one item only, for items have levels of their own, which are no inertia."""
    place = pd.Series(pd.Categorical(pairs["item"], categories=VALENCE).codes, index=pairs.index)
    pairs = pairs[place == place.groupby(pairs["day"]).transform("min")]
    before, after = pairs["before"], pairs["after"]
    terms = (np.ones(len(pairs)), before, after, before**2, before * after)
    return sums(pd.DataFrame(dict(zip(PAIR_COLUMNS, terms, strict=True)), index=pairs.index), pairs["day"])[0]


def inertia(pair_sums: Values) -> tuple[Values]:
    """How much of a deviation from a subject's own mood is left at the next answer of the day: AR(1), Kuppens 2010.

    The least-squares slope of each answer on the one before it, over all pairs within a day of the window, with an
    intercept: which takes the subject's own centre out, whatever it is. The night between two days makes no pair, and
    unequal gaps within the day count alike.

    Args:
        pair_sums: `PAIR_COLUMNS`, of shape (n_rows, n_days, 5), NaN on days without a pair.

    Returns:
        Shape (n_rows,); missing below 10 pairs, or where the answers never varied.
    """
    n, before, after, squares, products = np.nansum(pair_sums, axis=1).T
    at_least_one = np.maximum(n, 1)
    spread = squares - before**2 / at_least_one
    is_given = (n >= FEWEST_PAIRS) & (spread > ROUNDING)
    slope = (products - before * after / at_least_one) / np.where(is_given, spread, 1.0)
    return (np.where(is_given, slope, np.nan),)


def days_with_pairs(pair_sums: Values) -> Counts:
    """On how many days an answer follows another: what inertia rests on.

    Args:
        pair_sums: as in `inertia`.
    """
    days: Counts = (pair_sums[:, :, 0] > 0).sum(axis=1)
    return days


def relative_sd(levels: Values) -> tuple[Values]:
    """How much mood varied, as a share of the most that its mean leaves room for: 0 to 1 (Mestdagh 2018).

    Of n values between 0 and 1 with a given mean the SD is largest when all but one lie on the ends of the scale and
    that one makes up the mean.

    Args:
        levels: daily values, of shape (n_rows, n_days, 1), from 0 to 1, NaN where unknown.

    Returns:
        Shape (n_rows,); missing below 5 valid days, or where all lie on one end of the scale.
    """
    values = levels[:, :, 0]
    n = np.isfinite(values).sum(axis=1)
    total = np.nansum(values, axis=1)
    mean = total / np.maximum(n, 1)
    squares = np.nansum((values - mean[:, None]) ** 2, axis=1)
    at_top = np.clip(np.floor(total), 0, np.maximum(n - 1, 0))
    rest = total - at_top
    largest = at_top * (1 - mean) ** 2 + (rest - mean) ** 2 + (n - 1 - at_top) * mean**2
    is_given = (n >= FEWEST_DAYS) & (largest > ROUNDING)
    return (np.where(is_given, np.sqrt(squares / np.where(is_given, largest, 1.0)), np.nan),)


def last_and_change(scores: Values) -> tuple[Values, Values]:
    """The newest score of a questionnaire, and what it is above the mean of those before it.

    Args:
        scores: of shape (n_rows, n_days, 1), NaN on days without one.

    Returns:
        Two arrays of shape (n_rows,); missing without a score, the change also with a single one.
    """
    newest_first = scores[:, ::-1, 0]
    valid = np.isfinite(newest_first)
    rows, newest = np.arange(len(scores)), valid.argmax(axis=1)
    last = np.where(valid.any(axis=1), newest_first[rows, newest], np.nan)
    before = valid.copy()
    before[rows, newest] = False
    n = before.sum(axis=1)
    mean = np.where(before, newest_first, 0.0).sum(axis=1) / np.maximum(n, 1)
    return last, np.where(n > 0, last - mean, np.nan)


def days_with_scores(scores: Values) -> Counts:
    """On how many days a questionnaire was filled in.

    Args:
        scores: as in `last_and_change`.
    """
    days: Counts = np.isfinite(scores[:, :, 0]).sum(axis=1)
    return days


def _assessment(name: str, words: str, source: str) -> tuple[Pattern, Pattern]:
    default = (90,) if name in ASSESSMENTS_ON else ()
    figures = Pattern(
        (f"mood_{name}",),
        last_and_change,
        (
            PatternFeature(f"mood_{name}_last", "points", f"the last {words} score", "newest score", source, "1 score",
                           default),
            PatternFeature(f"mood_{name}_change", "points", f"change of the {words} score",
                           "newest score minus mean of those before it", cited(source, "Foretide"), "2 scores", default),
        ),
        (90,),
        f"mood_{name}",
    )  # fmt: skip
    return figures, coverage(f"mood_{name}", figures.columns, days_with_scores, "days with a score",
                             f"days with a {words} score", windows=figures.windows)  # fmt: skip


PATTERNS = (
    Pattern(
        PAIR_COLUMNS,
        inertia,
        (
            PatternFeature("mood_inertia", "share", "how much of a mood is left at the next answer",
                           "least-squares slope of an answer on overall mood on the one before it, pairs within a day: the share "
                           "of a deviation from the own mean that is left at the next answer", "Kuppens 2010",
                           "10 pairs", (28,)),
        ),
        (7, 14, 28, 90),
        "mood_inertia",
        restarts_with=("mood_valence",),
    ),
    coverage("mood_inertia", PAIR_COLUMNS, days_with_pairs, "days with a pair of answers",
             "days with several answers on mood", windows=(7, 14, 28, 90)),
    Pattern(
        ("mood_valence",),
        relative_sd,
        (
            PatternFeature("mood_relative_sd", "share", "how much mood varied, for its level",
                           "SD / largest SD that n values between 0 and 1 with this mean can have", "Mestdagh 2018",
                           "5 valid days"),
        ),
        (7, 14, 28, 90),
        "mood_valence",
        restarts_with=("mood_valence",),
    ),
    *(pattern for name, told in ASSESSMENTS.items() for pattern in _assessment(name, *told)),
)  # fmt: skip
