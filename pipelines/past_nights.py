"""Nights that are over, scored as they would have been: features of many at once, each as known at its own cutoff."""

from collections.abc import Iterator, Sequence

import pandas as pd

from models import alerting, risk
from pipelines import engineering
from pipelines.cohort import Cohort
from pipelines.installation import Installation
from pipelines.scoring import Serving

NO_ALERTS = alerting.NO_ALERTS.assign(outcome="")[["outcome", *alerting.ALERT_COLUMNS]]
Matrices = dict[str, dict[pd.Timestamp, pd.DataFrame]]


def matrices(installation: Installation, known: Sequence[Cohort], served: Serving) -> Matrices:
    """Features of everybody on the roster of each night, by outcome and night; nothing is stored.

    Args:
        known: the cohort of each night, in their order.
        served: what is to score, and so which features; an outcome that was declared since has nothing.
    """
    index = pd.concat([of.roster[["subject_id"]].assign(index_date=of.as_of) for of in known], ignore_index=True)
    days, catalog = engineering.panel(installation, f"{known[-1].as_of:%Y-%m-%d}"), installation.settings.catalog()
    found: Matrices = {}
    # An outcome may have been declared only after those nights.
    for outcome in (of for of in engineering.outcomes(installation) if of.name in served):
        features = engineering.looked_at(catalog, risk.load(served[outcome.name].folder))
        found[outcome.name] = dict(_by_night(engineering.built(installation, days, outcome, index, features)))
    return found


def _by_night(parts: Iterator[pd.DataFrame]) -> Iterator[tuple[pd.Timestamp, pd.DataFrame]]:
    for night, rows in pd.concat(parts, ignore_index=True).groupby("index_date"):
        yield pd.Timestamp(str(night)).as_unit("us"), rows.reset_index(drop=True)
