"""The two clocks of an export's rows: local time beside UTC, and when a row came to be known."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.sources.receipt import offset_minutes, received_next_midnight

SOURCE = "fitbit"


@dataclass(frozen=True)
class Clock:
    """The wearer's time zone, and whether the command says when the export was received."""

    zone: str
    is_receipt_told: bool

    def provenance(self, instants: pd.Series) -> dict[str, pa.Array]:
        """Columns beside rows of these instants; the receipt is left to the command if it says one."""
        offsets = offset_minutes(instants, self.zone)
        local = instants.dt.tz_localize(None) + pd.to_timedelta(offsets, unit="min").astype("timedelta64[us]")
        return self._columns(offsets, self._end_of(local.dt.normalize()))

    def provenance_of_days(self, days: pd.Series) -> dict[str, pa.Array]:
        """Columns beside rows of these civil days."""
        ends = self._end_of(days)
        return self._columns(offset_minutes(ends, self.zone), ends)

    def _columns(self, offsets: pd.Series, ends: pd.Series) -> dict[str, pa.Array]:
        columns = {
            "utc_offset_min": pa.array(offsets.fillna(0).astype("int32")),
            "source": pa.DictionaryArray.from_arrays(np.zeros(len(ends), np.int32), pa.array([SOURCE])),
        }
        return columns if self.is_receipt_told else {**columns, "received_at": pa.array(ends)}

    def _end_of(self, days: pd.Series) -> pd.Series:
        """The midnight after each day; rows without a day, which are refused anyway, get the newest one."""
        codes, distinct = pd.factorize(days)
        if not len(distinct):
            return pd.Series(pd.Timestamp(0, tz="UTC").as_unit("us"), index=days.index)
        midnights = received_next_midnight(pd.Series(distinct).astype("datetime64[us]"), self.zone)
        return midnights.iloc[np.where(codes < 0, midnights.argmax(), codes)].set_axis(days.index)
