"""A model on a cohort it never saw, for a terminal: what a clinician is to know first, and a table of ways to use it."""

import pandas as pd

from models.evaluation import GAIN
from models.external_validation import AS_IS, WAYS
from pipelines.release.external_validation import Validated
from pipelines.reports import words

SHOWN = ("auroc", GAIN, "calibration_slope", "calibration_intercept", "ici", "brier", "scaled_brier")
HEADINGS = {GAIN: "minus best rule"}
BRIER_DECIMALS = 4
BEST = "best baseline: "


def table(found: Validated) -> list[dict[str, object]]:
    """One row per way of using the model, then the cohort's best simple rule: each metric with its interval."""
    rows = _shown(found)
    best = _best(rows)
    names = [name for name in (*WAYS, best) if name in set(rows["model"])]
    return [_line(str(name), rows[rows["model"] == name].set_index("metric")) for name in names]


def _shown(found: Validated) -> pd.DataFrame:
    return found.rows[found.rows["horizon_days"] == found.horizon_days]


def _best(rows: pd.DataFrame) -> str | None:
    """The simple rule that gains are over; none where none could be fitted."""
    of = rows.loc[rows["metric"] == GAIN, "group"]
    return None if of.empty else str(of.iloc[0]).removeprefix(BEST)


def _line(name: str, metrics: pd.DataFrame) -> dict[str, object]:
    told = {HEADINGS.get(m, words.metric(m).short): _figure(metrics, m) for m in SHOWN}
    return {"model": words.predictor(name), **told}


def _figure(metrics: pd.DataFrame, name: str) -> str:
    if name not in metrics.index:
        return words.DASH
    row, is_signed = metrics.loc[name], name in (GAIN, "calibration_intercept")
    decimals = BRIER_DECIMALS if name == "brier" else words.DECIMALS
    span = words.span(row["low"], row["high"], is_signed, decimals)
    return words.number(row["value"], is_signed, decimals) + (f" ({span})" if span else "")


def _told(metrics: pd.DataFrame, name: str) -> str:
    """A figure within brackets, hence without any of its own."""
    return _figure(metrics, name).replace(" (", ", 95 % ").removesuffix(")")


def sentences(found: Validated) -> list[str]:
    """Whether the model ranks better than the cohort's best rule, whether its risks are right there, and what else to know."""
    rows = _shown(found)
    own = rows[rows["model"] == AS_IS].set_index("metric")
    return [_ranking(found, own, _best(rows)), _calibration(own), *found.remarks]


def _ranking(found: Validated, own: pd.DataFrame, best: str | None) -> str:
    about = (
        f"{words.plain(found.outcome)}, {found.horizon_days} days, {words.count(own['n_subjects'].iloc[0])} subjects with "
        f"{words.count(own['n_episodes'].iloc[0])} episodes: as it is, {found.model} ranks with AUROC {_figure(own, 'auroc')}"
    )
    if best is None:
        return f"{about}."
    rule = words.predictor(best).removeprefix("Baseline: ")
    row = own.loc[GAIN]
    if row["low"] > 0:
        verdict = "it ranks better than the best simple rule there"
    elif row["high"] < 0:
        verdict = "the best simple rule there ranks better"
    else:
        verdict = "it is not proven to rank better, nor worse, than the best simple rule there"
    return f"{about}; {verdict} ({rule}; difference {_told(own, GAIN)})."


def _calibration(own: pd.DataFrame) -> str:
    intercept, slope = own.loc["calibration_intercept"], own.loc["calibration_slope"]
    if intercept["low"] > 0:
        level = "Its risks are too low there"
    elif intercept["high"] < 0:
        level = "Its risks are too high there"
    else:
        level = "Its risks are not proven to be too high or too low there"
    if slope["high"] < 1:
        spread = "they differ more from one another than they should"
    elif slope["low"] > 1:
        spread = "they differ less from one another than they should"
    else:
        spread = "that they differ too much or too little from one another is not proven"
    return f"{level} (intercept {_told(own, 'calibration_intercept')}); {spread} (slope {_told(own, 'calibration_slope')})."
