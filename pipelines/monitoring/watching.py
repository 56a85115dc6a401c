"""Watches one night: counts it, compares it, looks weekly at how scores turned out, keeps what was found, and says what is new."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import pandas as pd

from features import history
from models import risk
from models.monitoring import counts, signals
from models.monitoring.agreement import agreement
from models.monitoring.limits import Chart
from models.monitoring.series import Series, series_of
from models.monitoring.signals import DECAY, Signal
from models.outcomes import Outcome
from pipelines import engineering
from pipelines.by_night import NIGHT
from pipelines.delivery.nights import run_in_force
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.monitoring import past, published, record, retraining, silence, store, turnout
from pipelines.monitoring.record import NightRecord
from pipelines.monitoring.store import Bins
from pipelines.release.registry import model_name
from pipelines.training.attributes import attributes

LOOK_EVERY = pd.Timedelta(days=7)
DAY = pd.Timedelta(days=1)
# Nights by which bins are scored where none was counted before watching began.
FIRST_NIGHTS = 28


@dataclass(frozen=True)
class Watched:
    """A watched night, its record, and the charts that it was judged by."""

    record: NightRecord
    charts: Mapping[str, Chart]


def watch(installation: Installation, night: str) -> Watched:
    """Count a night that was scored and delivered, and judge it.

    Raises:
        Refused: the night's matrices are not at hand, or nobody was known.
    """
    bins = begin(installation, night)
    subjects = attributes(installation, night)
    of_features = _count_features(installation, night, bins, subjects)
    unreadable = published.follow(installation, night)
    tonight = published.of_night(installation, night)
    of_scores = published.count(tonight, bins.scores, subjects)
    store.keep(installation, pd.concat([*of_features, of_scores], ignore_index=True))
    _note_promises(installation, tonight)
    found = judge(installation, night, subjects, bins)
    why = retraining.ask(installation, night, found.record.new_signals)
    made_of = _made_of(installation, night)
    return replace(found, record=replace(found.record, unreadable=unreadable, retrain_asked_for=why, made_of=made_of))


def kept(installation: Installation, night: str) -> NightRecord | None:
    """The record of a night that was watched as it is in force; equal run, equal data."""
    found = record.of(installation, night)
    return found if found is not None and found.made_of == _made_of(installation, night) else None


def _made_of(installation: Installation, night: str) -> str:
    settings = installation.settings
    return f"{run_in_force(settings.deliveries_folder / night)} {settings.monitoring.model_dump_json()}"


def again(installation: Installation, night: str) -> Watched:
    """A watched night judged once more from what is stored: for who looks at it.

    Raises:
        Refused: the night was not watched.
    """
    bins, of_night = store.read_bins(installation), record.of(installation, night)
    if bins is None or of_night is None:
        newest = record.newest(installation)
        known = (
            f"The newest that was is that of {newest}."
            if newest
            else "None was yet: `foretide score` watches its night."
        )
        raise Refused(f"The night of {night} was not watched. {known}")
    series = series_of_nights(store.load(installation, night), bins.begun)
    return Watched(of_night, signals.charts(series, installation.settings.monitoring.false_alarms_per_year))


def judge(installation: Installation, night: str, subjects: pd.DataFrame, bins: Bins) -> Watched:
    """What a night's counts and past scores say, given what earlier nights found; nothing is written."""
    series = series_of_nights(store.load(installation, night), bins.begun)
    found = signals.charts(series, installation.settings.monitoring.false_alarms_per_year)
    at, earlier = pd.Timestamp(night), record.before(installation, night)
    n_compared, of_order = order(installation, night, published.lately(installation, night))
    looked_on, figures, of_look = _look(installation, night, subjects, earlier)
    told = [*signals.of_night(found, at), *of_order, *of_look]
    tonight = silence.of_night(installation, night)
    silences = silence.lately(installation, night)
    known = earlier.told_identities if earlier else set()
    following = [
        k for k, of in enumerate(told) if of.identity not in known and any(was.explains(of) for was in silences)
    ]
    new = [k for k, of in enumerate(told) if k not in following and of.identity not in known]
    of_record = NightRecord(
        night, _judged(found, at) | {signals.ORDER: n_compared}, told, new, looked_on, figures,
        silent=list(tonight.streams), is_outage=tonight.is_outage, following=following,
    )  # fmt: skip
    return Watched(of_record, found)


def series_of_nights(counted: pd.DataFrame, begun: str) -> Series:
    """Series of counted nights; bins are scored by the nights before watching began, or by the first ones."""
    nights = sorted(counted[NIGHT].unique())
    before = [of for of in nights if of < pd.Timestamp(begun)]
    return series_of(counted, before if len(before) >= FIRST_NIGHTS else nights[:FIRST_NIGHTS])


def _judged(charts: Mapping[str, Chart], night: pd.Timestamp) -> dict[str, int]:
    judged = dict.fromkeys(signals.KINDS[:-1], 0)
    for kind, of in charts.items():
        if night in of.series.nights:
            ratio = of.ratio[of.series.place(night)]
            judged[kind] = int(pd.notna(ratio).sum())
    return judged


def order(installation: Installation, night: str, scored: pd.DataFrame) -> tuple[int, list[Signal]]:
    """How many outcomes' risks of a night could be compared in their order with those before, and signals of where it is lost.

    Args:
        scored: published rows with a score.
    """
    at, outcomes = pd.Timestamp(night), list(scored["outcome"].unique())
    share = signals.share_of(installation.settings.monitoring.false_alarms_per_year) / max(len(outcomes), 1)
    compared = {name: agreement(scored[scored["outcome"] == name], at, share) for name in outcomes}
    found = {name: of for name, of in compared.items() if of is not None}
    return len(found), [
        of for name, told in found.items() for of in signals.of_order(told, name, published.RISK, night)
    ]


def _look(
    installation: Installation, night: str, subjects: pd.DataFrame, earlier: NightRecord | None
) -> tuple[str, list[dict[str, object]], list[Signal]]:
    """The newest look at how scores turned out, a week after the last one at the earliest, and its signals."""
    if earlier and earlier.looked_on and pd.Timestamp(night) - pd.Timestamp(earlier.looked_on) < LOOK_EVERY:
        return earlier.looked_on, earlier.figures, [of for of in earlier.signals if of.kind == DECAY]
    budget = signals.share_of(installation.settings.monitoring.false_alarms_per_year)
    figures = turnout.look(installation, night, published.stored(installation, night), subjects, budget)
    if figures.empty:
        return "", [], []
    return night, record.rows_of(figures), signals.of_look(figures, night)


def begin(installation: Installation, night: str) -> Bins:
    """How nights are counted; on the first watched night the bins are fixed, and the nights before are counted as then known."""
    bins = store.read_bins(installation)
    if bins is not None:
        return bins
    installation.report("counting past nights")
    days, subjects = engineering.panel(installation, night), attributes(installation, night)
    features, scores, counted = {}, {}, []
    for outcome in engineering.outcomes(installation):
        model = _champion(installation, outcome)
        names = watched_features(installation, outcome, model)
        needed = dict.fromkeys([*names, engineering.COMPLETENESS, *(model.features if model else ())])
        matrix = past.past_matrix(installation, days, outcome, tuple(needed))
        features[outcome.name] = counts.edges_of(past.present(matrix)[list(names)])
        counted.append(past.count_features(matrix, outcome.name, names, features[outcome.name], subjects))
        if model is not None and len(matrix):
            horizon = installation.settings.alert_horizons[outcome.name]
            told = past.past_scores(installation, days, outcome, matrix, model, horizon)
            scores[outcome.name] = counts.edges_of(told[["probability"]].set_axis([published.RISK], axis=1))
            told = told.assign(outcome=outcome.name, status="scored", tier=None, alert=None)
            of_scores = published.count(told, scores, subjects)
            counted.append(of_scores[of_scores["kind"] == counts.SCORE] if len(of_scores) else of_scores)
    store.keep(installation, pd.concat(counted, ignore_index=True))
    bins = Bins(night, features, scores)
    store.write_bins(installation, bins)
    return bins


def watched_features(installation: Installation, outcome: Outcome, model: risk.HazardModel | None) -> tuple[str, ...]:
    """What the champion looks at, and what models may; of further outcomes only what depends on the outcome."""
    known = installation.settings.catalog().by_name
    names = dict.fromkeys([*installation.settings.features_on(), *(model.features if model else ())])
    is_first = next(iter(installation.settings.outcomes)) == outcome.name
    return tuple(name for name in names if name in known and (is_first or name in history.NAMES))


def _champion(installation: Installation, outcome: Outcome) -> risk.HazardModel | None:
    with suppress(Refused):
        return risk.load(installation.registry.champion(model_name(outcome.name)).folder)
    return None


def _count_features(installation: Installation, night: str, bins: Bins, subjects: pd.DataFrame) -> list[pd.DataFrame]:
    """Count the night's own matrices; features that are new are counted by tonight's deciles from now on."""
    parts = []
    for outcome in engineering.outcomes(installation):
        matrix = installation.lake.load(f"night_matrix_{outcome.name}")
        matrix = matrix[matrix["index_date"] == pd.Timestamp(night)]
        names = [of for of in watched_features(installation, outcome, _champion(installation, outcome)) if of in matrix]
        edges = bins.features.setdefault(outcome.name, {})
        unknown = [name for name in names if name not in edges]
        if found := counts.edges_of(past.present(matrix)[unknown]):
            edges.update(found)
            store.write_bins(installation, bins)
        parts.append(past.count_features(matrix, outcome.name, names, edges, subjects))
    return parts


def _note_promises(installation: Installation, tonight: pd.DataFrame) -> None:
    called = tonight.drop_duplicates("outcome").set_index("outcome")["model_version"]
    turnout.note_promises(installation, {str(outcome): str(version) for outcome, version in called.items()})
