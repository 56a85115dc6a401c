"""What was found on each watched night, one small file a night, kept: signals and figures of groups, nobody's own."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.monitoring.signals import Signal
from pipelines import durable
from pipelines.installation import Installation

NIGHTS = "nights"


@dataclass(frozen=True)
class NightRecord:
    """One watched night.

    Attributes:
        night: the as-of date.
        judged: how many series of each kind could be judged; 0 where too few nights are known.
        signals: what is out of the ordinary.
        new: places in `signals` of those that the night before did not have.
        looked_on: the night of the last look at how scores turned out; empty before the first.
        figures: what was found then, tidy rows.
        retrain_asked_for: why a retraining was asked for; empty where none was.
        unreadable: nights looked back on whose delivery could not be read.
        made_of: what was watched, and how: the run in force, and the section `monitoring:`.
        silent: streams that were silent at its cutoff.
        is_outage: whether next to nothing came in.
        following: places in `signals` of those that follow from a silence; none of them is new.
    """

    night: str
    judged: dict[str, int]
    signals: list[Signal]
    new: list[int] = field(default_factory=list)
    looked_on: str = ""
    figures: list[dict[str, Any]] = field(default_factory=list)
    retrain_asked_for: str = ""
    unreadable: list[str] = field(default_factory=list)
    made_of: str = ""
    silent: list[str] = field(default_factory=list)
    is_outage: bool = False
    following: list[int] = field(default_factory=list)

    @property
    def new_signals(self) -> list[Signal]:
        """Signals that the night before did not have."""
        return [self.signals[k] for k in self.new]

    @property
    def told_identities(self) -> set[tuple[str, ...]]:
        """What makes out the signals that somebody was told of, tonight or before; not of those that follow from a silence."""
        return {of.identity for k, of in enumerate(self.signals) if k not in self.following}


def keep(installation: Installation, record: NightRecord) -> Path:
    """Put a night on record, in the place of what was found of it before."""
    folder = installation.settings.monitoring_folder / NIGHTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record.night}.json"
    durable.replace(path, json.dumps(asdict(record), indent=1, default=_plain).encode())
    return path


def of(installation: Installation, night: str) -> NightRecord | None:
    """The record of a night; None where it was not watched."""
    path = installation.settings.monitoring_folder / NIGHTS / f"{night}.json"
    return _read(path) if path.is_file() else None


def newest(installation: Installation) -> str | None:
    """The newest watched night."""
    nights = sorted(file.stem for file in (installation.settings.monitoring_folder / NIGHTS).glob("*.json"))
    return nights[-1] if nights else None


def recent(installation: Installation, since: str) -> list[NightRecord]:
    """The records from a night on, oldest first."""
    files = sorted((installation.settings.monitoring_folder / NIGHTS).glob("*.json"))
    return [_read(file) for file in files if file.stem >= since]


def before(installation: Installation, night: str) -> NightRecord | None:
    """The newest record of an earlier night."""
    files = sorted((installation.settings.monitoring_folder / NIGHTS).glob("*.json"))
    earlier = [file for file in files if file.stem < night]
    return _read(earlier[-1]) if earlier else None


def rows_of(figures: pd.DataFrame) -> list[dict[str, Any]]:
    """Figures as JSON knows them: what is missing is null."""
    told = figures.astype(object).where(figures.notna(), None)
    return [{name: _plain(value) for name, value in row.items()} for row in told.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return value.item() if isinstance(value, np.generic) else value


def _read(file: Path) -> NightRecord:
    content = json.loads(file.read_text())
    return NightRecord(**{**content, "signals": [Signal(**of) for of in content["signals"]]})
