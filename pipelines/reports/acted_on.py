"""Says how a training treated rows that were acted on, in sentences."""

import pandas as pd

from models.acted_on import AUROC
from models.baselines import MODEL, called
from models.fairness.disclosure import SMALLEST_SUBJECTS
from pipelines.reports import words

NONE_RECORDED = (
    "None recorded: neither an intervention nor a verdict “acted” was known, so that nobody can tell which rows were acted on. The "
    "risk is that under the care given."
)
HOW = "They are kept and learnt from as they are, since to leave them out would leave out those at highest risk: "


def sentences(acted_on: pd.DataFrame | None, results: pd.DataFrame, outcome: str, split: str) -> list[str]:
    """What became of rows acted on, and the headline ranking with and without them where it can be told.

    Args:
        acted_on: as `pipelines.training.labelling` stores it; None of trainings of before.
        results: tidy rows.
        split: that headlines.
    """
    own = None if acted_on is None else acted_on[acted_on["outcome"] == outcome]
    if own is None or own.empty or not own["is_recorded"].iloc[0]:
        return [NONE_RECORDED]
    row = own.iloc[0]
    within = words.counted(row["horizon_days"], "day")
    if row["acted_on_subjects"] < SMALLEST_SUBJECTS:
        few = f"Something was done within {within} for fewer than {SMALLEST_SUBJECTS} subjects with a labelled row. "
        return [few + f"{HOW}the risk is that under the care given."]
    said = (
        f"{words.rounded(row['acted_on_rows'])} of {words.rounded(row['labelled_rows'])} labelled rows were acted on: something was "
        f"done within {within} for {words.rounded(row['acted_on_subjects'])} subjects. "
    )
    if row["acted_on_with_event_subjects"] >= SMALLEST_SUBJECTS:
        said += f"An event followed {words.rounded(row['acted_on_with_event_rows'])} of those rows. "
    return [
        said + f"{HOW}the risk is that under the care given.",
        *_rankings(results, outcome, split, row["horizon_days"]),
    ]


def _rankings(results: pd.DataFrame, outcome: str, split: str, horizon_days: int) -> list[str]:
    at = results[(results["outcome"] == outcome) & (results["task"] == "onset") & (results["split"] == split)]
    at = at[(at["horizon_days"] == horizon_days) & (at["group"] == "all")]
    found = []
    for _, without in at[at["metric"] == AUROC].sort_values("model", key=lambda name: name != MODEL).iterrows():
        whole = at[(at["metric"] == "auroc") & (at["model"] == without["model"])]
        if len(whole):
            name = called(without["model"])
            figures = f"without them ({words.figure(without)}), with them ({words.figure(whole.iloc[0])})"
            found.append(f"{name[0].upper()}{name[1:]}: AUROC {figures}.")
    return found
