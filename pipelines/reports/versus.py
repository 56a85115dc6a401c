"""Two models on the same rows, for a terminal: one sentence that a clinician understands, and a table by group."""

import pandas as pd

from models.contest import DIFFERENCE
from models.power import EVERYBODY
from pipelines.release.comparing import Compared
from pipelines.reports import words

# Column headings, and decimals: squared errors are small.
SHOWN = {"auroc": ("AUROC", words.DECIMALS), "tpr": ("Caught", words.DECIMALS), "brier": ("Brier", 4)}


def table(found: Compared) -> list[dict[str, object]]:
    """One row per group: what each model does there, and by how much they differ, with intervals."""
    return [_line(found, str(group), part) for group, part in found.rows.groupby("group", sort=False)]


def _line(found: Compared, group: str, rows: pd.DataFrame) -> dict[str, object]:
    by = rows.set_index(["model", "metric"])
    line: dict[str, object] = {"group": words.plain(group), "subjects": _count(rows["n_subjects"].iloc[0])}
    for metric, (short, decimals) in SHOWN.items():
        both = [words.number(by.loc[(model, metric), "value"], decimals=decimals) for model in found.models]
        row = by.loc[(DIFFERENCE, metric)]
        span = words.span(row["low"], row["high"], is_signed=True, decimals=decimals) or words.DASH
        line[f"{short} A, B"] = ", ".join(both)
        line[f"{short} A − B (95 %)"] = f"{words.number(row['value'], is_signed=True, decimals=decimals)} ({span})"
    return line


def _count(value: float) -> str:
    return words.DASH if pd.isna(value) else words.count(value)


def sentences(found: Compared) -> list[str]:
    """Which ranks people better, what each would catch, whose risks are nearer; then which groups differ or are hidden."""
    by = found.rows[found.rows["group"] == EVERYBODY].set_index(["model", "metric"])
    one, other = found.models
    row, caught = by.loc[(DIFFERENCE, "auroc")], [by.loc[(model, "tpr"), "value"] for model in found.models]
    outcome, horizon = found.rows["outcome"].iloc[0], found.rows["horizon_days"].iloc[0]
    return [
        f"{_verdict(one, other, row)} (AUROC difference {words.figure(row, is_signed=True)}; {words.plain(outcome)}, "
        f"{words.counted(horizon, 'day')}, {words.SPLITS[found.rows['split'].iloc[0]]}); with the top "
        f"{words.percent(found.top_share)} flagged, {one} catches {100 * caught[0]:.0f} and {other} {100 * caught[1]:.0f} of 100 "
        "days before an event.",
        _of_risks(one, other, by.loc[(DIFFERENCE, "brier")]),
        *_of_groups(found),
        f"Both were fitted anew, in the same folds: what is compared is how they are made, not their files. Intervals are "
        f"conditional on the fitted models. In the table A is {one} and B is {other}.",
    ]


def _verdict(one: str, other: str, row: pd.Series) -> str:
    return words.proven(
        row, 0, f"{one} ranks people it never saw better than {other}", f"{other} ranks people it never saw better than {one}",
        f"It is not proven that either of {one} and {other} ranks people it never saw better",
    )  # fmt: skip


def _of_risks(one: str, other: str, row: pd.Series) -> str:
    """Whose risks are nearer to what happened, however well they rank."""
    verdict = words.proven(
        row, 0, f"The risks of {other} are nearer to what happened than those of {one}",
        f"The risks of {one} are nearer to what happened than those of {other}",
        "It is not proven that the risks of either are nearer to what happened",
    )  # fmt: skip
    difference = words.figure(row, is_signed=True, decimals=SHOWN["brier"][1])
    return f"{verdict} (Brier score, smaller is better, {one} minus {other}: {difference})."


def _of_groups(found: Compared) -> list[str]:
    rows = found.rows[(found.rows["model"] == DIFFERENCE) & (found.rows["group"] != EVERYBODY)]
    apart = rows[(rows["metric"] == "auroc") & ((rows["low"] > 0) | (rows["high"] < 0))]
    told = []
    if len(apart):
        named = [
            f"{words.plain(row['group'])} ({words.figure(row, is_signed=True)})" for row in apart.to_dict("records")
        ]
        told.append(f"By group the AUROC differs in {words.listing(named)}; of many groups some do by chance.")
    n_hidden = sum(found.hidden.values())
    if n_hidden:
        told.append(f"{n_hidden} group{'s are' if n_hidden > 1 else ' is'} too small to be shown.")
    return told
