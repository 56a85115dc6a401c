"""What clinicians said of scores, as counts: by month and verdict, and by the tier of the score."""

from contextlib import suppress

import duckdb
import pandas as pd

from pipelines.cohort import Cohort
from pipelines.delivery import contract, parquet
from pipelines.delivery.nights import runs
from pipelines.installation import Installation
from pipelines.raw_rows import sql_list
from pipelines.training import deeds

# Months with the night's own; a verdict is on a score of that time, or of some weeks before.
MONTHS, BEFORE = 6, pd.Timedelta(days=62)
NOT_TOLD = "not told"
COLUMNS = ["month", "tier", "verdict", "subject_id"]


def verdicts(installation: Installation, known: Cohort) -> pd.DataFrame:
    """Verdicts of the last months known by a night, one row each: `month, tier, verdict, subject_id`.

    The tier is that of the delivered row that a verdict names, by its score or by its night and outcome; `not told` where
    it names none, or none with a tier.
    """
    since = known.as_of.to_period("M").to_timestamp() - pd.DateOffset(months=MONTHS - 1)
    said = deeds.known(installation.lake, known).feedback
    said = said[said["event_on"] >= since].reset_index(drop=True)
    if said.empty:
        return pd.DataFrame(columns=COLUMNS)
    tier = _tiers(installation, said, f"{since - BEFORE:%Y-%m-%d}", f"{known.as_of:%Y-%m-%d}")
    return said.assign(month=said["event_on"].dt.strftime("%Y-%m"), tier=tier.fillna(NOT_TOLD))[COLUMNS]


def _tiers(installation: Installation, said: pd.DataFrame, since: str, until: str) -> pd.Series:
    """Row by row the tier of what a verdict is about, the gravest where it is about several; missing where it is not known."""
    folders = runs(installation.settings.deliveries_folder)
    paths = [
        f"{path}"
        for folder in folders
        if since <= folder.parent.name <= until and (path := folder / parquet.NAME).is_file()
    ]
    none = pd.Series(None, index=said.index, dtype=object)
    if not paths:
        return none
    asked = said[["subject_id", "score_id", "outcome", "as_of_date"]].assign(place=said.index)
    # A damaged delivery is told of where it is verified; here it only leaves tiers untold.
    with suppress(duckdb.Error), duckdb.connect() as connection:
        connection.register("asked", asked.astype(dict.fromkeys(("subject_id", "score_id", "outcome"), "object")))
        found = connection.execute(f"""
            SELECT a.place, arg_min(s.tier, list_position({list(contract.TIERS)}, s.tier)) AS tier
            FROM asked a JOIN read_parquet({sql_list(paths)}) s
            ON s.score_id = a.score_id OR (a.score_id IS NULL AND s.subject_id = a.subject_id
                AND s.as_of_date = a.as_of_date::DATE AND (a.outcome IS NULL OR s.outcome = a.outcome))
            GROUP BY a.place""").df()  # fmt: skip
        return found.set_index("place")["tier"].reindex(said.index)
    return none
