"""The day panel of one night: what is stored, as known for the night, and what was computed beside it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import days, plausibility
from features.calendar import is_known_on, is_known_on_sql
from features.matrix import NO_RESTARTS
from features.versions import KEY
from pipelines.cohort import Cohort
from pipelines.lake import Lake
from pipelines.panel import notes
from pipelines.panel.extent import Extent, buckets_of
from pipelines.panel.news import Files
from pipelines.panel.store import Store, typed

NO_BEGINS: Mapping[str, pd.Timestamp] = {}
DAYS, NOTES, FINDINGS = "days", "day_notes", "findings"


def stores(lake: Lake) -> dict[str, Store]:
    """The tables that are kept from night to night."""
    of_finding = [*KEY, "stream", "rule"]
    return {DAYS: Store(lake, DAYS, KEY), NOTES: Store(lake, NOTES, notes.NOTE),
            FINDINGS: Store(lake, FINDINGS, of_finding, is_monthly=False)}  # fmt: skip


def frames(found: days.Days, extent: Extent) -> dict[str, pd.DataFrame]:
    """What is stored of computed days: only of the extent, for of the days beside it not all rows were read."""
    every = {DAYS: found.panel, NOTES: notes.of(found), FINDINGS: found.findings[plausibility.FINDING]}
    return {name: typed(rows[extent.holds(rows)]) for name, rows in every.items()}


@dataclass(frozen=True)
class Panel:
    """The day panel of a cohort's night, and what changed since the stored one.

    Args:
        lake: where it is stored.
        cohort: whose and which night's it is.
        name: a hash of all that it was made from.
        files: the raw tables' files that it rests on.
        since: the night of the panel that it goes on from; None if it was made from scratch.
        changed_past: subjects of whom that night would now know something else, new and unknown ones among them. Of all
            others, what was known on an index date up to `since` is as it was.
        days_computed: how many subject-days were computed.
        is_looking_back: the night is before that of the stored panel.
        beside: what was then computed without being stored.
        instead_of: the subject-days that `beside` holds.
        restarts: from which day on a subject's past begins anew (`flags.restarts_of`), by the night's flags.
    """

    lake: Lake
    cohort: Cohort
    name: str
    files: Files
    since: pd.Timestamp | None = None
    changed_past: frozenset[str] = frozenset()
    days_computed: int = 0
    is_looking_back: bool = False
    beside: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    instead_of: Extent = field(default_factory=Extent)
    restarts: pd.DataFrame = field(default_factory=lambda: NO_RESTARTS)

    def load(
        self, buckets: Collection[int] | None = None, begin: pd.Timestamp | None = None,
        columns: Collection[str] | None = None, begins: Mapping[str, pd.Timestamp] = NO_BEGINS,
    ) -> pd.DataFrame:  # fmt: skip
        """The versions of subject-days known on the night, in no order; measures nobody has a value of are left out.

        Args:
            buckets: of subjects in these only.
            begin: local days from this one on; from the first on, unless given.
            columns: measures; all unless given.
            begins: local days before which figures of some measures may be missing, for nobody asks for them.
        """
        wanted = None if columns is None else [*KEY, *columns]
        names = self.cohort.zones.index
        subjects = (
            None if buckets is None else list(names[np.isin(self._buckets, list(buckets))].to_numpy(dtype=object))
        )
        with self.lake.connection() as connection:
            found = self.rows(DAYS, connection, subjects, begin, wanted, begins)
        measures = sorted(name for name in found.columns if name not in KEY and found[name].notna().any())
        return found[[*KEY, *measures]]

    @cached_property
    def _buckets(self) -> NDArray[np.int64]:
        """The bucket of each subject of the cohort."""
        return buckets_of(pd.Series(self.cohort.zones.index, dtype="str")).to_numpy()

    def rows(
        self, name: str, connection: duckdb.DuckDBPyConnection, subjects: Collection[str] | None = None,
        begin: pd.Timestamp | None = None, columns: Collection[str] | None = None,
        begins: Mapping[str, pd.Timestamp] = NO_BEGINS,
    ) -> pd.DataFrame:  # fmt: skip
        """Rows of a table that are known on the night, in no order.

        Args:
            subjects: of these only.
            begin: of local days from this one on.
            columns: names, with those of the key; all unless given.
            begins: as for `load`.
        """
        store, night = stores(self.lake)[name], f"DATE '{self.cohort.as_of:%Y-%m-%d}'"
        pieces, where = store.pieces(), is_known_on_sql(night)
        if subjects is not None:
            buckets = set(buckets_of(pd.Series(list(subjects), dtype="str")))
            pieces = [piece for piece in pieces if piece.bucket in buckets]
            connection.register("panel_asked", pd.DataFrame({"subject_id": pd.Series(list(subjects), dtype="str")}))
            where += " AND subject_id IN (SELECT subject_id FROM panel_asked)"
        if begin is not None:
            pieces = [piece for piece in pieces if piece.month >= f"{begin:%Y-%m}"]
            where += f" AND local_date >= DATE '{begin:%Y-%m-%d}'"
        months = {column: f"{day:%Y-%m}" for column, day in begins.items()}
        found = store.read(pieces, connection, columns, where, months)
        return self._with_beside(name, found, subjects, begin, columns) if self.is_looking_back else found

    def _with_beside(
        self, name: str, found: pd.DataFrame, subjects: Collection[str] | None, begin: pd.Timestamp | None,
        columns: Collection[str] | None,
    ) -> pd.DataFrame:  # fmt: skip
        """Stored rows of those who were known, with what was computed beside them."""
        found = found[found["subject_id"].isin(self.cohort.zones.index) & ~self.instead_of.holds(found)]
        if name not in self.beside:
            return found
        extra = self.beside[name]
        wanted = is_known_on(extra["known_on"], self.cohort.as_of)
        wanted &= True if subjects is None else extra["subject_id"].isin(subjects)
        wanted &= True if begin is None else extra["local_date"] >= begin
        extra = extra.loc[wanted, [name for name in extra if columns is None or name in columns]]
        return pd.concat([found, extra], ignore_index=True) if len(extra) else found
