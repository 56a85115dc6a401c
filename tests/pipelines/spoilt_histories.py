"""Simulated histories of which it is known what went wrong, where and since when: for tests and trials of monitoring.

People, lake and features are real ones of the simulator; what goes wrong is done to the rows before they are taken in.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from pipelines.door.intake import ingest
from pipelines.installation import Installation
from pipelines.settings import settings_from
from pipelines.sources import simulated
from pipelines.sources.batch import Batch
from tests.pipelines.small_job import ROOT

UNTIL, NIGHT = date(2026, 6, 30), "2026-07-01"
# What is watched, and the nights before that were counted.
NIGHTS, BEFORE = 60, 70
HEART = ("resting_heart_rate", "heart_rate_mean")
AT = {"sleep": "offset_at", "mood": "answered_at", "wearable_days": "local_date"}
Spoil = Callable[[str, pd.DataFrame, pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Fault:
    """What goes wrong: to which stream, from which of the watched nights on, in whom (attribute and level), how.

    `kind` is `scale` (values times `factor`, from then on), `shift` (sleep shorter by `factor` minutes), `outage` (nothing of the
    stream comes in for `factor` nights) or `device` (scale of the heart, and a new model's name).
    """

    name: str
    kind: str
    stream: str = ""
    onset: int = 20
    factor: float = 1.0
    metrics: tuple[str, ...] = ()
    where: tuple[str, str] = ("", "")
    families: tuple[str, ...] = ()

    @property
    def begins(self) -> pd.Timestamp:
        """The first night that can know of it."""
        return pd.Timestamp(NIGHT) - pd.Timedelta(days=NIGHTS - self.onset)


def cohort(seed: int, subjects: int, days: int = 230) -> simulated.SimulatedCohort:
    """A cohort whose enrolment is over before the nights that are counted."""
    return simulated.SimulatedCohort(subjects=subjects, days=days, minute_days=0, seed=seed, until=UNTIL)


def installation(folder: Path, seed: int, subjects: int, fault: Fault | None = None) -> Installation:
    """An installation whose lake holds the history, spoilt where a fault is given."""
    content = yaml.safe_load((ROOT / "foretide.yaml").read_text())
    content["sources"] = []
    folder.mkdir(parents=True, exist_ok=True)
    made = Installation(settings_from(content, folder))
    ingest(made.lake, _batches(cohort(seed, subjects), fault), f"history-{seed}")
    return made


def _batches(of: simulated.SimulatedCohort, fault: Fault | None) -> Iterator[Batch]:
    subjects = []
    for batch in simulated.read(of):
        frame = batch.frame
        if batch.table == "subjects":
            subjects.append(frame)
        elif fault is not None:
            frame = _spoilt(batch.table, frame, pd.concat(subjects), fault)
        if len(frame):
            yield Batch(batch.table, frame, batch.file)


def _spoilt(table: str, rows: pd.DataFrame, subjects: pd.DataFrame, fault: Fault) -> pd.DataFrame:
    if table not in AT or (fault.stream and table != fault.stream):
        return rows
    received = rows["received_at"].dt.tz_convert(None)
    if fault.kind == "outage":
        ends = fault.begins + pd.Timedelta(days=fault.factor)
        return rows[~((received >= fault.begins) & (received < ends))].reset_index(drop=True)
    at = pd.to_datetime(rows[AT[table]])
    at = at.dt.tz_convert(None) if at.dt.tz is not None else at
    # The first day that the first spoilt night knows.
    hit = (at >= fault.begins - pd.Timedelta(days=1)) & _is_in(rows, subjects, fault.where)
    rows = rows.copy()
    if fault.kind == "shift":
        for column in ("minutes_asleep", "minutes_light"):
            rows[column] = np.where(hit, np.maximum(rows[column] - fault.factor, 0), rows[column])
        return rows
    if fault.kind == "device":
        rows["device_model"] = rows["device_model"].where(~hit, "band 9")
    if "metric" in rows:
        hit &= rows["metric"].isin(fault.metrics)
        rows["value"] = np.where(hit, np.rint(rows["value"] * fault.factor), rows["value"])
    return rows


def _is_in(rows: pd.DataFrame, subjects: pd.DataFrame, where: tuple[str, str]) -> pd.Series:
    attribute, level = where
    if not attribute:
        return pd.Series(True, index=rows.index)
    those = subjects.loc[subjects[attribute] == level, "subject_id"]
    return rows["subject_id"].isin(those)
