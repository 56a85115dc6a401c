"""Watches a night and says so: on the page, in notices, in the night's status; and as tidy rows for who asks."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.evaluation import COLUMNS
from models.fairness.groups import EVERYBODY
from models.monitoring.limits import COMPARED_DAYS, LEFT_OUT_DAYS, Chart
from models.monitoring.series import shifts
from pipelines import night_status
from pipelines.installation import Installation
from pipelines.monitoring import record, store, telling, watching
from pipelines.monitoring.record import NightRecord
from pipelines.monitoring.watching import Watched
from pipelines.progress import Counts
from pipelines.release.shadow import in_words, obstacles
from pipelines.reports.monitoring import write_monitoring
from pipelines.reports.site import Context, write_index
from pipelines.training.provenance import code_version, dataset_name

SPLIT = "published"


def watch_and_report(installation: Installation, night: str) -> tuple[Counts, NightRecord | None]:
    """Watch a night, write the page, give notice of what is new; no record where something kept it from being watched.

    The night is delivered by now, and does not fail for it. Where it was watched as it is in force nothing is computed again.
    """
    installation.report("watching")
    found = watching.kept(installation, night)
    if found is None:
        try:
            watched = watching.watch(installation, night)
        except obstacles() as error:
            reason = f"The night could not be watched: {in_words(error)}"
            night_status.add(installation, night, "amber", reason)
            return {"not watched": reason}, None
        write(installation, watched)
        # The page first: what is on record is not looked at again.
        found = watched.record
        record.keep(installation, found)
    unreached = telling.spread(installation, found)
    told: Counts = {"signals": len(found.signals), "new": len(found.new), **found.judged}
    return told | ({"not told": " ".join(unreached)} if unreached else {}), found


def write(installation: Installation, watched: Watched) -> Path:
    """Write the page of a watched night, and the index of the report site."""
    settings, of_night = installation.settings, watched.record
    told = words_of(installation)
    page = write_monitoring(
        settings.reports_folder, of_night, telling.findings(of_night, told), watched.charts,
        shifts_of(installation, of_night.night), told,
        settings.monitoring.false_alarms_per_year,
        Context(date.fromisoformat(of_night.night), dataset_name(installation), code_version=code_version()),
    )  # fmt: skip
    write_index(settings.reports_folder)
    return page


def words_of(installation: Installation) -> dict[str, str]:
    """What a clinician calls each feature."""
    return {name: feature.words for name, feature in installation.settings.catalog().by_name.items()}


def shifts_of(installation: Installation, night: str) -> pd.DataFrame:
    """Population stability index of each series of a night."""
    compared = (LEFT_OUT_DAYS + COMPARED_DAYS, LEFT_OUT_DAYS + 1)
    return shifts(store.load(installation, night), pd.Timestamp(night), compared)


def rows(installation: Installation, watched: Watched) -> list[dict[str, Any]]:
    """Everything of a watched night as tidy rows: each series with its limits, and how past scores turned out."""
    dataset, night = dataset_name(installation), pd.Timestamp(watched.record.night)
    found = [of for kind, chart in watched.charts.items() for of in _of_chart(kind, chart, night)]
    told = [{"dataset": dataset, "task": "onset", "split": SPLIT, **of} for of in found]
    return told + [tidy(installation, of) for of in watched.record.figures]


def tidy(installation: Installation, figure: Mapping[str, Any]) -> dict[str, Any]:
    """A figure of how scores turned out as a tidy row."""
    told = {name: figure[name] for name in COLUMNS if name in figure}
    named = {"dataset": dataset_name(installation), "task": "onset", "split": SPLIT}
    return {**named, **told, "name": figure["metric"], "expected": figure["promised"], "is_signal": figure["is_beyond"]}


def summary(figures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How scores of everybody turned out, for a person."""
    columns = ("outcome", "model", "metric", "value", "low", "high", "n_subjects", "n_episodes")
    return [{name: of[name] for name in columns} for of in figures if of["group"] == EVERYBODY]


def _of_chart(kind: str, of: Chart, night: pd.Timestamp) -> list[dict[str, Any]]:
    """`low` and `high` are the limits of what is ordinary."""
    if night not in of.series.nights:
        return []
    at = of.series.place(night)
    table = of.series.table.assign(
        value=of.series.value[at], expected=of.expected[at], low=(of.expected - of.reach)[at], high=(of.expected + of.reach)[at],
        n_subjects=of.series.subjects[at], is_signal=of.is_alarm[at],
    )  # fmt: skip
    table = table[np.isfinite(table["value"])]
    return [
        {"outcome": row["outcome"], "horizon_days": None, "model": "", "group": row["group"], "metric": f"{kind}_{row['statistic']}",
         "value": row["value"], "low": row["low"], "high": row["high"], "n_subjects": int(row["n_subjects"]), "n_episodes": None,
         "name": row["name"], "expected": row["expected"], "is_signal": bool(row["is_signal"])}
        for row in table.to_dict("records")
    ]  # fmt: skip
