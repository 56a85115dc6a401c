"""The controls of a training in its model report and card: what each asked, its figure, whether it passed, in words."""

from typing import Any

import pandas as pd

from models.controls import PERMUTED, SHIFTED
from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS
from pipelines.reports import words
from pipelines.training.controls import DECLARED, RECOMPUTED, REFITTED

# What a reader is to know has been asked; the figure and the sentence beside it are the control's own.
ASKED = {
    DECLARED: "Is every column a feature of the catalogue?",
    RECOMPUTED: "Are features what the raw rows known at their time give?",
    REFITTED: "Are risks those of a fit that cannot see test rows?",
    SHIFTED: "Where each subject's labels begin on another day: is nothing ranked?",
    PERMUTED: "Where each subject has another's labels: is nothing ranked?",
}
# A count of what differs, or an AUROC by the name of what it is.
FIGURES = {SHIFTED: "within-subject AUROC", PERMUTED: "AUROC"}
IN_WORDS = {PASS: "passed", FAIL: "failed", INSUFFICIENT: "not estimable"}


def section(rows: pd.DataFrame, outcome: str) -> dict[str, Any]:
    """Every control of an outcome's training as a line, and a sentence about all of them.

    Args:
        rows: `outcome, control, figure, p, is_passed, told`, as `pipelines.training.controls` stores them.
    """
    lines = [_line(row) for row in rows[rows["outcome"] == outcome].to_dict("records")]
    failed = [line for line in lines if line["verdict"] == FAIL]
    unknown = sum(line["verdict"] == INSUFFICIENT for line in lines)
    if not lines:
        finding = "No control was run, so that no figure on this page can be relied on."
    elif failed:
        finding = f"{len(failed)} of {len(lines)} controls failed, so that no figure on this page can be relied on."
    else:
        finding = f"No control failed of {len(lines)}" + (f"; {unknown} could not be estimated." if unknown else ".")
    return {"finding": finding, "verdict": FAIL if failed or not lines else PASS, "lines": lines}


def _line(row: dict[str, Any]) -> dict[str, str]:
    control, figure = str(row["control"]), float(row["figure"])
    # One that could not be estimated does not stop a training, and is no success either.
    verdict = FAIL if pd.isna(row["is_passed"]) or not row["is_passed"] else INSUFFICIENT if pd.isna(figure) else PASS
    unit = FIGURES.get(control, "differences")
    told = words.number(figure) if control in FIGURES or pd.isna(figure) else words.count(figure)
    return {
        "asked": ASKED.get(control, words.plain(control).capitalize()),
        "figure": f"{told} {unit}" if told != words.DASH else words.DASH,
        "verdict": verdict,
        "result": IN_WORDS[verdict],
        "told": str(row["told"]),
    }
