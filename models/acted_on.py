"""Which scores and index dates were acted on: something was done for the subject before the horizon was over.

An event that did not come may then have been averted, and a score that was right looks wrong. Figures that leave such rows
out say how much hangs on them, not how good a score would be if nobody acted: those acted on are those at highest risk.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import resampling
from models.evaluation import COLUMNS
from models.outcomes import at_horizon
from models.protocol import Predictions

Marks = NDArray[np.bool_]
ACTED = "acted"
AUROC = "auroc_not_acted_on"


def acted_on(
    rows: pd.DataFrame, feedback: pd.DataFrame, interventions: pd.DataFrame, horizon_days: int, outcome: str
) -> Marks:
    """Whether each row was acted on: something was done within the horizon after it, or a verdict says so of it.

    Args:
        rows: `subject_id, index_date`, one row per score or index date of the outcome; `score_id` where scores are known.
        feedback: verdicts known by now: `subject_id, event_on` (the risk day on which it was given), `verdict`, and what it is
            about, each missing where it does not tell: `score_id, outcome, as_of_date`.
        interventions: `subject_id, event_on`, of any kind; what was done has no outcome.
        horizon_days: days from the index date, itself included.
        outcome: of the rows.

    Returns:
        Row by row beside `rows`; nobody was acted on where nothing is on record.
    """
    said = feedback[feedback["verdict"] == ACTED]
    done = pd.concat([interventions[["subject_id", "event_on"]], said[["subject_id", "event_on"]]])
    return _followed(rows, done, horizon_days) | _named(rows, said, outcome)


def _followed(rows: pd.DataFrame, done: pd.DataFrame, horizon_days: int) -> Marks:
    """Whether anything was done for the subject on one of the `horizon_days` days from the index date on."""
    marks = np.zeros(len(rows), bool)
    if done.empty:
        return marks
    asked = pd.DataFrame({"subject_id": rows["subject_id"].astype(str), "on": rows["index_date"]}).reset_index(
        drop=True
    )
    asked["on"], asked["place"] = asked["on"].astype("datetime64[us]"), np.arange(len(asked))
    on = done["event_on"].astype("datetime64[us]")
    deeds = (
        pd.DataFrame({"subject_id": done["subject_id"].astype(str), "on": on, "next": on}).dropna().sort_values("on")
    )
    found = pd.merge_asof(asked.sort_values("on"), deeds, on="on", by="subject_id", direction="forward")
    within = (found["next"] - found["on"]) < pd.Timedelta(days=horizon_days)
    marks[found["place"].to_numpy()] = within.to_numpy()
    return marks


def _named(rows: pd.DataFrame, said: pd.DataFrame, outcome: str) -> Marks:
    """Whether a verdict names the row, by its score or by its night, however late it was given."""
    marks = np.zeros(len(rows), bool)
    if said.empty:
        return marks
    about = said[said["outcome"].isna() | (said["outcome"] == outcome)].dropna(subset="as_of_date")
    nights = pd.MultiIndex.from_arrays(
        [about["subject_id"].astype(str), about["as_of_date"].astype("datetime64[us]")], names=["subject_id", "on"]
    )
    own = pd.MultiIndex.from_arrays([rows["subject_id"].astype(str), rows["index_date"].astype("datetime64[us]")])
    marks |= own.isin(nights)
    if "score_id" in rows:
        marks |= rows["score_id"].isin(said["score_id"].dropna()).to_numpy()
    return marks


def counts(labels: pd.DataFrame, marks: Marks, horizon_days: int) -> dict[str, int]:
    """Labelled rows, those acted on, and those of them with an event: rows and distinct subjects.

    Args:
        labels: of one task, as of `models.outcomes.label`.
        marks: of `acted_on`, row by row beside them.
    """
    label = at_horizon(labels, horizon_days)
    known = np.isfinite(label)
    parts = {"labelled": known, "acted_on": known & marks, "acted_on_with_event": known & marks & (label == 1)}
    found = {f"{name}_rows": int(of.sum()) for name, of in parts.items()}
    return found | {f"{name}_subjects": int(labels["subject_id"][of].nunique()) for name, of in parts.items()}


def sensitivity(
    predictions: Predictions, marks: Marks, horizon_days: int, models: tuple[str, ...], dataset: str, outcome: str,
    resamples: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Tidy rows of the AUROC of each model without the rows acted on; none where no row was, or too few are left.

    Intervals resample subjects; fits stay.

    Args:
        predictions: of the split that headlines.
        marks: of `acted_on`, row by row beside `predictions.rows`.
        models: predictors by name.
    """
    rows, place = predictions.rows, predictions.horizons_days.index(horizon_days)
    label = at_horizon(rows, horizon_days)
    kept = np.isfinite(label) & ~marks
    is_estimable = rows["subject_id"][kept & (label == 1)].nunique() >= 2 and (label[kept] == 0).any()
    if not (marks & np.isfinite(label)).any() or not is_estimable:
        return pd.DataFrame(columns=list(COLUMNS))
    code, subjects = pd.factorize(rows["subject_id"][kept])
    drawn = np.vstack([np.ones(len(subjects)), resampling.draws(len(subjects), resamples, seed)])
    onset = rows["index_date"] + pd.to_timedelta(rows["days_to_event"], unit="D")
    episodes = pd.DataFrame({"of": rows["subject_id"], "on": onset})[kept & (label == 1)].drop_duplicates()
    told = {"dataset": dataset, "outcome": outcome, "task": predictions.task, "horizon_days": horizon_days,
            "split": predictions.split, "group": "all", "n_subjects": len(subjects), "n_episodes": len(episodes)}  # fmt: skip
    tidy = []
    for model in models:
        pairs = resampling.concordance(predictions.risks[model][kept, place], label[kept], code.astype(np.int64))
        value, low, high = resampling.with_interval(pairs.auroc(drawn))
        tidy.append({**told, "model": model, "metric": AUROC, "value": value, "low": low, "high": high})
    return pd.DataFrame(tidy, columns=list(COLUMNS))
