"""What an audit found, in sentences: proven gaps, doubts and what would settle them. Doubt is never worded as fairness."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.fairness import disclosure
from models.fairness.comparisons import REST
from models.fairness.verdicts import FAIL, FEW, INSUFFICIENT, NOBODY, OPEN, PASS, POWER_FACTOR
from pipelines.reports import words
from pipelines.reports.fairness.view import View

# What a reader asks about first stands first: what it is, and what more or less of it means.
SAID = {
    "episodes_caught": (
        "share of episodes caught", "more of their episodes are caught", "fewer of their episodes are caught",
    ),
    "tpr": (
        "share of days before an event that are flagged",
        "more of their days before an event are flagged", "fewer of their days before an event are flagged",
    ),
    "ppv": (
        "share of flags that an event follows",
        "more of their flags are followed by an event", "fewer of their flags are followed by an event",
    ),
    "fpr": (
        "share of event-free days that are flagged",
        "more of their event-free days are flagged", "fewer of their event-free days are flagged",
    ),
    "selection_rate": ("share of days flagged", "more of their days are flagged", "fewer of their days are flagged"),
    "auroc": ("ranking (AUROC)", "their days are ranked better", "their days are ranked worse"),
}  # fmt: skip
# Being flagged is attention and a burden: of either more is what there is to look at.
WORSE_IF_HIGHER = ("fpr", "selection_rate")
# 1.96 for the interval + 1.28, for it must keep within the margin at both ends: 80 % of the cohorts without a difference.
PASS_FACTOR = 3.24
EVERYBODY_ELSE = "everybody else"


@dataclass(frozen=True)
class Finding:
    """What was found by one attribute: a verdict, its headline, and sentences of (group, what is said of it)."""

    name: str
    verdict: str
    headline: str
    sentences: list[tuple[str, str]]
    hidden: str


def of_attribute(view: View, attribute: str) -> Finding:
    """The finding by one attribute: a gap outweighs doubt, doubt outweighs a pass."""
    judged = view.verdicts(attribute)
    verdict, headline = _summary(view, attribute, judged)
    name = words.plain(attribute).capitalize()
    return Finding(name, verdict, headline, _sentences(view, judged), _hidden(view, attribute))


def _summary(view: View, attribute: str, judged: pd.DataFrame) -> tuple[str, str]:
    n, counts = len(judged), judged["verdict"].value_counts()
    failed, passed = int(counts.get(FAIL, 0)), int(counts.get(PASS, 0))
    margin = f"{view.margin:g}"
    if not n:
        if len(view.groups(attribute)) == 1 and not view.unjudged(attribute):
            return INSUFFICIENT, "Everybody audited is in one group, so there is nothing to compare."
        return (
            INSUFFICIENT,
            "No two groups are large enough to compare. That does not mean that the model is fair to them.",
        )
    if failed:
        text = f"{failed} of {n} comparisons {'shows' if failed == 1 else 'show'} a gap larger than {margin}."
        doubt = n - passed - failed
        return FAIL, f"{text} {doubt} cannot be told." if doubt else text
    if passed < n:
        return INSUFFICIENT, (
            f"No gap is proven, and fairness is not proven either: {passed} of {n} comparisons "
            f"{'lies' if passed == 1 else 'lie'} within {margin}, {n - passed} cannot be told."
        )
    if view.unjudged(attribute):
        return INSUFFICIENT, f"All {n} comparisons shown lie within {margin}, but not everybody could be judged."
    return PASS, f"All {n} comparisons lie within {margin}."


def _hidden(view: View, attribute: str) -> str:
    named, unnamed = view.named_hidden(attribute), view.n_unnamed(attribute)
    told = []
    if named:
        told.append(
            f"{words.counted(len(named), 'group')} {'has' if len(named) == 1 else 'have'} too few people or events to show."
        )
    if unnamed:
        told.append(f"{words.counted(unnamed, 'group')} {'is' if unnamed == 1 else 'are'} held back without a name.")
    return " ".join(told)


def _sentences(view: View, judged: pd.DataFrame) -> list[tuple[str, str]]:
    """Each group's proven gaps; where there is none, the widest difference in doubt, with what could have been found."""
    failed = judged[judged["verdict"] == FAIL]
    if len(failed):
        seen = pd.DataFrame([_from_the_worse_off(row) for row in failed.to_dict("records")])
        seen = seen.assign(
            other=[other(row) for row in seen.to_dict("records")], place=seen["metric"].map(list(SAID).index)
        )
        return [
            (f"{group}, against {against}", f"{'; '.join(map(_proven, part.to_dict('records')))}.")
            for (group, against), part in seen.sort_values("place", kind="stable").groupby(
                ["group", "other"], sort=False
            )
        ]
    unsure = judged[(judged["verdict"] == INSUFFICIENT) & judged["difference"].notna()]
    if unsure.empty:
        return []
    # Of those large enough to be judged rather than of a handful, where there are such.
    wide = unsure[unsure["why"].isin(OPEN)]
    candidates = wide if len(wide) else unsure
    row = candidates.loc[candidates["difference"].abs().idxmax()].to_dict()
    return [(f"{row['group']}, against {other(row)}", _unproven(row, view.margin))]


def other(row: Mapping[str, Any] | pd.Series) -> str:
    """What a group is compared with."""
    return EVERYBODY_ELSE if row["versus"] == REST else str(row["reference"])


def _from_the_worse_off(row: dict[str, Any]) -> dict[str, Any]:
    """A comparison with the reference as those see it whom the model serves worse; others as they are."""
    is_worse = row["metric"] in WORSE_IF_HIGHER if row["difference"] > 0 else row["metric"] not in WORSE_IF_HIGHER
    if is_worse or row["versus"] == REST:
        return row
    return row | {
        "group": row["reference"], "reference": row["group"], "group_value": row["reference_value"],
        "reference_value": row["group_value"], "difference": -row["difference"], "low": -row["high"], "high": -row["low"],
    }  # fmt: skip


def _proven(row: Mapping[str, Any]) -> str:
    """What a gap means for those in the group."""
    _, more, less = SAID[row["metric"]]
    return f"{more if row['difference'] > 0 else less}, {_figures(row)}"


def _figures(row: Mapping[str, Any]) -> str:
    """Both sides of a comparison and their difference."""
    value, against = words.number(row["group_value"]), words.number(row["reference_value"])
    interval = words.span(row["low"], row["high"], is_signed=True)
    said = f", 95\u00a0% {interval}" if interval else ""
    difference = words.number(row["difference"], is_signed=True)
    return f"{value} against {against} (difference {difference}{said})"


def _unproven(row: Mapping[str, Any], margin: float) -> str:
    """The widest difference in doubt, why it cannot be told, and what could have been found."""
    told = f"widest difference in doubt: {SAID[row['metric']][0]} {_figures(row)}."
    told += f" It cannot be told: {why(row)}."
    if pd.isna(row["mdd"]):
        return told
    found = words.number(row["mdd"])
    if row["why"] in (FEW, NOBODY):
        return f"{told} With so few, a difference below {found} would most likely go unseen."
    told = f"{told} Four times out of five this cohort would tell a difference of {found} from none"
    beyond = margin + row["mdd"]
    return (
        f"{told}, and prove one of {words.number(beyond)} larger than the margin of {margin:g}."
        if beyond < 1
        else f"{told}."
    )


def why(row: Mapping[str, Any]) -> str:
    """Why a comparison has no answer; empty where it has one."""
    return words.WHY.get(row["why"], str(row["why"]))


def widest(judged: pd.DataFrame) -> str:
    """The widest proven gap in a sentence without its full stop; empty where there is none."""
    failed = judged[judged["verdict"] == FAIL]
    if failed.empty:
        return ""
    row = _from_the_worse_off(failed.loc[failed["difference"].abs().idxmax()].to_dict())
    return f"of {row['group']} against {other(row)}, {_proven(row)}"


def in_short(findings: list[Finding], has_crossed_gap: bool) -> str:
    """The whole audit in a few sentences."""
    by = {v: [f.name.lower() for f in findings if f.verdict == v] for v in (FAIL, INSUFFICIENT, PASS)}
    parts = []
    if by[FAIL]:
        parts.append(f"Gaps are proven by {words.listing(by[FAIL])}.")
    elif has_crossed_gap:
        parts.append("No gap is proven for a single attribute, but some are where two attributes cross.")
    else:
        parts.append("No gap is proven.")
    if by[INSUFFICIENT]:
        parts.append(f"By {words.listing(by[INSUFFICIENT])} this cohort cannot tell: that does not mean fair.")
    if by[PASS]:
        parts.append(f"By {words.listing(by[PASS])} all comparisons lie within the margin.")
    return " ".join(parts)


def to_gather(view: View) -> pd.DataFrame:
    """Of each comparison with the reference that has no answer, how many subjects with an event either answer would need.

    Grain: one row per group of a single attribute, in the metric that is asked about first: attribute, group, reference,
    metric, n_event_subjects (of the smaller side), mdd, to_pass (where there is no difference), to_fail (where it is twice the
    margin), each four times out of five. The standard error falls with the root of the number of subjects, if both sides grow
    alike; an interval within the margin asks for 3.24 of them, one beyond it for 2.8. Missing where so few had an event that
    nothing follows from them. Adjusting for many comparisons asks for more.
    """
    metric = next((name for name in SAID if name in view.judged), None)
    parts = [view.verdicts(name) for name in view.attributes]
    rows = pd.concat(parts) if parts else view.shown.tables["verdicts"].iloc[:0]
    rows = rows[(rows["metric"] == metric) & (rows["versus"] != REST) & (rows["verdict"] == INSUFFICIENT)]
    to_fail = rows["n_event_subjects"].astype(float) * (rows["mdd"].astype(float) / view.margin) ** 2
    to_fail = to_fail.where(rows["why"].isin(OPEN))
    return rows.assign(
        to_pass=_told_roughly(to_fail * (PASS_FACTOR / POWER_FACTOR) ** 2), to_fail=_told_roughly(to_fail)
    )


def _told_roughly(numbers: pd.Series) -> pd.Series:
    """Up to the next number of two digits: it is an extrapolation."""
    step = 10.0 ** (np.floor(np.log10(numbers.where(numbers > 0))) - 1)
    return np.ceil(numbers / step) * step


def enough_to_judge() -> str:
    """From how many a group is judged at all."""
    return f"{disclosure.SMALLEST_SUBJECTS} subjects, {disclosure.SMALLEST_EVENT_SUBJECTS} of them with an event"
