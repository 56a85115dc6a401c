"""From arrays to canonical rows: text columns, instants, and the snapshot that ends what can have been received."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.sources.simulation.clock import Clock, Instants, clock, snapshot_us
from pipelines.sources.simulation.course import Course, course
from pipelines.sources.simulation.people import DEVICE_MODELS, People, people
from pipelines.sources.simulation.rhythms import Rhythms, rhythms

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """Some subjects of a cohort with their clock, hidden course and daily rhythms, from which all streams follow."""

    seed: int
    who: People
    clock: Clock
    life: Course
    daily: Rhythms
    snapshot: int

    @property
    def shape(self) -> tuple[int, int]:
        """Subjects, days."""
        return len(self.who), self.clock.days


def group(seed: int, until: date, days: int, numbers: Index) -> Group:
    """The subjects of these numbers, lived through `days` days that end with `until`."""
    who = people(seed, numbers)
    time = clock(until, days, who.site)
    life = course(seed, who, time.first, days)
    return Group(seed, who, time, life, rhythms(seed, who, life, time), snapshot_us(until))


def text(values: Sequence[str | None], codes: Index) -> pd.api.extensions.ExtensionArray:
    """A text column of `values[code]`; code -1 is missing."""
    return pd.array(list(values), dtype="str").take(codes, allow_fill=True)


def instants(us: Instants) -> pd.DatetimeIndex:
    """UTC instants from microseconds; the smallest integer is missing."""
    return pd.DatetimeIndex(us.view("M8[us]")).tz_localize("UTC")


def subject_ids(numbers: Index) -> list[str]:
    """`sim-0001` and so on. `sim-0000` is never enrolled: rows under it are a stranger's."""
    return [f"sim-{number:04d}" for number in numbers]


def device_columns(g: Group, subject: Index, day: Index) -> dict[str, object]:
    """`device_id` and `device_model` of each row; some subjects get a second device of the same model on the way."""
    firsts = [f"band-{number:04d}a" for number in g.who.numbers]
    seconds = [f"band-{number:04d}b" for number in g.who.numbers]
    is_second = (day >= g.who.device_changes_at[subject] * g.clock.days).astype(np.int64)
    return {
        "device_id": text(firsts + seconds, subject + is_second * len(g.who)),
        "device_model": text(DEVICE_MODELS, g.who.device_model[subject]),
    }


def frame(g: Group, subject: Index, source: str, received: Instants, columns: dict[str, object]) -> pd.DataFrame:
    """Canonical rows of some subjects, `subject` indexing the group. `device_id` is empty unless given."""
    nothing = np.zeros(len(subject), dtype=np.int64)
    return pd.DataFrame(
        {
            "subject_id": text(subject_ids(g.who.numbers), subject),
            **columns,
            "source": text([source], nothing),
            **({} if "device_id" in columns else {"device_id": text([""], nothing)}),
            "received_at": instants(received),
        }
    )


def known_by_snapshot(g: Group, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows received by the snapshot; the others have not been sent yet."""
    is_here = (rows["received_at"] <= instants(np.array([g.snapshot]))[0]).to_numpy()
    return rows if is_here.all() else rows[is_here].reset_index(drop=True)
