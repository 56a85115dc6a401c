"""Nights as counts in the lake, and how they are counted: bins once fixed stay, or nights could not be compared."""

import json
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from models.monitoring import counts
from pipelines import by_night, durable
from pipelines.by_night import NIGHT
from pipelines.installation import Installation

TABLE = "night_counts"
SCHEMA = pa.schema(
    [(NIGHT, pa.date32())]
    + [(name, pa.string()) for name in counts.KEY]
    + [(name, pa.int32()) for name in counts.COUNTED]
)
# How many nights are compared with each other; those before are kept, and cost nothing.
COMPARED_NIGHTS = 150
BINS = "bins.json"


@dataclass(frozen=True)
class Bins:
    """How nights are counted.

    Attributes:
        begun: the first night that was watched; nights before it were counted afterwards.
        features: inner edges of each feature's bins, by outcome; empty for what does not depend on one.
        scores: inner edges of the bins of scores, by outcome.
    """

    begun: str
    features: dict[str, dict[str, tuple[float, ...]]] = field(default_factory=dict)
    scores: dict[str, dict[str, tuple[float, ...]]] = field(default_factory=dict)


def read_bins(installation: Installation) -> Bins | None:
    """How this installation counts; None before its first watched night."""
    path = installation.settings.monitoring_folder / BINS
    if not path.is_file():
        return None
    told = json.loads(path.read_text())
    edges = {
        kind: {outcome: {name: tuple(of) for name, of in named.items()} for outcome, named in told[kind].items()}
        for kind in ("features", "scores")
    }
    return Bins(told["begun"], **edges)


def write_bins(installation: Installation, bins: Bins) -> None:
    """Fix how this installation counts."""
    folder = installation.settings.monitoring_folder
    folder.mkdir(parents=True, exist_ok=True)
    durable.replace(folder / BINS, json.dumps(vars(bins), indent=1).encode())


def keep(installation: Installation, counted: pd.DataFrame) -> None:
    """Put nights' counts in the place of those that were known of these nights."""
    if counted.empty:
        return
    nights = ", ".join(f"'{night:%Y-%m-%d}'" for night in sorted(counted[NIGHT].unique()))
    rows = counted.assign(**{NIGHT: pd.to_datetime(counted[NIGHT]).dt.date})
    content = pa.Table.from_pandas(rows[SCHEMA.names], SCHEMA, preserve_index=False)
    by_night.put(installation.lake, TABLE, content, f"{NIGHT} IN ({nights})")


def load(installation: Installation, night: str) -> pd.DataFrame:
    """Counts of the nights that are compared, up to one."""
    last = pd.Timestamp(night)
    return by_night.between(installation.lake, TABLE, SCHEMA, last - pd.Timedelta(days=COMPARED_NIGHTS), last)
