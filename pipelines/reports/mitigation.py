"""Mitigation compared: what each way gains for whom and costs whom, in sentences and as a table.

Nothing here is a recommendation: whether to take from one group for another is for people to decide.
"""

from typing import Any

import pandas as pd

from models.fairness.frontier import GAP, MINUS_UNMITIGATED
from models.fairness.ways import RANDOMISED, RECALIBRATION, REWEIGHING, UNMITIGATED, WAYS
from models.power import EVERYBODY
from pipelines.reports import words
from pipelines.training.mitigating import Compared

CALLED = {
    REWEIGHING: "Reweighing",
    RECALIBRATION: "Recalibration by group",
    "exponentiated_gradient": "Exponentiated gradient",
    "threshold_optimizer": "Threshold optimizer",
}
MAY_BE_DECLARED = {
    UNMITIGATED: "yes, by declaring none",
    REWEIGHING: "yes",
    RECALIBRATION: "no: what serves reads no attribute that is audited",
    **dict.fromkeys(RANDOMISED, "no: for comparison only"),
}
# Squared errors of rare events are small.
FINE = {"brier": 4}


def sentences(found: Compared) -> list[str]:
    """What serves does now; what each way gains and costs; what that proves; what each needs, and which may be chosen."""
    return [as_it_is(found), *(of_way(found, way) for way in WAYS[1:]), closed(found), _needed(found)]


def table(found: Compared) -> list[dict[str, object]]:
    """One row per way and group: what it does there, and by how much that differs from no mitigation."""
    return [_line(found, way, str(group)) for group in shown(found) for way in WAYS]


def _line(found: Compared, way: str, group: str) -> dict[str, object]:
    by = by_key(found)
    line: dict[str, object] = {"group": words.plain(group), "way": called(found, way)}
    for metric in ("selection_rate", "tpr"):
        line[words.metric(metric).short] = words.number(by.loc[(way, group, metric), "value"])
    line[f"Caught − {base(found)} (95 %)"] = "" if way == UNMITIGATED else change_of(by, way, group, "tpr")
    for metric in ("fpr", "ppv", "auroc", "calibration_slope", "brier"):
        line[words.metric(metric).short] = words.number(
            by.loc[(way, group, metric), "value"], decimals=FINE.get(metric, words.DECIMALS)
        )
    return line


def base(found: Compared) -> str:
    """What all ways are compared with, within a sentence."""
    return "without mitigation" if found.reweighed_by else "as served"


def called(found: Compared, way: str) -> str:
    """A way as a heading."""
    return CALLED.get(way) or base(found).capitalize()


def may_be_declared(found: Compared, way: str) -> str:
    """Whether a way may be declared."""
    serves = UNMITIGATED
    if found.reweighed_by:
        serves = REWEIGHING if found.reweighed_by == found.attribute else ""
    return "it is what serves" if way == serves else MAY_BE_DECLARED[way]


def by_key(found: Compared) -> pd.DataFrame:
    """Its rows by model, group and metric."""
    return found.rows.set_index(["model", "group", "metric"])


def shown(found: Compared) -> list[str]:
    """Everybody, and the groups that may be shown."""
    return list(dict.fromkeys(found.rows["group"]))


def _group(found: Compared, label: str) -> str:
    return label.removeprefix(f"{found.attribute}=")


def change_of(by: pd.DataFrame, way: str, group: str, metric: str) -> str:
    """A difference to no mitigation, with its interval."""
    return _span(by.loc[(f"{way}{MINUS_UNMITIGATED}", group, metric)], metric)


def _span(row: Any, metric: str) -> str:
    decimals = FINE.get(metric, words.DECIMALS)
    span = words.span(row["low"], row["high"], is_signed=True, decimals=decimals)
    told = words.number(row["value"], is_signed=True, decimals=decimals)
    return f"{told} ({span})" if span else told


def _of_100(value: float) -> str:
    return f"{100 * value:.0f}"


def as_it_is(found: Compared) -> str:
    by, row = by_key(found), found.rows.iloc[0]
    caught = found.rows[
        (found.rows["model"] == UNMITIGATED) & (found.rows["metric"] == "tpr") & (found.rows["group"] != EVERYBODY)
    ]
    most, least = (caught.loc[place] for place in (caught["value"].idxmax(), caught["value"].idxmin()))
    already = (
        f" What serves is reweighed by {words.plain(found.reweighed_by)}; it is compared here with what it would be without."
        if found.reweighed_by
        else ""
    )
    name = words.served(found.served)
    return (
        f"{name[0].upper()}{name[1:]} catches {_of_100(by.loc[(UNMITIGATED, EVERYBODY, 'tpr'), 'value'])} of 100 days before "
        f"an event ({words.plain(str(row['outcome']))}, {words.counted(row['horizon_days'], 'day')}, "
        f"{words.SPLITS[str(row['split'])]}) with the top {words.percent(found.top_share)} flagged; by "
        f"{words.plain(found.attribute)} it is {_of_100(most['value'])} in the group “{_group(found, most['group'])}” and "
        f"{_of_100(least['value'])} in “{_group(found, least['group'])}”: a widest gap of "
        f"{words.figure(by.loc[(UNMITIGATED, EVERYBODY, GAP)])}.{already}"
    )


def of_way(found: Compared, way: str) -> str:
    """What a way does to the gap, to everybody, and to groups."""
    by = by_key(found)
    change = by.loc[(f"{way}{MINUS_UNMITIGATED}", EVERYBODY, GAP)]
    verdict = words.proven(
        change, 0, "widens the widest gap", "narrows the widest gap", "is not proven to narrow or widen the gap"
    )
    gap = words.number(by.loc[(way, EVERYBODY, GAP), "value"])
    said = [f"{called(found, way)} {verdict} (now {gap}; change {_span(change, GAP)})."]
    caught, flagged = by.loc[(way, EVERYBODY, "tpr")], by.loc[(way, EVERYBODY, "selection_rate"), "value"]
    lot = ", not proven more than a lot would" if not caught["low"] > flagged else ""
    said.append(
        f"For everybody it catches {_of_100(caught['value'])} of 100{lot} "
        f"(change {change_of(by, way, EVERYBODY, 'tpr')})"
        + (f", flagging {_of_100(flagged)} of 100 days." if way in RANDOMISED else ".")
    )
    said.append(_for_whom(found, way))
    return " ".join(said)


def _for_whom(found: Compared, way: str) -> str:
    """Groups that are proven to be caught more or less often; where there are none, the largest change all the same."""
    rows = found.rows
    rows = rows[
        (rows["model"] == f"{way}{MINUS_UNMITIGATED}") & (rows["metric"] == "tpr") & (rows["group"] != EVERYBODY)
    ]
    gains, costs = rows[rows["low"] > 0], rows[rows["high"] < 0]
    told = [
        f"{what} {words.listing([_named(found, row) for row in of.to_dict('records')])}"
        for what, of in (("It is proven to catch more in", gains), ("It is proven to catch less in", costs))
        if len(of)
    ]
    if told:
        return f"{'. '.join(told)}."
    largest = rows.loc[rows["value"].abs().idxmax()]
    return f"No group is proven to be caught more or less often; the largest change is in {_named(found, largest)}."


def _named(found: Compared, row: Any) -> str:
    """A group and how its share caught changes."""
    return f"“{_group(found, str(row['group']))}” ({_span(row, 'tpr')})"


def closed(found: Compared) -> str:
    by = by_key(found)
    closed = [called(found, way) for way in WAYS if by.loc[(way, EVERYBODY, GAP), "high"] <= found.margin]
    rule = "A gap that is not proven closed is not closed"
    if not closed:
        return f"{rule}: with none of these does the widest gap lie, interval and all, within {found.margin:g}."
    return f"{rule}: it lies, interval and all, within {found.margin:g} with {words.listing(closed)} alone."


def _needed(found: Compared) -> str:
    """What each needs at prediction, which may be chosen, and who is not shown."""
    hidden = hidden_groups(found)
    small = f" Too small to be shown: {words.listing([f'“{name}”' for name in hidden])}." if hidden else ""
    return (
        "At prediction reweighing needs nothing; recalibration by group needs the attribute; the exponentiated gradient needs chance; "
        "the threshold optimizer needs both. The last two flag by chance: they are for comparison only and cannot be chosen. Only "
        "reweighing can be declared, under `training: mitigation:`; the release policy then judges what it makes."
        + small
    )


def hidden_groups(found: Compared) -> list[str]:
    """Names of the groups that are too small to be shown."""
    groups = found.groups
    return [str(name) for name in groups.loc[~groups["is_shown"] & (groups["attribute"] != EVERYBODY), "group"]]
