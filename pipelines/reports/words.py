"""How reports say things: metric names and verdicts in words, numbers, intervals and counts as text."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from models.baselines import CALLED, MODEL, called
from models.fairness import disclosure
from models.fairness.disclosure import (
    LEAST_DIFFERENCE,
    SMALLEST_SUBJECTS,
    TOO_NEAR,
    TOO_NEAR_BY_EVENT,
    rounded_count,
)
from models.fairness.verdicts import FAIL, FEW, INSUFFICIENT, MANY, NOBODY, PASS, STILL, UNDEFINED, WIDE
from models.operational import NET_BENEFIT

DASH = "–"
DECIMALS = disclosure.DECIMALS


class Word(NamedTuple):
    """A metric's column heading and what it means to a clinician."""

    short: str
    meaning: str


METRICS: dict[str, Word] = {
    "selection_rate": Word("Flagged", "share of all days that are flagged"),
    "tpr": Word("Caught", "of the days that preceded an event, the share that was flagged (sensitivity)"),
    "fpr": Word("False alarms", "of the days that no event followed, the share that was flagged"),
    "fnr": Word("Missed", "of the days that preceded an event, the share that was not flagged"),
    "ppv": Word(
        "Right when flagged", "of the flagged days, the share that an event followed (positive predictive value)"
    ),
    "auroc": Word("Ranking (AUROC)", "chance that a day before an event scores higher than another day; 0.5 is a coin"),
    "mean_predicted": Word("Predicted risk", "mean of the risk the model gave"),
    "observed_rate": Word("Observed risk", "share of days that an event did follow"),
    "observed_to_expected": Word("Observed / predicted", "1 is right; above 1 the model gives too little risk"),
    "calibration_slope": Word("Calibration slope", "1 is right; below 1 the risks are too extreme"),
    "calibration_intercept": Word("Calibration intercept", "0 is right; above 0 the model gives too little risk"),
    "alerts_per_1000_days": Word("Alerts per 1,000 days", "flagged days per 1,000 subject-days"),
    "fold_mean_auroc": Word("Fold-mean AUROC", "mean of the AUROC of each fit, by fold of subjects and period"),
    "auprc": Word("AUPRC", "mean precision over all thresholds; compare it to the observed risk"),
    "auprc_lift": Word("AUPRC lift", "AUPRC divided by the observed risk; 1 is chance"),
    "within_subject_auroc": Word("Within-subject AUROC", "ranking of days within one person; 0.5 is a coin"),
    "within_subject_auroc_by_pairs": Word(
        "Within-subject AUROC, by pairs", "the same, each subject counting by their pairs of days with and without"
    ),
    "quiet_auroc": Word("Quiet-onset AUROC", "ranking among subjects without an event for 28 days"),
    "auroc_minus_best_baseline": Word("AUROC gain", "AUROC minus that of the best simple baseline"),
    "auroc_minus_best_baseline_refitted": Word(
        "AUROC gain, refitted", "the same; its interval holds what fitting again adds"
    ),
    "auroc_ipcw": Word("AUROC, censoring weighed", "ranking, if those lost to follow-up were as those like them"),
    "auroc_minus_best_baseline_ipcw": Word("AUROC gain, censoring weighed", "the gain, weighed likewise"),
    "auroc_not_acted_on": Word(
        "AUROC, not acted on", "ranking without days on which something was done for the subject within the horizon"
    ),
    "fits_left_out": Word(
        "Fits left out",
        "fits by fold and period that had too few subjects with an event to learn from, or nobody to test",
    ),
    "refits_with_a_gain": Word("Refits with a gain", "resamples on which both could be fitted again and tested"),
    "fold_mean_auroc_minus_as_declared": Word(
        "Gain of tuning",
        "ranking by trees as a search chose without those tested, minus that by trees as declared; mean over folds",
    ),
    "auroc_over_seeds": Word(
        "AUROC over seeds", "mean over folds and fits drawn anew; with the lowest and the highest"
    ),
    "new_information_yield": Word(
        "New information", "episodes of quiet subjects that the history rule missed, per 100 alerts"
    ),
    "episodes_caught": Word("Episodes caught", "share of episodes with a flagged day within the horizon before"),
    "alerts_per_100_subject_weeks": Word("Alerts per 100 a week", "flagged days per 100 subjects and week"),
    "false_alerts_per_subject_month": Word(
        "False alerts a month", "flagged days without an event after, per subject and month"
    ),
    "lead_time_days": Word("Lead time", "days from the first flag to the onset; median and quartiles"),
    "alert_persistence": Word("Persistence", "share of flagged days that are flagged on the next day too"),
    "tpr_widest_gap": Word(
        "Widest gap of caught", "share caught in the group where it is highest, minus that where it is lowest"
    ),
    "brier": Word("Brier score", "mean squared error of the risk; smaller is better"),
    "scaled_brier": Word("Scaled Brier", "1 is perfect, 0 is no better than the mean risk"),
    "ici": Word("Calibration error (ICI)", "mean distance between given and observed risk"),
    "mean_lead_time_days": Word(
        "Lead time, days", "mean days from the first flag to the onset, of the episodes caught"
    ),
    "quiet_onset_yield": Word(
        "Quiet-onset yield", "episodes caught of people without an event for 28 days, per 100 flagged days"
    ),
    "false_alerts_per_1000_days": Word(
        "False alerts per 1,000 days", "flagged days that no event followed, per 1,000 subject-days"
    ),
    "e90": Word("Calibration error (E90)", "distance that nine in ten days stay below"),
}

# How much of a group's days the data cover.
MEASURES: dict[str, Word] = {
    "rows_per_subject": Word("Days per subject", "scored days of each subject"),
    "completeness": Word("Days with data", "share of the recent days on which any data came"),
    "device": Word("Device lately", "share of days with anything sent by a device lately"),
    "answers": Word("Answers lately", "share of days with a question answered lately"),
    "missing": Word("Features missing", "share of the model’s inputs without a value"),
    "abstained": Word("No score", "share of days that would get no score, for want of data"),
}

# Why a comparison has no answer.
WHY: dict[str, str] = {
    MANY: "the interval lies beyond the margin, but among so many comparisons some do by chance",
    STILL: "the figure is the same in every resample, so that nobody knows how far it varies",
    WIDE: "the interval reaches across the margin: the difference may lie within it or beyond",
    NOBODY: "nobody in one of the two had an event",
    FEW: "too few people, or too few with an event",
    UNDEFINED: "not defined here: there was nothing to count it from",
}

# What is not shown, in a reader's words.
KEPT_BACK: dict[str, str] = {
    "figures": "all figures", "counts": "counts; rates are shown", "curve": "curves; other figures are shown",
}  # fmt: skip

# Why it is not shown, where the rule's own words are not a reader's.
HELD_BACK = {
    TOO_NEAR: f"differs by fewer than {LEAST_DIFFERENCE} subjects from another group that is shown",
    TOO_NEAR_BY_EVENT: f"differs by fewer than {LEAST_DIFFERENCE} subjects with an event from another group that is shown",
}

# From two decimals a reader could not tell small risks and errors apart; days and alerts need fewer.
DECIMALS_OF = {
    "mean_predicted": 3, "observed_rate": 3, "brier": 3, "ici": 3, "mean_lead_time_days": 1,
    "false_alerts_per_1000_days": 0, "alerts_per_1000_days": 0, "quiet_onset_yield": 1, "rows_per_subject": 1,
}  # fmt: skip

# Metrics at a capacity; the capacity stands in the name: `ppv_top_5%`.
TOP = {"sensitivity": METRICS["tpr"], "ppv": METRICS["ppv"]}

# What no features go into.
ACTING = {"treat_all": "Acting on everybody", "treat_none": "Acting on nobody"}

TASKS: dict[str, str] = {"onset": "start of a new episode", "burden": "any event day"}

SPLITS: dict[str, str] = {
    "unseen_subjects": "unseen subjects",
    "unseen_and_later": "unseen subjects, later in time",
    "same_subjects_later": "the same subjects, later in time",
    "unseen_site": "a site that was not learnt from",
    "unseen_device": "a device that was not learnt from",
}

# Symbol, words, CSS class: never colour alone.
VERDICTS: dict[str, tuple[str, str, str]] = {
    PASS: ("✓", "within margin", "pass"),
    FAIL: ("▲", "gap", "fail"),
    INSUFFICIENT: ("?", "cannot tell", "unsure"),
}


def metric(name: str) -> Word:
    """The metric's words; its own name, spaced, where none are written."""
    kind, _, share = name.partition("_top_")
    if share and kind in TOP:
        share = f"{share.removesuffix('%')} %"
        return Word(f"{TOP[kind].short}, top {share}", f"{TOP[kind].meaning}, when the top {share} are flagged")
    if name.startswith(NET_BENEFIT):
        risk = f"{name.removeprefix(NET_BENEFIT).removesuffix('%')} %"
        return Word(f"Net benefit at {risk}", f"worth of acting from a risk of {risk} on; 0 is acting on nobody")
    return METRICS.get(name, Word(plain(name).capitalize(), ""))


def measure(name: str) -> Word:
    """The words of a measure of coverage."""
    return MEASURES.get(name, Word(plain(name).capitalize(), ""))


def rule(about: Mapping[str, Any]) -> str:
    """Who is flagged: `the top 10 % of each site’s night`, `a risk of 0.2 or more`; of the design's `rule` and `scope`."""
    of = about["rule"]
    if "risk" in of:
        return f"a risk of {of['risk']:g} or more"
    within = {"site and night": "each site’s night", "night": "each night", "site": "each site"}.get(
        about["scope"], "all days"
    )
    return f"the top {percent(of['share'])} of {within}"


def predictor(name: str) -> str:
    """The model or baseline as a heading; in a sentence it is what `models.baselines.called` says."""
    if name in ACTING:
        return ACTING[name]
    return f"Baseline: {called(name)}" if name in CALLED and name != MODEL else called(name)


def served(name: str, reweighed_by: str = "") -> str:
    """What scores, in a sentence: the model, or a simple rule by its name; and by what its training rows are reweighed."""
    told = called(name) if name == MODEL else f"the simple rule “{called(name)}”"
    return f"{told}, reweighed by {plain(reweighed_by)}" if reweighed_by else told


def mitigated(reweighed_by: str) -> str:
    """What a reader must know of a predictor whose training rows are reweighed."""
    by = plain(reweighed_by)
    return (
        f"Mitigated as declared: training rows are reweighed by {by}, so that {by} and outcome are independent among them; no score "
        f"reads {by}. What that gains and costs, `foretide mitigate` tells."
    )


def plain(name: str) -> str:
    """A column name or a code as words: `age_band` -> `age band`."""
    return name.replace("_", " ")


def number(value: float, is_signed: bool = False, decimals: int = DECIMALS) -> str:
    """A figure, by default to two decimals, with a true minus sign; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:{'+' if is_signed else ''}.{decimals}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def span(low: float, high: float, is_signed: bool = False, decimals: int = DECIMALS) -> str:
    """An interval in words, `0.10 to 0.25`; empty where it could not be estimated."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{number(low, is_signed, decimals)} to {number(high, is_signed, decimals)}"


def figure(row: Mapping[str, Any] | pd.Series, is_signed: bool = False, decimals: int = DECIMALS) -> str:
    """A value with its interval, as it stands within brackets: `0.70, 95 % 0.61 to 0.78`."""
    told = span(row["low"], row["high"], is_signed, decimals)
    return number(row["value"], is_signed, decimals) + (f", 95 % {told}" if told else "")


def proven(row: Mapping[str, Any] | pd.Series, limit: float, above: str, below: str, unproven: str) -> str:
    """The words that an interval allows: the whole of it lies above the limit or below it, or neither."""
    if row["low"] > limit:
        return above
    return below if row["high"] < limit else unproven


def count(value: float) -> str:
    """A whole number with thousands separated by a comma."""
    return f"{int(value):,}"


def rounded(count: float) -> str:
    """A count as it leaves the house: to the nearest five; of fewer than ten only that it is so few."""
    if 0 < count < SMALLEST_SUBJECTS:
        return f"fewer than {SMALLEST_SUBJECTS}"
    return f"{rounded_count(count):,}"


def counted(n: float, one: str, many: str = "") -> str:
    """A count and what is counted: `1 day`, `28 days`; `many` where the plural is not by an s."""
    return f"{count(n)} {one if n == 1 else many or f'{one}s'}"


def days(horizons: Sequence[int]) -> str:
    """Horizons in words: `1 day`, `7, 14 and 28 days`."""
    *earlier, last = horizons
    return listing([*map(str, earlier), counted(last, "day")])


def percent(share: float) -> str:
    """A share as a percentage without needless decimals."""
    return f"{100 * share:g} %"


def listing(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
