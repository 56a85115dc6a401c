"""Death and admission compete with an outcome: whoever dies or is admitted first does not have it within the horizon.

Without that, a horizon cut short by death would be censored as if the outcome could still come, and an event after a stay
on the ward would count as foreseen from before it. An event on the day of the admission comes first.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ADMITTED = "inpatient"
COMPETING = (ADMITTED, "deceased")


def competing_days(care: pd.DataFrame) -> pd.DataFrame:
    """Days of admissions and deaths: `subject_id, event_on`.

    Args:
        care: versions of care status in force: `subject_id, event_on, status`.
    """
    found: pd.DataFrame = care.loc[care["status"].isin(COMPETING), ["subject_id", "event_on"]]
    return found


def is_admitted(index: pd.DataFrame, care: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether the last care status before each index date is an admission: nobody is scored then, nor at risk.

    Args:
        index: `subject_id, index_date`.
        care: as of `competing_days`, those of one day in their order.
    """
    dates = index[["subject_id", "index_date"]].assign(row=np.arange(len(index))).sort_values("index_date")
    # An empty table's columns have no types of their own.
    types = {"subject_id": index["subject_id"].dtype, "event_on": index["index_date"].dtype}
    care = care[["subject_id", "event_on", "status"]].astype(types).sort_values("event_on", kind="stable")
    last = pd.merge_asof(
        dates, care, left_on="index_date", right_on="event_on", by="subject_id", allow_exact_matches=False
    )
    found: NDArray[np.bool_] = (last.sort_values("row")["status"] == ADMITTED).to_numpy(dtype=bool)
    return found
