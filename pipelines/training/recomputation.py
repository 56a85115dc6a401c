"""Features of past index dates computed again, from raw rows and by another way than that of the stored day panel.

For each index date: the cohort, the raw rows, the events and the restarts that were known by its own cutoff, and nothing
else. What the day panel keeps from night to night is not looked at.
"""

from collections.abc import Collection, Mapping, Sequence

import duckdb
import pandas as pd

from features import days
from features.calendar import is_knowable_sql
from features.days import Days
from features.flags import flags_of, restarts_of
from features.matrix import build_matrix
from models.outcomes import Outcome
from pipelines import cohort as cohorts
from pipelines import kept_hours
from pipelines.cohort import PANEL_STREAMS, Cohort
from pipelines.installation import Installation
from pipelines.lake import bucket_of
from pipelines.training.labelling import KEY

DAY = pd.Timedelta(days=1)


class Recomputation:
    """Raw rows of a few subjects as received by a night, and the features that they give.

    Args:
        night: the cohort of the training's night.
        subjects: of whom index rows may be asked for.
    """

    def __init__(self, installation: Installation, night: Cohort, outcome: Outcome, subjects: Collection[str]) -> None:
        self._installation, self._night, self._outcome = installation, night, outcome
        self._lake, self._catalog = installation.lake, installation.settings.catalog()
        self._zones = night.zones[night.zones.index.isin(subjects)]
        self._connection = self._lake.connection()
        self._connection.register("asked", pd.DataFrame({"subject_id": pd.Series(list(subjects), dtype="str")}))
        self._buckets = ", ".join(str(bucket) for bucket in sorted({bucket_of(name) for name in subjects}))
        for table in PANEL_STREAMS:
            rows = self._lake.history(table, night.known_at, self._connection).filter(f"bucket IN ({self._buckets})")
            rows.filter("subject_id IN (SELECT subject_id FROM asked)").create(f"raw_{table}")

    def of(self, index: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
        """Features of index rows from what was known at their own cutoffs; missing for subjects nobody knew by then.

        Rows of subjects who were at a site of another time zone by then are left out: stored features date receipts by
        the cutoffs of the site at which a subject is by now.
        """
        parts = []
        for date, rows in index.groupby("index_date"):
            known = cohorts.load(self._lake, self._installation.settings, pd.Timestamp(date))
            zones = known.zones.reindex(rows["subject_id"])
            is_known = zones.notna().to_numpy()
            is_here = (zones == self._zones.reindex(rows["subject_id"])).to_numpy()
            parts.append(rows.loc[~is_known, KEY])
            if (is_known & is_here).any():
                parts.append(self._at(known, rows.loc[is_known & is_here, KEY], features))
        return pd.concat(parts, ignore_index=True).reindex(columns=[*KEY, *features])

    def of_later_knowledge(self, index: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
        """Features of the days before the index dates as the night knows these days: what a later revision would give."""
        found = self._days(self._night)
        latest = found.panel.sort_values("known_on").drop_duplicates(["subject_id", "local_date"], keep="last")
        events = cohorts.in_force(cohorts.outcome_event_days(self._lake, self._night, self._outcome), self._night.as_of)
        return self._matrix(
            latest.assign(known_on=latest["local_date"] + DAY), events.assign(known_on=events["event_on"] + DAY),
            self._night, index, features, found,
        )  # fmt: skip

    def _at(self, known: Cohort, index: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
        events = cohorts.outcome_event_days(self._lake, known, self._outcome)
        found = self._days(known)
        return self._matrix(found.panel, events, known, index, features, found)

    def _matrix(
        self, panel: pd.DataFrame, events: pd.DataFrame, known: Cohort, index: pd.DataFrame, features: Sequence[str],
        found: Days,
    ) -> pd.DataFrame:  # fmt: skip
        mine = known.enrolments["subject_id"].isin(index["subject_id"])
        return build_matrix(
            panel, events[events["subject_id"].isin(index["subject_id"])], known.enrolments[mine], index[KEY],
            self._outcome.merge_within_days, features, self._catalog, restarts_of(flags_of(found)),
        )  # fmt: skip

    def _days(self, known: Cohort) -> Days:
        """The day panel of the subjects, made from scratch of what a night knew."""
        instant = f"'{known.known_at.isoformat()}'::TIMESTAMPTZ"
        streams: Mapping[str, duckdb.DuckDBPyRelation] = {
            table: self._connection.table(f"raw_{table}").filter(is_knowable_sql(instant)) for table in PANEL_STREAMS
        }
        kept = kept_hours.kept_hours(self._lake, known.as_of, f"bucket IN ({self._buckets})", self._connection)
        zones = known.zones[known.zones.index.isin(self._zones.index)]
        return days.build_days(
            self._connection, streams, zones, known.cutoff, known.device_preference, kept, known.as_of
        )
