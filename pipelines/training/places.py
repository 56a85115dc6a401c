"""Where subjects belong: the site and the device that the full protocol leaves out, one after the other."""

import pandas as pd

from models import splits
from pipelines import engineering
from pipelines.cohort import Cohort
from pipelines.installation import Installation
from pipelines.lake import Lake

# What a device sends.
WORN = ("sleep", "wearable_days", "wearable")


def places_of(installation: Installation, night: str) -> dict[str, pd.Series]:
    """Site and device of each subject, by the name of the split that leaves one of them out."""
    known = engineering.cohort(installation, night)
    sites = known.subjects.set_index("subject_id")["site"]
    return {splits.UNSEEN_SITE: sites, splits.UNSEEN_DEVICE: device_models(installation.lake, known)}


def device_models(lake: Lake, cohort: Cohort) -> pd.Series:
    """The device model that most of each subject's known rows come from, indexed by subject; who has none is not there."""
    connection, counts = lake.connection(), []
    for table in WORN:
        rows = lake.history(table, cohort.known_at, connection)
        worn = rows.filter("device_model IS NOT NULL AND device_model <> ''")
        counts.append(worn.aggregate("subject_id, device_model, count(*) AS n").df())
    of = pd.concat(counts).groupby(["subject_id", "device_model"], as_index=False)["n"].sum()
    most = of.sort_values(["n", "device_model"], ascending=[False, True]).drop_duplicates("subject_id")
    return most.set_index("subject_id")["device_model"]
