"""Builds and stores what a model sees: the cohort, the day panel, and feature matrices for training or for a night."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from features import history, matrix
from features.catalog import Catalog
from models import risk
from models.baselines import LAST_MOOD
from models.outcomes import Outcome
from models.risk import HazardModel
from pipelines import cohort as cohorts
from pipelines import contents
from pipelines import panel as panels
from pipelines.cohort import Cohort
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.lake import BUCKETS
from pipelines.panel.extent import buckets_of
from pipelines.panel.view import Panel
from pipelines.release import shadow
from pipelines.release.registry import model_name
from pipelines.settings import Settings
from pipelines.training.provenance import basis

# Share of the last four weeks' days with any data.
COMPLETENESS = "adherence_coverage_28d"
# Numbers of the day panel and of a matrix that are held at a time: 1.2 GB.
VALUES_AT_ONCE = 150_000_000
Shapes = dict[str, tuple[int, int]]


def cohort(installation: Installation, night: str) -> Cohort:
    """Who was known for the night; read once while nothing comes in: each step of a night begins with it."""
    lake, memory = installation.lake, installation.memory
    read_from = night, tuple(lake.files("subjects"))
    if read_from not in memory:
        memory.clear()
        memory[read_from] = cohorts.load(lake, installation.settings, pd.Timestamp(night))
    return memory[read_from]


def panel(installation: Installation, night: str) -> Panel:
    """The bitemporal day panel of the night, brought up to date."""
    installation.report("summarising days")
    return panels.refresh(installation.lake, cohort(installation, night))


def outcomes(installation: Installation) -> list[Outcome]:
    """The declared outcomes."""
    return [cohorts.outcome_named(name, o) for name, o in installation.settings.outcomes.items()]


def training_matrices(installation: Installation, night: str) -> Shapes:
    """Build and store `training_matrix_<outcome>` over the index dates before the night; their shapes.

    Raises:
        Refused: there is no such date.
    """
    days, shapes = panel(installation, night), {}
    for outcome in outcomes(installation):
        until = cohorts.follow_up(installation.lake, days.cohort, outcome, days.load(columns=()))
        index = training_index(installation, days, outcome, until)
        shapes[outcome.name] = _store(
            installation, days, outcome, index, "training", version=basis(installation, night)
        )
    return shapes


def training_index(installation: Installation, days: Panel, outcome: Outcome, until: pd.DataFrame) -> pd.DataFrame:
    """The past index dates to learn from: `subject_id, index_date`.

    Args:
        until: how long each subject is followed up.

    Raises:
        Refused: there is no such date.
    """
    index = cohorts.index_rows(days.cohort, until, installation.settings.training.index_every_days)
    if index.empty:
        raise Refused(
            f"No index date before {days.cohort.as_of:%Y-%m-%d} knew a subject to be enrolled and followed up for "
            f"`{outcome.name}`. Say when the rows of `subjects` were received: map `received_at`, or write `received: "
            "end_of_local_day` in the mapping."
        )
    return index


def night_matrices(installation: Installation, night: str) -> Shapes:
    """Build and store `night_matrix_<outcome>`, one row per subject on the roster; their shapes.

    What is stored already and was made of the same is not made again.

    Raises:
        Refused: nobody is on the roster.
    """
    days = panel(installation, night)
    cohorts.refuse_an_empty_roster(days.cohort)
    index = days.cohort.roster[["subject_id"]].assign(index_date=days.cohort.as_of)
    content = contents.version(installation.lake, days.cohort.known_at)
    shapes = {}
    for outcome in outcomes(installation):
        more = _scoring(installation, days.cohort, outcome)
        # The panel's name tells of features' code, too.
        made_of = [
            days.name,
            content,
            repr(outcome),
            repr(installation.settings.signals),
            *needed(installation.settings),
            *more,
        ]
        version = hashlib.sha256("\n".join(made_of).encode()).hexdigest()
        shapes[outcome.name] = _store(installation, days, outcome, index, "night", more, version)
    return shapes


def night_matrix(
    installation: Installation, night: str, outcome: Outcome, model: HazardModel, asked: str
) -> pd.DataFrame:
    """The features that a model looks at for everybody on a night's roster; what is stored of other nights stays.

    Args:
        asked: a subject whose features are made of raw rows, and not of days that are stored.

    Raises:
        Refused: nobody is on the roster.
    """
    days, catalog = panels.computed_anew(panel(installation, night), asked), installation.settings.catalog()
    cohorts.refuse_an_empty_roster(days.cohort)
    index = days.cohort.roster[["subject_id"]].assign(index_date=days.cohort.as_of)
    features = looked_at(catalog, model)
    return pd.concat(built(installation, days, outcome, index, features), ignore_index=True)


def looked_at(catalog: Catalog, model: HazardModel) -> tuple[str, ...]:
    """What a night's scores by a model need: its features, what drivers are told in, and how complete data are."""
    return tuple(dict.fromkeys([COMPLETENESS, *_told_with(catalog, model.features)]))


def _scoring(installation: Installation, known: Cohort, outcome: Outcome) -> tuple[str, ...]:
    """Features of the champion and of what is its shadow, which may have learnt from others than are on by now.

    With what compares with the own past also the same in the measure's unit, in which drivers are told.
    """
    found: list[str] = []
    with suppress(Refused):
        found += risk.load(installation.registry.champion(model_name(outcome.name)).folder).features
    found += shadow.features(installation, outcome.name, known.known_at)
    return _told_with(installation.settings.catalog(), found)


def _told_with(catalog: Catalog, features: Sequence[str]) -> tuple[str, ...]:
    """Features that the catalog knows, with those in whose unit they are told."""
    found = [*features, *(catalog.in_units[name] for name in features if name in catalog.in_units)]
    return tuple(name for name in found if name in catalog.by_name)


def needed(settings: Settings) -> tuple[str, ...]:
    """Features of the matrices: what models see, and what baselines, controls and deliveries need beside it."""
    return tuple(dict.fromkeys([*settings.features_on(), *history.NAMES, LAST_MOOD, COMPLETENESS]))


def built(
    installation: Installation, days: Panel, outcome: Outcome, index: pd.DataFrame, features: Sequence[str]
) -> Iterator[pd.DataFrame]:
    """Features of index rows, as many buckets of subjects at a time as memory allows, in the order of their buckets."""
    settings, known = installation.settings, days.cohort
    catalog = settings.catalog()
    events = cohorts.outcome_event_days(installation.lake, known, outcome)
    needs = matrix.needs_of(features, catalog)
    first = index["index_date"].min()
    begins = {name: first - pd.Timedelta(days=n_days) for name, n_days in needs.columns.items()}
    begin = first - pd.Timedelta(days=needs.lookback)
    span = (index["index_date"].max() - begin).days
    values = len(index) * len(features) + index["subject_id"].nunique() * span * len(needs.columns)
    at_once = min(BUCKETS, max(1, BUCKETS * VALUES_AT_ONCE // max(values, 1)))
    bucket = buckets_of(index["subject_id"]).to_numpy()
    for start in range(0, BUCKETS, at_once):
        installation.report(f"building {len(features)} features of {len(index):,} rows", start / BUCKETS)
        some = range(start, start + at_once)
        rows = index[np.isin(bucket, some)]
        if len(rows):
            yield matrix.build_matrix(
                days.load(some, begin, needs.columns, begins), events, known.enrolments, rows, outcome.merge_within_days, features,
                catalog, days.restarts, settings.training.threads,
            )  # fmt: skip


def widened(
    installation: Installation, night: str, outcome: Outcome, stored: pd.DataFrame, asked: Iterable[str]
) -> pd.DataFrame:
    """A training matrix and, row by row beside it, the features that are asked for and that it lacks."""
    further = sorted(set(asked).difference(stored.columns))
    if not further:
        return stored
    key = ["subject_id", "index_date"]
    parts = built(installation, panel(installation, night), outcome, stored[key], further)
    return stored.merge(pd.concat(parts), on=key, how="left", validate="one_to_one")


def _store(
    installation: Installation, days: Panel, outcome: Outcome, index: pd.DataFrame, kind: str, more: Sequence[str] = (),
    version: str = "",
) -> tuple[int, int]:  # fmt: skip
    features, name = tuple(dict.fromkeys([*needed(installation.settings), *more])), f"{kind}_matrix_{outcome.name}"
    if kind != "night" or installation.lake.derived_version(name) != version:
        installation.lake.replace(name, built(installation, days, outcome, index, features), version)
    return len(index), len(features)
