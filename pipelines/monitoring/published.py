"""Published scores as monitoring needs them: of the delivery in force for each night, at the outcome's alert horizon.

Each delivery is read once, verified, and its rows put beside those of other nights in a table of the lake, which erasure after a
withdrawal reaches like any other with subjects in it.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from models.fairness.groups import levels_of
from models.monitoring import counts
from models.monitoring.agreement import COMPARED_DAYS
from pipelines import by_night
from pipelines.by_night import NIGHT
from pipelines.delivery.nights import nights, run_in_force
from pipelines.delivery.publish import read_scores
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.lake import Lake

TABLE = "published_scores"
SCHEMA = pa.schema(
    [(NIGHT, pa.date32())]
    + [(name, pa.string()) for name in ("run_id", "outcome", "subject_id", "status", "model_version", "tier", "alert")]
    + [("probability", pa.float64())]
)
# For so long scores are looked back on, beside the horizon until they are known: as outcomes are rare, far longer than data.
WATCHED_DAYS = 84
ORDERED = (NIGHT, "outcome", "subject_id", "status", "model_version", "probability")
RISK, ALERTED, SCORED, HIGH = "risk", "alerted", "scored", "high"


def follow(installation: Installation, night: str) -> list[str]:
    """Take in what was published, or published anew, for the nights that are looked back on; forget what lies before.

    Returns:
        Nights whose delivery cannot be read: damaged, or of an earlier contract. They are left out.
    """
    lake, last = installation.lake, pd.Timestamp(night)
    first = last - reach(installation)
    stored = by_night.between(lake, TABLE, SCHEMA, first, last)
    taken_in = dict(stored.drop_duplicates(NIGHT).set_index(NIGHT)["run_id"]) if len(stored) else {}
    unreadable = []
    for folder in nights(installation.settings.deliveries_folder):
        if not f"{first:%Y-%m-%d}" <= folder.name <= night:
            continue
        at = pd.Timestamp(folder.name).as_unit("us")
        try:
            run_id = run_in_force(folder)
            if run_id is None or taken_in.get(at) == run_id:
                continue
            rows = _rows(folder / run_id, installation.settings.alert_horizons)
        except Refused:
            unreadable.append(folder.name)
            continue
        put(lake, at, rows)
    if any(at < first for at in _nights(lake)):
        by_night.put(lake, TABLE, SCHEMA.empty_table(), f"{NIGHT} < '{first:%Y-%m-%d}'")
    return unreadable


def put(lake: Lake, night: pd.Timestamp, rows: pd.DataFrame) -> None:
    """Put a night's rows in the place of those that were known of it."""
    content = pa.Table.from_pandas(rows, SCHEMA, preserve_index=False)
    by_night.put(lake, TABLE, content, f"{NIGHT} = '{night:%Y-%m-%d}'")


def _nights(lake: Lake) -> set[pd.Timestamp]:
    return {pd.Timestamp(path.partition(f"/{NIGHT}=")[2][:10]) for path in by_night.files(lake, TABLE)}


def stored(installation: Installation, night: str) -> pd.DataFrame:
    """Rows of the nights looked back on, up to one."""
    last = pd.Timestamp(night)
    return by_night.between(installation.lake, TABLE, SCHEMA, last - reach(installation), last)


def of_night(installation: Installation, night: str) -> pd.DataFrame:
    """Rows of one night."""
    return by_night.between(installation.lake, TABLE, SCHEMA, pd.Timestamp(night), pd.Timestamp(night))


def lately(installation: Installation, night: str) -> pd.DataFrame:
    """Scored rows of a night and of those before that its order is compared with, as far as that needs them."""
    last = pd.Timestamp(night)
    asked = pa.schema([SCHEMA.field(name) for name in ORDERED])
    rows = by_night.between(installation.lake, TABLE, asked, last - pd.Timedelta(days=COMPARED_DAYS), last)
    return rows[rows["status"] == SCORED].reset_index(drop=True)


def below(root: Path, horizons: Mapping[str, int]) -> pd.DataFrame:
    """Rows of every delivery in force below a folder, read each time: for nights that were scored to try something out.

    Raises:
        Refused: a delivery is damaged, or of an earlier contract.
    """
    in_force = [(night, run_id) for night in nights(root) if (run_id := run_in_force(night)) is not None]
    found = [_rows(night / run_id, horizons) for night, run_id in in_force]
    return (
        pd.concat(found, ignore_index=True)
        if found
        else SCHEMA.empty_table().to_pandas().astype({NIGHT: "datetime64[us]"})
    )


def reach(installation: Installation) -> pd.Timedelta:
    """How far back published scores are kept."""
    return pd.Timedelta(days=WATCHED_DAYS + max(installation.settings.alert_horizons.values()))


def _rows(folder: Path, horizons: Mapping[str, int]) -> pd.DataFrame:
    found = read_scores(folder)
    at_horizon = found["horizon_days"] == found["outcome"].map(horizons)
    rows = found.loc[at_horizon, [*SCHEMA.names]].reset_index(drop=True)
    return rows.assign(**{NIGHT: pd.to_datetime(rows[NIGHT]).astype("datetime64[us]")})


def is_alert(rows: pd.DataFrame) -> pd.Series:
    """Who was brought to somebody's attention: by an alert, or by the high tier on nights of a policy that gives none."""
    by_alerts = rows.groupby(NIGHT)["alert"].transform(lambda of: of.notna().any()).astype(bool)
    return rows["alert"].notna().where(by_alerts, rows["tier"] == HIGH)


def count(
    rows: pd.DataFrame, edges: Mapping[str, Mapping[str, tuple[float, ...]]], attributes: pd.DataFrame
) -> pd.DataFrame:
    """Counts of published nights: scores by bin, who has a score, and who was alerted of those who have; with the night.

    Args:
        edges: of scores, by outcome.
    """
    found = []
    for (night, outcome), part in rows.assign(is_alert=is_alert(rows)).groupby([NIGHT, "outcome"]):
        subjects, is_scored = pd.Index(part["subject_id"]), (part["status"] == "scored").to_numpy()
        levels = levels_of(attributes, subjects)
        everyone, told = counts.groups_of(levels, subjects), {name: of for name, of in levels.items() if name == "site"}
        sites = counts.groups_of(told, subjects)
        scores = part.loc[is_scored, ["probability"]].set_axis([RISK], axis=1)
        of_scored = counts.groups_of({n: of[is_scored] for n, of in levels.items()}, subjects[is_scored])
        parts = [
            counts.count(counts.SCORE, str(outcome), scores, edges.get(str(outcome), {}), of_scored),
            counts.count_shares(counts.STATUS, str(outcome), {SCORED: is_scored}, everyone),
            counts.count_shares(
                counts.ALERT, str(outcome), {ALERTED: part["is_alert"].to_numpy(bool)}, sites, is_scored
            ),
        ]
        found.append(pd.concat(parts).assign(**{NIGHT: night}))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()
