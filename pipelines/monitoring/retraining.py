"""Asks for a retraining where configuration says that drift or decay shall start one; what it makes must pass the gate as ever."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from models.monitoring.signals import DECAY, DRIFT, SCORES, Signal
from pipelines import durable
from pipelines.installation import Installation

REQUESTS = "retrain.json"
# Which signals are meant by what configuration names.
MEANT = {DRIFT: (DRIFT, SCORES), DECAY: (DECAY,)}
# One change gives signals for weeks, and a model of a few new days would be none.
ONCE_IN = pd.Timedelta(days=28)


@dataclass(frozen=True)
class Request:
    """A retraining that was asked for; the night is its identity."""

    night: str
    because: str


def ask(installation: Installation, night: str, new: Sequence[Signal]) -> str:
    """Put a request on record if a new signal shall start a retraining and none was asked for lately; why, or nothing."""
    meant = {kind for named in installation.settings.monitoring.retrain_on for kind in MEANT[named]}
    kinds = sorted({of.kind for of in new if of.kind in meant})
    earlier = requests(installation)
    of_tonight = next((of for of in earlier if of.night == night), None)
    if of_tonight is not None:
        return of_tonight.because
    is_soon = any(abs(pd.Timestamp(night) - pd.Timestamp(of.night)) < ONCE_IN for of in earlier)
    if not kinds or is_soon:
        return ""
    because = f"new signals of {' and '.join(kinds)}"
    path = _path(installation)
    path.parent.mkdir(parents=True, exist_ok=True)
    told = [asdict(of) for of in (*earlier, Request(night, because))]
    durable.replace(path, json.dumps(told, indent=1).encode())
    return because


def requests(installation: Installation) -> list[Request]:
    """Every retraining that was asked for, oldest first."""
    return read(_path(installation))


def read(path: Path) -> list[Request]:
    """The requests in a file; none if there is no file."""
    return [Request(**of) for of in json.loads(path.read_text())] if path.is_file() else []


def _path(installation: Installation) -> Path:
    return installation.settings.monitoring_folder / REQUESTS
