"""Which rows of a stream each version of a subject-day sees.

A version begins at the index date `known_on` from which it may be used; it ends where the next version of the same
subject-day begins.
"""

from datetime import time

import duckdb
import numpy as np
import pandas as pd

from features.calendar import (
    DEFAULT_CUTOFF,
    index_date_knowing,
    is_known_on,
    is_known_on_sql,
    local_day_sql,
    local_time_sql,
    receipt_bin_sql,
    receipt_bin_us,
)
from features.tables import TABLES

KEY = ["subject_id", "local_date", "known_on"]
# Receipts' bins since 1970 take fewer: above them stands the number of a zone.
PLACE_BITS = 40


def with_known_on(
    connection: duckdb.DuckDBPyConnection, table: str, relation: duckdb.DuckDBPyRelation, zones: pd.Series,
    cutoff: time = DEFAULT_CUTOFF, as_of: pd.Timestamp | None = None,
) -> duckdb.DuckDBPyRelation:  # fmt: skip
    """Add `known_on` to raw rows: the first index date whose cutoff in the subject's zone comes at or after receipt.

    Rows of subjects without a zone are left out: they are strangers; so are rows not known by `as_of`, if given. The
    calendar is asked once per quarter of an hour in which something was received.
    """
    name, receipt = f"{table}_rows", receipt_bin_sql(cutoff)
    relation.create_view(name, replace=True)
    bins = connection.sql(f"SELECT DISTINCT {receipt} AS bin FROM {name} WHERE received_at IS NOT NULL").df()["bin"]
    ends = pd.Series(pd.to_datetime(bins * receipt_bin_us(cutoff), unit="us", utc=True)).astype("datetime64[us, UTC]")
    number, names = pd.factorize(zones.to_numpy(), sort=True)
    known = [pd.DataFrame({"place": (zone << PLACE_BITS) + bins, "known_on": index_date_knowing(ends, str(of), cutoff)})
             for zone, of in enumerate(names)]  # fmt: skip
    subjects = pd.DataFrame({"subject_id": zones.index.to_numpy(), "zone": number.astype(np.int64) << PLACE_BITS})
    connection.register(f"{name}_zones", subjects)
    connection.register(f"{name}_known", known_by(pd.concat(known, ignore_index=True), as_of))
    # One key of both, so that no plan begins with every receipt of every subject's zone.
    return connection.sql(f"""
        SELECT r.*, k.known_on::DATE AS known_on FROM {name} r
        JOIN {name}_zones z USING (subject_id)
        JOIN {name}_known k ON k.place = z.zone + {receipt.replace("received_at", "r.received_at")}""")  # fmt: skip


class Versions:
    """The rows of one stream as each version of a subject-day sees them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str, relation: duckdb.DuckDBPyRelation) -> None:
        self.connection = connection
        self.name = f"versions_{table}"
        relation.create_view(f"{self.name}_raw", replace=True)
        key, event = ", ".join(TABLES[table].key), TABLES[table].time
        is_day = event == "local_date"
        when = (
            "" if is_day else f", {local_time_sql(str(event))} AS local_time, {local_day_sql(str(event))} AS local_date"
        )
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE {self.name}_dated AS
            WITH base AS (SELECT * {when} FROM {self.name}_raw),
            corrected AS (SELECT DISTINCT {key} FROM base WHERE version > 0 OR is_deleted)
            SELECT *, NULL::DATE AS superseded_on FROM base ANTI JOIN corrected USING ({key})
            UNION ALL
            SELECT *, lead(known_on) OVER (PARTITION BY {key} ORDER BY received_at, version, ingest_id)
            FROM base SEMI JOIN corrected USING ({key})""")  # fmt: skip
        # Only subject-days whose content changed after it was first known need a row for each version.
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE {self.name}_revised AS
            SELECT subject_id, local_date FROM {self.name}_dated GROUP BY ALL
            HAVING min(known_on) <> max(known_on) OR count(superseded_on) > 0 OR bool_or(is_deleted)""")  # fmt: skip
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE {self.name}_begin AS
            SELECT subject_id, local_date, known_on FROM {self.name}_dated SEMI JOIN {self.name}_revised
                USING (subject_id, local_date)
            UNION SELECT subject_id, local_date, superseded_on FROM {self.name}_dated WHERE superseded_on IS NOT NULL""")

    @property
    def valid(self) -> str:
        """SQL of the rows valid in each version."""
        return f"""(
            SELECT * FROM {self.name}_dated ANTI JOIN {self.name}_revised USING (subject_id, local_date)
            UNION ALL {self.valid_in(f"{self.name}_begin")})"""

    def valid_in(self, begin: str) -> str:
        """SQL of the rows valid in each of the versions (`subject_id, local_date, known_on`) that a table lists."""
        is_known, is_over = (is_known_on_sql("b.known_on", f"d.{day}") for day in ("known_on", "superseded_on"))
        return f"""(
            SELECT d.* REPLACE (b.known_on AS known_on) FROM {self.name}_dated d
            JOIN {begin} b ON d.subject_id = b.subject_id AND d.local_date = b.local_date
             AND {is_known} AND (d.superseded_on IS NULL OR NOT {is_over})
            WHERE NOT d.is_deleted)"""

    def rows(self, select: str, group_by: str = "") -> pd.DataFrame:
        """Selected columns of the rows valid in each version, grouped where asked; always in the same order.

        The order of rows shows in the last bits of sums of fractions.
        """
        return with_days(self.connection.sql(f"SELECT {select} FROM {self.valid} {group_by} ORDER BY ALL").df())

    def with_empty(self, daily: pd.DataFrame) -> pd.DataFrame:
        """Add versions in which nothing is left: data that were taken back must not live on in an older version."""
        begin = with_days(self.connection.sql(f"SELECT * FROM {self.name}_begin").df())
        return daily.merge(begin, on=KEY, how="outer").sort_values(KEY, ignore_index=True)


def known_by(rows: pd.DataFrame, as_of: pd.Timestamp | None) -> pd.DataFrame:
    """Rows, with `known_on`, that may be used for an index date; all that have a `known_on` where there is none."""
    is_used = rows["known_on"].notna() if as_of is None else is_known_on(rows["known_on"], as_of)
    return rows if is_used.all() else rows[is_used]


def with_days(frame: pd.DataFrame) -> pd.DataFrame:
    """Civil days as this project holds them."""
    return frame.assign(**{day: frame[day].astype("datetime64[us]") for day in ("local_date", "known_on")})


def no_days() -> pd.DataFrame:
    """No subject-day, in the types of `KEY`."""
    return with_days(pd.DataFrame({name: pd.Series(dtype="str") for name in KEY}))
