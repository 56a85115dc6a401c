"""Some subject-days: all of some subjects', and single days of others."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.calendar import day_number
from pipelines.lake import bucket_of

DAY_KEY = ["subject_id", "local_date"]
NO_DAYS = pd.DataFrame({"subject_id": pd.Series(dtype="str"), "local_date": pd.Series(dtype="datetime64[us]")})


@dataclass(frozen=True)
class Extent:
    """All days of the subjects `whole`, and the `days` (`subject_id, local_date`) of others."""

    whole: frozenset[str] = frozenset()
    days: pd.DataFrame = field(default_factory=lambda: NO_DAYS)

    def __bool__(self) -> bool:
        return bool(self.whole) or len(self.days) > 0

    def holds(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows, with a subject and a local day, are of one of the subject-days."""
        place = self._names.get_indexer(pd.Index(rows["subject_id"]))
        is_named = np.isin((place.astype(np.int64) << 20) + day_number(rows["local_date"]), self._places)
        return is_named & (place >= 0) | self.has_whole(rows["subject_id"])

    def has_whole(self, subjects: pd.Series) -> NDArray[np.bool_]:
        """Which of the subjects have all their days here."""
        found: NDArray[np.bool_] = subjects.isin(self.whole).to_numpy()
        return found

    def among(self, buckets: Collection[int]) -> "Extent":
        """The part about subjects of some buckets."""
        whole = frozenset(name for name in self.whole if bucket_of(name) in buckets)
        return Extent(whole, self.days[self.buckets.isin(list(buckets))])

    @cached_property
    def buckets(self) -> pd.Series:
        """The bucket of each of the days."""
        return buckets_of(self.days["subject_id"])

    @property
    def every_bucket(self) -> set[int]:
        """Buckets of all subjects here."""
        return {bucket_of(name) for name in self.whole} | set(self.buckets)

    @cached_property
    def _names(self) -> pd.Index:
        return pd.Index(self.days["subject_id"].unique())

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        place = self._names.get_indexer(pd.Index(self.days["subject_id"])).astype(np.int64)
        places: NDArray[np.int64] = (place << 20) + day_number(self.days["local_date"])
        return places


def buckets_of(subjects: pd.Series) -> pd.Series:
    """Each subject's bucket."""
    place, names = pd.factorize(subjects)
    of_each = np.array([bucket_of(name) for name in names.to_numpy(dtype=object)], dtype=np.int64)
    return pd.Series(of_each[place] if len(names) else np.zeros(0, np.int64), index=subjects.index)


def months_of(days: pd.Series) -> pd.Series:
    """The month of each civil day, as partitions are called."""
    place, months = pd.factorize(days.to_numpy().astype("datetime64[M]"))
    return pd.Series(months.astype(str)[place], index=days.index, dtype="str")
