"""Runs monitoring over simulated histories as it would have run each night: what it would have told, and when."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from features import history
from models import alerting, resampling, risk
from models.fairness.groups import EVERYBODY, levels_of
from models.monitoring import counts, prospective, signals
from models.monitoring.agreement import agreement
from models.monitoring.prospective import Promise
from models.monitoring.series import series_of
from models.outcomes import at_horizon
from pipelines import alerts, engineering
from pipelines import cohort as cohorts
from pipelines.alert_simulation import SINCE
from pipelines.by_night import NIGHT as AS_OF
from pipelines.installation import Installation
from pipelines.monitoring import past, published, turnout
from pipelines.training import labelling
from pipelines.training.attributes import attributes
from tests.pipelines.spoilt_histories import BEFORE, NIGHT, NIGHTS, Fault, installation

FIRST = pd.Timestamp(NIGHT) - pd.Timedelta(days=NIGHTS)
BUDGET = 4.0
HORIZON, VERSION, WORSE = 14, "foretide-crisis/1 (rule)", "foretide-crisis/2 (rule)"
LEARNT_FROM = (*history.NAMES, "mood_valence_mean_7d", "mood_valence_z_3d", "sleep_duration_z_3d", "activity_steps_z_3d",
               "heart_resting_z_3d", "adherence_answers_mean_7d")  # fmt: skip
# What a retrained model does to the risks of a night: three times too high, or in an order that means nothing.
Worsen = Callable[[pd.DataFrame], pd.Series]


@dataclass(frozen=True)
class Told:
    """Something that monitoring told first on a night, in nights since the history is watched."""

    night: int
    kind: str
    name: str
    group: str
    statistic: str


@dataclass(frozen=True)
class History:
    """A history whose nights can be watched: its installation, matrix of all nights, attributes, and counted features."""

    installation: Installation
    matrix: pd.DataFrame
    attributes: pd.DataFrame
    counted: pd.DataFrame


def histories(seed: int, subjects: int, fault: Fault | None, features: tuple[str, ...] = ()) -> Iterator[History]:
    """One history, as long as it is being looked at."""
    with TemporaryDirectory() as folder:
        made = installation(Path(folder), seed, subjects, fault)
        names = features or made.settings.features_on()
        days, outcome = engineering.panel(made, NIGHT), engineering.outcomes(made)[0]
        needed = tuple(dict.fromkeys([*names, engineering.COMPLETENESS, *LEARNT_FROM]))
        matrix, told = past.past_matrix(made, days, outcome, needed, NIGHTS + BEFORE), attributes(made, NIGHT)
        before = past.present(matrix[matrix["index_date"] < FIRST])
        counted = past.count_features(matrix, outcome.name, names, counts.edges_of(before[list(names)]), told)
        yield History(made, matrix, told, counted)


def told_of_data(of: History) -> list[Told]:
    """What is told of features and missingness."""
    return _of_charts(of.counted)


def _of_charts(counted: pd.DataFrame) -> list[Told]:
    nights = sorted(counted[AS_OF].unique())
    series = series_of(counted, [night for night in nights if night < FIRST])
    found = []
    for kind, chart in signals.charts(series, BUDGET).items():
        is_new = chart.is_alarm & ~np.vstack([np.zeros_like(chart.is_alarm[:1]), chart.is_alarm[:-1]])
        for at, k in zip(*np.nonzero(is_new), strict=True):
            row, night = series_row(chart.series.table, int(k)), (chart.series.nights[at] - FIRST).days
            if night >= 0:
                found.append(Told(night, kind, row["name"], row["group"], row["statistic"]))
    return sorted(found, key=lambda told: told.night)


def series_row(table: pd.DataFrame, k: int) -> pd.Series:
    """One line of a table of series."""
    return table.iloc[k]


def told_of_scores(of: History, worsen: Worsen | None = None, onset: int = 30) -> list[Told]:
    """What is told of scores, statuses, volume and how scores turned out, where a retrained model serves from a night on."""
    model, promise = _champion(of)
    outcome, made = engineering.outcomes(of.installation)[0], of.installation
    days = engineering.panel(made, NIGHT)
    rows = past.past_scores(made, days, outcome, of.matrix, model, HORIZON)
    since = of.matrix.rename(columns={"index_date": AS_OF})[["subject_id", AS_OF, SINCE]]
    rows = rows.merge(since, on=["subject_id", AS_OF], validate="1:1")
    rows = rows.assign(outcome=outcome.name, status="scored", model_version=VERSION)
    edges = counts.edges_of(rows.loc[rows[AS_OF] < FIRST, ["probability"]].set_axis([published.RISK], axis=1))
    if worsen is not None:
        is_after = rows[AS_OF] >= FIRST + pd.Timedelta(days=onset)
        rows.loc[is_after, "probability"] = worsen(rows[is_after])
        rows.loc[is_after, "model_version"] = WORSE
    rows = _alerted(of, rows)
    found = _of_charts(published.count(rows, {outcome.name: edges}, of.attributes))
    found += [*_of_order(rows), *_of_looks(of, rows[rows[AS_OF] >= FIRST], promise)]
    return sorted(found, key=lambda told: told.night)


def _of_order(rows: pd.DataFrame) -> Iterator[Told]:
    """Nights on which the order of risks was lost, and was not on the night before."""
    was_lost = False
    for night in sorted(rows.loc[rows[AS_OF] >= FIRST, AS_OF].unique()):
        compared = agreement(rows, pd.Timestamp(night), signals.share_of(BUDGET))
        is_lost = compared is not None and compared.is_lost
        if is_lost and not was_lost:
            yield Told((night - FIRST).days, signals.ORDER, published.RISK, EVERYBODY, signals.AGREEMENT)
        was_lost = is_lost


def _alerted(of: History, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with tier and alert, as the alert policy decides night after night."""
    nights = rows.merge(of.attributes[["subject_id", "site"]], on="subject_id", how="left").rename(
        columns={"probability": "risk"}
    )
    nights = nights.assign(is_quiet=alerting.is_quiet(nights[SINCE]))[[AS_OF, "subject_id", "site", "risk", "is_quiet"]]
    decided = alerting.through(nights, alerts.rules_of(of.installation.settings.alert_policy))
    return rows.merge(decided[[AS_OF, "subject_id", "tier", "alert"]], on=[AS_OF, "subject_id"], validate="1:1")


def _of_looks(of: History, rows: pd.DataFrame, promise: Promise) -> list[Told]:
    """What weekly looks tell, each by what is known then."""
    outcome, seen, found = engineering.outcomes(of.installation)[0], set(), []
    for night in range(HORIZON + 7, NIGHTS + 1, 7):
        at = f"{FIRST + pd.Timedelta(days=night):%Y-%m-%d}"
        known = turnout.known(of.installation, at, rows[rows[AS_OF] < at], outcome)
        n_versions = known["model_version"].nunique()
        for version, part in known.groupby("model_version"):
            levels = levels_of(of.attributes, pd.Index(part["subject_id"].unique()))
            figures = prospective.figures(part.reset_index(drop=True), levels, 300, 1)
            judged = prospective.judged(figures, promise, signals.share_of(BUDGET) / n_versions)
            told = judged.assign(outcome=outcome.name, model=version)
            for of_look in signals.of_look(told, at):
                if of_look.identity not in seen:
                    seen.add(of_look.identity)
                    found.append(Told(night, of_look.kind, of_look.name, of_look.group, of_look.statistic))
    return found


def _champion(of: History) -> tuple[risk.HazardModel, Promise]:
    """A model of the nights before, and its AUROC in subjects it has not seen."""
    made, outcome = of.installation, engineering.outcomes(of.installation)[0]
    cohort = engineering.cohort(made, f"{FIRST:%Y-%m-%d}")
    past_rows = of.matrix[of.matrix["index_date"] < FIRST].reset_index(drop=True)
    reports = engineering.panel(made, NIGHT).load(columns=cohorts.reporting_columns(outcome))
    labels = labelling.as_known(made, cohort, outcome, past_rows[["subject_id", "index_date"]], reports)
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    horizons = outcome.horizons_days

    def fitted(those: np.ndarray) -> risk.HazardModel:
        rows = past_rows[those].reset_index(drop=True)
        return risk.fit(rows, onset[those].reset_index(drop=True), horizons, LEARNT_FROM, "logistic", 1)

    code, names = pd.factorize(past_rows["subject_id"])
    label, place = at_horizon(onset, HORIZON), horizons.index(HORIZON)
    score = np.zeros(len(code))
    for half in range(2):
        score[code % 2 == half] = risk.predict(fitted(code % 2 != half), past_rows[code % 2 == half])[:, place]
    kept = np.isfinite(label)
    weights = np.vstack([np.ones(len(names)), resampling.draws(len(names), 300, 1)])
    auroc = resampling.concordance(score[kept], label[kept], code[kept].astype(np.int64)).auroc(weights)
    return fitted(np.ones(len(code), dtype=bool)), Promise(*resampling.with_interval(auroc))


def three_times(rows: pd.DataFrame) -> pd.Series:
    """Risks three times too high."""
    return (3 * rows["probability"]).clip(upper=0.99)


def in_any_order(rows: pd.DataFrame) -> pd.Series:
    """The same risks, of somebody else: each subject has, on all nights, those of another one."""
    names = np.sort(rows["subject_id"].unique())
    other = dict(zip(names, np.random.default_rng(1).permutation(names), strict=True))
    risks = rows.set_index([AS_OF, "subject_id"])["probability"]
    swapped = risks.reindex(pd.MultiIndex.from_arrays([rows[AS_OF], rows["subject_id"].map(other)]))
    return pd.Series(swapped.to_numpy(), index=rows.index).fillna(rows["probability"].mean())


def is_about(told: Told, families: tuple[str, ...]) -> bool:
    """Whether it is about features of one of the families."""
    return told.kind in (signals.DRIFT, signals.MISSINGNESS) and told.name.split("_")[0] in families
