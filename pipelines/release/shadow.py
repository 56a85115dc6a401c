"""Shadow nights: the challenger scores what the champion scored, into a sealed store.

Nobody reads a score of it: no delivery, page or answer is made from it, and the gate counts its nights only. It grows by a night at
a time and is kept beside the derived tables, which are overwritten whole.
"""

import os
from contextlib import suppress

import duckdb
import pandas as pd
import pyarrow as pa
from deltalake.exceptions import DeltaError
from xgboost.core import XGBoostError

from models import risk
from models.errors import ModelsError
from models.gate import Shadowed
from pipelines import by_night
from pipelines import cohort as cohorts
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.lake import Lake
from pipelines.progress import Counts
from pipelines.release import horizons, tracking
from pipelines.release.registry import CHALLENGER, CHAMPION, ServedModel, model_name

TABLE = "shadow_scores"
# What an entry of the audit log about a shadow night is called.
KIND = "shadow"
# A row per night, outcome, version and subject: risks in the order of their horizons, none where the status is not `scored`.
SCHEMA = pa.schema(
    [("as_of_date", pa.date32())]
    + [(name, pa.string()) for name in ("outcome", "model_version", "model_sha256", "subject_id", "status")]
    + [("horizons_days", pa.list_(pa.int64())), ("risks", pa.list_(pa.float64()))]
)
# What a night's rows of a version are put in the place of.
PLACE = ("as_of_date", "outcome", "model_version")
NOT_SCORED = "not scored: "


def challenger(installation: Installation, outcome: str, known_at: pd.Timestamp) -> ServedModel | None:
    """What scores beside an outcome's champion on the night known at an instant; None where none is asked for or there.

    Raises:
        Refused: its files were altered or cannot be had, or it was trained for other horizons than are declared, or on what came
            to be known after that night.
    """
    if not installation.settings.release_policy.shadow_nights:
        return None
    registry, name = installation.registry, model_name(outcome)
    try:
        found = registry.find(name, CHALLENGER)
        if found is None or found == registry.find(name, CHAMPION):
            return None
        if found.has_seen_beyond(known_at):
            raise Refused(f"The challenger `{name}` version {found.version} was trained after that night.")
        served = ServedModel(found, registry.fetch(found))
        horizons.refuse_others(installation.settings, served)
        return served
    except tracking.unreachable() as error:
        raise Refused("The challenger cannot be had from the model registry.") from error


def features(installation: Installation, outcome: str, known_at: pd.Timestamp) -> tuple[str, ...]:
    """What an outcome's challenger looks at on the night known at an instant; nothing where something keeps it from scoring."""
    if not installation.settings.release_policy.shadow_nights:
        return ()
    with suppress(*obstacles()):
        served = challenger(installation, outcome, known_at)
        return () if served is None else risk.load(served.folder).features
    return ()


def score(installation: Installation, night: str) -> Counts:
    """Store what every outcome's challenger says of the night that the champion scored; in words, what became of it.

    The champion's night, which is delivered by now, does not fail for it: what keeps a challenger from scoring is told.
    """
    if not installation.settings.release_policy.shadow_nights:
        return {}
    told: Counts = {}
    for outcome in installation.settings.outcomes:
        try:
            told[model_name(outcome)] = _score(installation, pd.Timestamp(night), outcome)
        except obstacles() as error:
            told[model_name(outcome)] = NOT_SCORED + in_words(error)
    return told


def not_scored(told: Counts) -> Counts:
    """Of what `score` told, the challengers that something kept from scoring."""
    return {name: text for name, text in told.items() if str(text).startswith(NOT_SCORED)}


def sentences(told: Counts) -> list[str]:
    """What `score` told, a sentence for each challenger."""
    return [f"Shadow night of {name}: {str(text).rstrip('.')}." for name, text in told.items()]


def obstacles() -> tuple[type[Exception], ...]:
    """What keeps a challenger from scoring without being a fault of the code: its files, the registry, the store, the machine.

    A full disk comes as an OSError or, out of the Delta package, as an error of its own.
    """
    return Refused, ModelsError, XGBoostError, DeltaError, duckdb.OperationalError, MemoryError, *tracking.unreachable()


def in_words(error: Exception) -> str:
    """Why, without the text of an error that is not ours, which may hold somebody's data."""
    if isinstance(error, Refused | ModelsError):
        return str(error)
    why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
    return f"its scores could not be made or kept ({why}). Is the disk full? `foretide score` tries again"


def _score(installation: Installation, as_of: pd.Timestamp, outcome: str) -> str:
    served = challenger(installation, outcome, cohorts.known_at(installation.settings.sites, as_of))
    if served is None:
        return "no challenger is beside the champion"
    model, lake = risk.load(served.folder), installation.lake
    rows = lake.load("scores").query("outcome == @outcome and as_of_date == @as_of")
    rows = rows[["subject_id", "status"]].drop_duplicates(ignore_index=True)
    matrix = lake.load(f"night_matrix_{outcome}").query("index_date == @as_of")
    matrix = matrix[matrix["subject_id"].isin(rows.loc[rows["status"] == "scored", "subject_id"])]
    risks = dict(zip(matrix["subject_id"], risk.predict(model, matrix.reset_index(drop=True)).tolist(), strict=True))
    content = rows.assign(
        as_of_date=as_of.date(), outcome=outcome, model_version=served.version, model_sha256=served.model.content_sha256,
        horizons_days=[list(model.horizons_days)] * len(rows), risks=[risks.get(name, []) for name in rows["subject_id"]],
    )  # fmt: skip
    store(lake, content)
    entry = {"night": f"{as_of:%Y-%m-%d}", "model": served.name, "version": served.version,
             "sha256": served.model.content_sha256, "scored": len(risks), "subjects": len(rows)}  # fmt: skip
    installation.audit_log.append(KIND, entry, cohorts.known_at(installation.settings.sites, as_of))
    return f"version {served.version} scored {len(risks)} of {len(rows)} subjects"


def store(lake: Lake, rows: pd.DataFrame) -> None:
    """Put a night's rows of a version in the place of those of before, in one commit."""
    if rows.empty:
        return
    place = " AND ".join(f"{name} = {by_night.quoted(rows[name].iloc[0])}" for name in PLACE)
    by_night.put(lake, TABLE, pa.Table.from_pandas(rows, SCHEMA, preserve_index=False), place)


def nights(installation: Installation, outcome: str) -> Shadowed:
    """On how many nights an outcome's challenger scored anybody beside the champion, by whether their outcomes are known.

    They are once the longest horizon is over on the newest night of the lake, as in training.
    """
    version = installation.registry.find(model_name(outcome), CHALLENGER)
    if version is None:
        return Shadowed(0, 0)
    of_it = {"outcome": outcome, "model_version": version.version, "model_sha256": version.content_sha256}
    its_scores = " AND ".join(
        ["len(risks) > 0", *(f"{name} = {by_night.quoted(value)}" for name, value in of_it.items())]
    )
    with installation.lake.connection() as connection:
        rows = by_night.rows(installation.lake, TABLE, connection)
        if rows is None:
            return Shadowed(0, 0)
        found = (
            rows.filter(its_scores).aggregate("as_of_date, max(list_max(horizons_days)) AS longest", "as_of_date").df()
        )
    over = pd.to_datetime(found["as_of_date"]) + pd.to_timedelta(found["longest"], unit="D")
    known = int((over <= cohorts.newest_night(installation.lake, installation.settings.sites)).sum())
    return Shadowed(known, len(found) - known)
