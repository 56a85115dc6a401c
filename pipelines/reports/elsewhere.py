"""A model on a cohort it never saw, for a terminal: what a clinician is to know first, and a table of ways to use it."""

import pandas as pd

from models.baselines import called
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


def sentences(found: Validated) -> list[str]:
    """Whether the model ranks better than the cohort's best rule, whether its risks are right there, and what else to know."""
    rows = _shown(found)
    own = rows[rows["model"] == AS_IS].set_index("metric")
    return [_ranking(found, own, _best(rows)), _calibration(own), *found.remarks]


def _ranking(found: Validated, own: pd.DataFrame, best: str | None) -> str:
    subjects, episodes = (
        words.counted(own[of].iloc[0], one) for of, one in (("n_subjects", "subject"), ("n_episodes", "episode"))
    )
    about = (
        f"{words.plain(found.outcome)}, {words.counted(found.horizon_days, 'day')}, {subjects} with {episodes}: as it is, "
        f"{found.model} ranks with AUROC {_figure(own, 'auroc')}"
    )
    if best is None:
        return f"{about}."
    verdict = words.proven(
        own.loc[GAIN], 0, "it ranks better than the best simple rule there", "the best simple rule there ranks better",
        "it is not proven to rank better, nor worse, than the best simple rule there",
    )  # fmt: skip
    difference = words.figure(own.loc[GAIN], is_signed=True)
    return f"{about}; {verdict} ({called(best)}; difference {difference}, conditional on the fitted models)."


def _calibration(own: pd.DataFrame) -> str:
    intercept, slope = own.loc["calibration_intercept"], own.loc["calibration_slope"]
    level = words.proven(
        intercept, 0, "Its risks are too low there", "Its risks are too high there",
        "Its risks are not proven to be too high or too low there",
    )  # fmt: skip
    spread = words.proven(
        slope, 1, "they differ less from one another than they should", "they differ more from one another than they should",
        "that they differ too much or too little from one another is not proven",
    )  # fmt: skip
    return f"{level} (intercept {words.figure(intercept, is_signed=True)}); {spread} (slope {words.figure(slope)})."
