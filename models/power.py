"""What a cohort can prove before a model is trained: how much the best simple rule's figures vary over its subjects.

No model is fitted and no gain is looked at. Of the model it is assumed that its AUROC varies over subjects as much as the
rule's does, and along with it to a declared degree; of new subjects, that they are like those at hand, so that standard
errors fall with the root of their number.
"""

from collections.abc import Hashable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from models import resampling
from models.evaluation import COLUMNS as COLUMNS_OF_RESULTS
from models.fairness import disclosure
from models.fairness.audit import Audit
from models.fairness.comparisons import REFERENCE
from models.fairness.verdicts import POWER_FACTOR

# How closely the model's AUROC is assumed to go along with the rule's over resampled subjects; what it rests on, in
# docs/planning.md. The prospect is told for less and for more of it, too.
CORRELATION, LOW_CORRELATION, HIGH_CORRELATION = 0.6, 0.4, 0.8
# Sizes of a gain or a gap for which the missing event subjects are told.
SIZES = (0.02, 0.05, 0.10)
GAIN, GAP = "gain", "gap"
GAP_METRICS = ("tpr", "auroc")
EVERYBODY = "all"
# Text, then numbers.
COLUMNS = (
    "claim", "metric", "attribute", "group", "reference",
    "detectable", "low", "high", "n_subjects", "n_event_subjects", "n_episodes", *(f"missing_{size}" for size in SIZES),
)  # fmt: skip


def standard_error(rows: pd.DataFrame, resamples: int, seed: int) -> float:
    """How much the AUROC of the rows' risks varies over resampled subjects, the risks as they are.

    Args:
        rows: `subject_id, probability, label` (0 or 1), both labels among them.
    """
    subject, subjects = pd.factorize(rows["subject_id"])
    label = rows["label"].to_numpy(dtype=float)
    pairs = resampling.concordance(rows["probability"].to_numpy(), label, subject.astype(np.int64))
    return float(np.nanstd(pairs.auroc(resampling.draws(len(subjects), resamples, seed)), ddof=1))


def detectable_gain(standard_error: float, correlation: float) -> float:
    """The smallest gain in AUROC over the rule that is proven four times out of five.

    Two AUROCs of the same subjects with equal standard errors s and correlation r differ with s * sqrt(2 * (1 - r)).
    """
    return float(POWER_FACTOR * standard_error * np.sqrt(2 * (1 - correlation)))


def missing(n_event_subjects: float, detectable: float, size: float) -> float:
    """How many event subjects more it takes to prove a difference of that size, up to the next five; 0: these suffice."""
    lacking = n_event_subjects * ((detectable / size) ** 2 - 1)
    return float(max(0.0, np.ceil(lacking / disclosure.COUNTS_ROUNDED_TO) * disclosure.COUNTS_ROUNDED_TO))


def prospects(audit: Audit, standard_error: float) -> pd.DataFrame:
    """What can be proven: the gain in AUROC over the rule, then each gap between a group and its reference.

    Args:
        audit: of the rule's own risks; its gaps are not looked at, only how far they vary.
        standard_error: of the rule's AUROC over everybody.

    Returns:
        `COLUMNS`: `detectable`, the smallest difference that is proven four times out of five, for a gain with `low` and
        `high` where the correlation is higher and lower than assumed; subjects, event subjects and episodes; and event
        subjects missing for each size, for a gap in the group and its reference together. Groups too small to be shown
        have no row. Counts of groups are rounded to five, and missing where a hidden group's would follow from them; their
        gaps are rounded to two decimals.
    """
    rows = pd.DataFrame([_gain(audit.groups.iloc[0], standard_error), *_gaps(audit)], columns=list(COLUMNS))
    numbers = COLUMNS[COLUMNS.index("detectable") :]
    return rows.astype(dict.fromkeys(numbers, "float64"))


def _gain(everybody: pd.Series, standard_error: float) -> dict[str, object]:
    detectable, low, high = (
        detectable_gain(standard_error, correlation) for correlation in (CORRELATION, HIGH_CORRELATION, LOW_CORRELATION)
    )
    counts = {name: everybody[name] for name in ("n_subjects", "n_event_subjects", "n_episodes")}
    lacking = {f"missing_{size}": missing(everybody["n_event_subjects"], detectable, size) for size in SIZES}
    told = {"claim": GAIN, "metric": "auroc", "attribute": EVERYBODY, "group": EVERYBODY, "reference": ""}
    return {**told, "detectable": detectable, "low": low, "high": high, **counts, **lacking}


def _gaps(audit: Audit) -> list[dict[str, object]]:
    groups = audit.groups[~audit.groups["is_crossed"]]
    groups = groups.assign(is_shown=disclosure.is_showable(groups), is_counted=disclosure.is_countable(groups))
    by = {(row["attribute"], row["group"]): row for row in groups.to_dict("records")}
    found = []
    for row in audit.verdicts.to_dict("records"):
        is_gap = row["versus"] == REFERENCE and not row["is_crossed"] and row["metric"] in GAP_METRICS
        if not is_gap or not np.isfinite(row["mdd"]):
            continue
        group, reference = by[row["attribute"], row["group"]], by[row["attribute"], row["reference"]]
        if group["is_shown"] and reference["is_shown"]:
            named = {name: row[name] for name in ("metric", "attribute", "group", "reference")}
            detectable = round(row["mdd"], disclosure.DECIMALS)
            found.append({"claim": GAP, **named, "detectable": detectable, **_counts(group, reference, detectable)})
    return found


def _counts(group: Mapping[Hashable, Any], reference: Mapping[Hashable, Any], detectable: float) -> dict[str, float]:
    """Rounded counts of a group, and what it and its reference lack; none where either's counts are hidden."""
    if not (group["is_counted"] and reference["is_counted"]):
        return {}
    own = {name: disclosure.rounded_count(group[name]) for name in ("n_subjects", "n_event_subjects", "n_episodes")}
    both = own["n_event_subjects"] + disclosure.rounded_count(reference["n_event_subjects"])
    return {**own, **{f"missing_{size}": missing(both, detectable, size) for size in SIZES}}


def n_hidden(audit: Audit) -> dict[str, int]:
    """How many groups of each attribute are too small to be shown."""
    groups = audit.groups
    return disclosure.n_hidden(groups[~groups["is_crossed"] & (groups["attribute"] != EVERYBODY)])


def tidy(found: pd.DataFrame, audit: Audit) -> pd.DataFrame:
    """Prospects as tidy rows: `detectable_gain_auroc`, `event_subjects_missing_gain_auroc_0.02` and so on."""
    parts = []
    for column in ("detectable", *(f"missing_{size}" for size in SIZES)):
        kind, _, size = column.partition("_")
        name = "detectable" if kind == "detectable" else "event_subjects_missing"
        metric = name + "_" + found["claim"] + "_" + found["metric"] + (f"_{size}" if size else "")
        span = found[["low", "high"]] if kind == "detectable" else np.nan
        part = found[["n_subjects", "n_episodes"]].assign(metric=metric, value=found[column], low=np.nan, high=np.nan)
        part[["low", "high"]] = span
        parts.append(
            part.assign(group=found["group"].where(found["claim"] == GAIN, found["attribute"] + "=" + found["group"]))
        )
    return pd.concat(parts, ignore_index=True).assign(**asdict(audit.audited))[list(COLUMNS_OF_RESULTS)]
