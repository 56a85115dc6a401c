"""The alerts of past nights that consumers were given, which decide whom tonight may be about; one row per alert.

Rows are kept under the run that decided them and count once its delivery is in force, so that what nobody saw takes no room.
"""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

import pandas as pd
import pyarrow as pa

from models import alerting
from models.alerting import ALERT_COLUMNS, Rules, Tier
from pipelines import by_night
from pipelines.alert_sections import AlertPolicy, TierSettings
from pipelines.delivery import manifest
from pipelines.delivery.nights import run_in_force
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.lake import Lake

TABLE = "alerts"
SCHEMA = pa.schema(
    [("as_of_date", pa.date32())]
    + [(name, pa.string()) for name in ("run_id", "outcome", "subject_id", "site", "tier", "alert")]
    + [("risk", pa.float64()), ("is_quiet", pa.bool_())]
)
COLUMNS = ["outcome", *ALERT_COLUMNS]


def rules_of(policy: AlertPolicy) -> Rules:
    """The declared policy as it is decided by."""
    return Rules(
        _tier(alerting.HIGH, policy.high), _tier(alerting.ELEVATED, policy.elevated), policy.reserved_for_quiet,
        policy.refractory_days, policy.worsens_by, policy.holds_at,
    )  # fmt: skip


def _tier(name: str, declared: TierSettings) -> Tier:
    return Tier(name, declared.alerts_per_100_per_week, declared.floor, declared.by_site)


def past(installation: Installation, as_of: pd.Timestamp) -> pd.DataFrame:
    """Alerts of earlier nights that matter to a night: `outcome` and `alerting.ALERT_COLUMNS`, in a stable order.

    Raises:
        Refused: nobody can tell which alerts of an earlier night were given.
    """
    days = rules_of(installation.settings.alert_policy).lookback_days
    root = installation.settings.deliveries_folder
    nights = [as_of - pd.Timedelta(days=back) for back in range(1, days + 1)]
    kept = by_night.between(installation.lake, TABLE, SCHEMA, nights[-1], nights[0])
    decided = set(kept["run_id"])
    runs = {_deciding_run(root / f"{night:%Y-%m-%d}", decided) for night in nights}
    kinds = {"as_of_date": "datetime64[us]", "risk": "float64", "is_quiet": "bool"}
    found = kept.loc[kept["run_id"].isin(runs), COLUMNS].astype(kinds)
    return found.sort_values([*COLUMNS[:3]], ignore_index=True)


def _deciding_run(night: Path, decided: Collection[str]) -> str | None:
    """The run whose alerts are in force for a night: a notice of a withdrawal carries those of the run that it supersedes.

    Args:
        decided: runs of which alerts are kept, so that the manifest need not be asked.

    Returns:
        None where no alert was given.
    """
    run = run_in_force(night)
    while run is not None and run not in decided:
        try:
            body = manifest.read(night / run)
        except Refused as refused:
            raise Refused(
                f"Alerts of the night of {night.name} count for this one, and its delivery is damaged. "
                f"Give `foretide score --as-of {night.name}`, then this night again. {refused}"
            ) from refused
        run = body["supersedes"] if body["withdrawn"] else None
    return run


def content_of(alerts: pd.DataFrame) -> str:
    """A hash of alerts: equal alerts, equal hash; empty where there are none."""
    if alerts.empty:
        return ""
    lines = alerts.assign(as_of_date=alerts["as_of_date"].astype(str)).to_numpy().tolist()
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def keep(lake: Lake, as_of: pd.Timestamp, run_id: str, alerts: pd.DataFrame) -> None:
    """Keep a night's alerts under the run that decided them, beside those of other runs of the night.

    Args:
        alerts: the night's, of every outcome: `COLUMNS`.
    """
    content = alerts.assign(as_of_date=as_of.date(), run_id=run_id)[SCHEMA.names]
    place = f"{by_night.NIGHT} = {by_night.quoted(f'{as_of:%Y-%m-%d}')} AND run_id = {by_night.quoted(run_id)}"
    by_night.put(lake, TABLE, pa.Table.from_pandas(content, SCHEMA, preserve_index=False), place)
