"""What a delivery promises its consumers: columns, vocabulary, identity. The one place where they are written."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.errors import Refused

SCHEMA = pa.schema(
    [
        pa.field("score_id", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("subject_id", pa.string(), nullable=False),
        pa.field("as_of_date", pa.date32(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("horizon_days", pa.int32(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("probability", pa.float64()),
        pa.field("mean_risk_low", pa.float64()),
        pa.field("mean_risk_high", pa.float64()),
        pa.field("tier", pa.string()),
        pa.field("rank", pa.int32()),
        pa.field("alert", pa.string()),
        pa.field("action", pa.string()),
        pa.field("reason_codes", pa.list_(pa.string())),
        pa.field("drivers", pa.list_(pa.string())),
        pa.field("completeness", pa.float64()),
        pa.field("last_observation_at", pa.timestamp("us", tz="UTC")),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("policy_version", pa.string(), nullable=False),
        pa.field("supersedes", pa.string()),
        pa.field("generated_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
COLUMNS = tuple(SCHEMA.names)
# Columns that deliveries of an earlier format do not have; what a reader gets in their place is nothing.
ADDED = {2: ("alert", "action")}
KEY = ["subject_id", "outcome", "horizon_days"]
STATUSES = ("scored", "insufficient_data", "in_episode", "not_eligible", "withheld", "consent_withdrawn")
TIERS = ("high", "elevated", "baseline")
# Why somebody is brought to a clinician's attention tonight; most nights nobody new is.
ALERTS = ("new", "worsened", "again")
FORMATS = ("parquet", "csv", "fhir")
# Enough of a sha256 that two rows or runs of any installation never meet.
RUN_ID_LENGTH = 32
SCORE_ID_LENGTH = 24


@dataclass(frozen=True)
class DeliveryContext:
    """Everything that decides a night's bytes besides its rows; `run_id` is its hash.

    `model_versions` maps each delivered outcome to what made its scores; `input_content` is the lake's content hash
    at `known_at`, and `alert_history` that of the past alerts which decide tonight's; `supersedes` is the run in whose place this
    one is put in force (`publish.in_place_of`), so that a night which comes back to earlier inputs is another run; `roster_size` is
    how many subjects must have rows and, being implied by the input, is not hashed.
    """

    as_of: pd.Timestamp
    known_at: pd.Timestamp
    model_versions: Mapping[str, str]
    policy_version: str
    input_content: str
    code_version: str
    roster_size: int
    formats: tuple[str, ...] = field(default=FORMATS)
    alert_history: str = ""
    supersedes: str | None = None

    @cached_property
    def run_id(self) -> str:
        """The same for the same inputs, on any machine. Code and formats take part, for they change the bytes too."""
        identity = [
            self.night, instant_text(self.known_at), sorted(self.model_versions.items()), self.policy_version,
            self.input_content, self.code_version, sorted(self.formats), self.alert_history,
        ]  # fmt: skip
        identity += [] if self.supersedes is None else [self.supersedes]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:RUN_ID_LENGTH]

    @property
    def night(self) -> str:
        """The as-of date, YYYY-MM-DD."""
        return f"{self.as_of:%Y-%m-%d}"


def instant_text(instant: pd.Timestamp) -> str:
    """An instant as FHIR writes it: UTC, microseconds only where there are any."""
    return instant.tz_convert("UTC").tz_localize(None).isoformat() + "Z"


def columns_of(format_version: int) -> tuple[str, ...]:
    """The columns of a delivery of a format."""
    later = {name for version, names in ADDED.items() if version > format_version for name in names}
    return tuple(name for name in COLUMNS if name not in later)


def completed(table: pa.Table) -> pa.Table:
    """A delivery's table in today's columns; those that its format did not have are empty."""
    absent = {
        name: pa.nulls(table.num_rows, SCHEMA.field(name).type) for name in COLUMNS if name not in table.column_names
    }
    return pa.table({name: absent[name] if name in absent else table[name] for name in COLUMNS})


def score_ids(run_id: str, rows: pd.DataFrame) -> list[str]:
    """One stable id per row, from the run and the row's key."""
    return [short_hash(run_id, *key) for key in zip(*(rows[column] for column in KEY), strict=True)]


def short_hash(*parts: object) -> str:
    """A stable id of the parts; a separator no id can hold keeps ("a", "bc") and ("ab", "c") apart."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:SCORE_ID_LENGTH]


def to_arrow(rows: pd.DataFrame) -> pa.Table:
    """Rows as the contract types them, without pandas' metadata, which would change bytes with its version."""
    return pa.Table.from_arrays([_column(rows[field.name], field) for field in SCHEMA], schema=SCHEMA)


def _column(column: pd.Series, field: pa.Field) -> pa.Array:
    if pa.types.is_timestamp(field.type):
        # Naive UTC first: pyarrow's way with time zones is one that pandas has begun to warn about.
        naive = pd.to_datetime(column, utc=True).dt.tz_localize(None).dt.as_unit("us")
        return pa.array(naive, pa.timestamp("us"), from_pandas=True).cast(field.type)
    return pa.array(column, field.type, from_pandas=True)


def check(rows: pd.DataFrame, context: DeliveryContext) -> None:
    """Refuse rows that break the contract.

    Raises:
        Refused: names every broken rule with a count; the last delivery is untouched.
    """
    absent = [column for column in COLUMNS if column not in rows.columns]
    if absent:
        raise Refused(f"The night's rows lack the columns {', '.join(absent)}. Build them with `delivery.rows.build`.")
    broken = [f"{rule}: {count}" for rule, count in _counts(rows, context).items() if count]
    if broken:
        raise Refused("The night was not published, its rows break the contract. " + "; ".join(broken) + ".")


def _counts(rows: pd.DataFrame, context: DeliveryContext) -> dict[str, int]:
    is_scored, has_probability = rows["status"] == "scored", rows["probability"].notna()
    bounds = rows[["mean_risk_low", "mean_risk_high"]].to_numpy(float)
    per_subject = rows[["outcome", "horizon_days"]].drop_duplicates()
    has_tier = rows["tier"].notna()
    return {
        "rows of another run": int((rows["run_id"] != context.run_id).sum()),
        "rows of an undeclared outcome": int((~rows["outcome"].isin(list(context.model_versions))).sum()),
        "delivered outcomes without rows": len(set(context.model_versions) - set(rows["outcome"])),
        "rows that repeat a subject, outcome and horizon": int(rows.duplicated(KEY).sum()),
        "rows missing or too many for the roster": abs(len(rows) - context.roster_size * len(per_subject)),
        "subjects missing or too many for the roster": abs(rows["subject_id"].nunique() - context.roster_size),
        "rows with an unknown status": int((~rows["status"].isin(STATUSES)).sum()),
        "rows with an unknown tier": int((has_tier & ~rows["tier"].isin(TIERS)).sum()),
        "rows with an unknown alert": int((rows["alert"].notna() & ~rows["alert"].isin(ALERTS)).sum()),
        "rows with an alert or an action though not scored": int(
            (~is_scored & (rows["alert"].notna() | rows["action"].notna())).sum()
        ),
        "scored rows without a probability": int((is_scored & ~has_probability).sum()),
        "rows with a probability though not scored": int((~is_scored & has_probability).sum()),
        "rows with a tier though not scored": int((~is_scored & has_tier).sum()),
        "probabilities outside 0 to 1": int((has_probability & ~rows["probability"].between(0, 1)).sum()),
        "interval bounds in the wrong order": int((bounds[:, 0] > bounds[:, 1]).sum()),
        "infinite numbers": int(np.isinf(bounds).sum()),
    }
