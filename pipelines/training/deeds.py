"""What was done for subjects and what clinicians said of scores, as a night knows it; and how a training treats rows acted on.

Rows that were acted on are kept and learnt from as they are: to leave them out would leave out those at highest risk. How
many they are is counted, and what the headline figure is without them is told beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from models import acted_on
from models.acted_on import Marks
from models.outcomes import Outcome
from models.protocol import Predictions
from pipelines import cohort as cohorts
from pipelines import engineering
from pipelines.cohort import Cohort
from pipelines.installation import Installation
from pipelines.lake import Lake
from pipelines.training.provenance import dataset_name

ACTED_ON = "acted_on"


@dataclass(frozen=True)
class Deeds:
    """Verdicts and interventions in force on a night, each with `event_on`, the risk day on which it was given or done."""

    feedback: pd.DataFrame
    interventions: pd.DataFrame

    @property
    def are_recorded(self) -> bool:
        """Whether anything is on record from which rows could be known to be acted on."""
        return bool(len(self.interventions) or (self.feedback["verdict"] == acted_on.ACTED).any())

    def marks(self, rows: pd.DataFrame, horizon_days: int, outcome: str) -> Marks:
        """Which rows (`subject_id, index_date`, perhaps `score_id`) of an outcome were acted on within the horizon."""
        return acted_on.acted_on(rows, self.feedback, self.interventions, horizon_days, outcome)


def known(lake: Lake, cohort: Cohort) -> Deeds:
    """What the cohort's night knows: as received by the cutoff, the newest version of each."""
    feedback, interventions = (cohorts.in_force(cohorts.dated(lake, cohort, name), cohort.as_of)
                               for name in ("feedback", "interventions"))  # fmt: skip
    nights = pd.to_datetime(feedback["as_of_date"]).astype("datetime64[us]")
    return Deeds(feedback.assign(as_of_date=nights), interventions)


def counted(deeds: Deeds, labels: pd.DataFrame, outcome: Outcome, horizon_days: int) -> dict[str, object]:
    """How many labelled onset rows were acted on, and how many of those an event followed."""
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    found = acted_on.counts(onset, deeds.marks(onset, horizon_days, outcome.name), horizon_days)
    told = {"outcome": outcome.name, "horizon_days": horizon_days, "is_recorded": deeds.are_recorded}
    return {**told, **found}


def without_them(
    installation: Installation, night: str, predictions: Predictions, outcome: Outcome, models: Sequence[str]
) -> pd.DataFrame:
    """Tidy rows of the headline ranking without the rows that were acted on; none where none was, or it cannot be told."""
    how, horizon = installation.settings.training, installation.settings.outcomes[outcome.name].alert_horizon
    marks = known(installation.lake, engineering.cohort(installation, night)).marks(
        predictions.rows, horizon, outcome.name
    )
    return acted_on.sensitivity(
        predictions,
        marks,
        horizon,
        tuple(dict.fromkeys(models)),
        dataset_name(installation),
        outcome.name,
        how.resamples,
        how.seed,
    )
