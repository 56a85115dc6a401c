"""Evaluates a real cohort end to end, from its raw files, in a lake of its own: nothing of the installation is touched.

The same ingestion, features, labels, evaluation and audit as the nightly system's; only the declaration differs.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pipelines import engineering
from pipelines.cohort import newest_night
from pipelines.errors import Refused, Usage
from pipelines.ingestion import ingest_all
from pipelines.installation import Installation
from pipelines.progress import Report
from pipelines.release import fairness, reporting
from pipelines.sections import FULL
from pipelines.settings import CONFIG_NAME, settings_from
from pipelines.training import ablation, controls, evaluating, labelling

# What counts as an event in each cohort, and how its absence is known; why, in docs/decisions/0005.
DECLARED: dict[str, dict[str, Any]] = {
    "jang2024": {
        "sites": {"default_time_zone": "Asia/Seoul"},
        "outcomes": {
            "panic": {
                "events": ["panic"], "horizons_days": [7, 14, 28], "alert_horizon_days": 7, "merge_within_days": 7,
                "refractory_days": 14, "ascertainment": "self_report", "min_coverage": 0.5,
            }
        },
    },
    "lifesnaps": {
        "sites": {"default_time_zone": "Europe/Athens"},
        "outcomes": {
            "low_mood": {
                "events": ["low_mood"], "horizons_days": [1], "merge_within_days": 7, "refractory_days": 7,
                "ascertainment": "self_report", "min_coverage": 1.0,
            }
        },
    },
}  # fmt: skip


UNCOUNTED = "Looks are counted only with `--out`: of this replay nothing is kept, so that no later command counts it."


@dataclass(frozen=True)
class Replayed:
    """Tidy result rows, the horizon of each outcome to look at first, findings in sentences, files that were kept, and what
    families of features add where that was asked for."""

    results: pd.DataFrame
    alert_horizons: dict[str, int]
    sentences: list[str]
    paths: list[Path]
    ablation: pd.DataFrame | None


def replay(
    name: str,
    data: Path,
    out: Path | None,
    resamples: int,
    report: Report,
    is_ablated: bool = False,
    is_full: bool = False,
) -> Replayed:
    """Ingest a cohort's published files, build features, evaluate the model and every baseline, and audit it.

    Args:
        name: a cohort of `DECLARED`.
        data: the folder with its files.
        out: where to keep the lake and the reports; nothing is kept if not given.
        resamples: subject resamples for every interval.
        report: told how far the work has come.
        is_ablated: whether to try what each family of features adds too.
        is_full: whether to evaluate by the whole protocol: every split, ten seeds, and the interval of the gain refitted.

    Raises:
        Usage: a cohort nobody declared, or a folder to keep things in that is not empty.
        Refused: a file of the cohort is missing or cannot be used.
        ModelsError: too few subjects with an event to evaluate anything.
    """
    if name not in DECLARED:
        raise Usage(f"`{name}` is not a cohort that can be replayed. Use one of {', '.join(DECLARED)}.")
    if not data.is_dir():
        raise Refused(f"There is no folder `{data}`. Point --data to the folder with the files of {name}.")
    with _home(out) as home:
        content = _declaration(name, data, resamples, is_full)
        installation = Installation(settings_from(content, home, f"replay of {name}"), report)
        # What is kept is an installation that other commands take, too.
        (home / CONFIG_NAME).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        ingest_all(installation)
        night = f"{newest_night(installation.lake, installation.settings.sites):%Y-%m-%d}"
        engineering.training_matrices(installation, night)
        labelling.make_labels(installation, night)
        evaluating.evaluate(installation, night)
        controls.check(installation, night)
        if is_ablated:
            ablation.ablate(installation, night)
        fairness.audit(installation, night)
        reporting.model_report(installation, night)
        results, sentences = reporting.findings(installation)
        if out is None:
            sentences.append(UNCOUNTED)
        kept = [] if out is None else [installation.settings.reports_folder / "index.html"]
        tried = ablation.tables(installation, night).get(ablation.TABLE)
        return Replayed(results, installation.settings.alert_horizons, sentences, kept, tried)


def _declaration(name: str, data: Path, resamples: int, is_full: bool) -> dict[str, object]:
    """The configuration of an installation that holds this cohort alone."""
    return {
        **DECLARED[name],
        "sources": [{"format": name, "path": str(data.resolve())}],
        "training": {"resamples": resamples, **(FULL if is_full else {})},
        "state": ".",
        "audit": {"attributes": ["sex", "age_band"], "resamples": resamples},
    }


@contextmanager
def _home(out: Path | None) -> Iterator[Path]:
    if out is None:
        with tempfile.TemporaryDirectory(prefix="foretide-replay-") as folder:
            yield Path(folder)
        return
    if out.exists() and any(out.iterdir()):
        raise Usage(f"`{out}` is not empty. Name a new folder for the replay's lake and reports.")
    out.mkdir(parents=True, exist_ok=True)
    yield out.resolve()
