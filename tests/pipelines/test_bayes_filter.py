"""The yardstick for models: a filter that knows the simulator's numbers, and nothing that a night did not know."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from sklearn.metrics import roc_auc_score

from pipelines import cohort as cohorts
from pipelines import engineering
from pipelines.ingestion import ingest_all
from pipelines.installation import Installation
from pipelines.settings import settings_from
from pipelines.sources.simulated import SimulatedCohort, true_hazard
from pipelines.sources.simulation.bayes import evidence, priors, reading, risks
from pipelines.sources.simulation.bayes.particles import survivors
from pipelines.sources.simulation.course import EPISODE, STAGE_NAMES, true_risks
from pipelines.sources.simulation.people import people
from pipelines.sources.simulation.rows import Group, group

COHORT = SimulatedCohort(subjects=24, days=90, minute_days=0, seed=5)
FIRST = pd.Timestamp(COHORT.until - timedelta(days=COHORT.days - 1))
NIGHT = "2026-07-01"


@dataclass
class Seen:
    """What the filter is given."""

    subjects: pd.DataFrame
    panel: pd.DataFrame
    events: pd.DataFrame
    care: pd.DataFrame

    def until(self, night: pd.Timestamp) -> "Seen":
        """What was known on a night."""
        known = (rows[rows["known_on"] <= night] for rows in (self.panel, self.events, self.care))
        return Seen(self.subjects, *known)

    def risks(self, index: pd.DataFrame) -> pd.DataFrame:
        """Of the index rows."""
        return risks.filtered(COHORT, self.subjects, self.panel, self.events, self.care, index)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """A small cohort as it comes through the door."""
    source = {
        "format": "simulated",
        **{name: getattr(COHORT, name) for name in ("subjects", "days", "minute_days", "seed")},
    }
    declared = {
        "sources": [source | {"until": str(COHORT.until)}],
        "outcomes": {"crisis": {"events": ["crisis_contact", "emergency"], "horizons_days": [14]}},
        "sites": {"default_time_zone": "Europe/Berlin", "time_zones": {"south": "America/New_York"}},
    }
    installation = Installation(settings_from(declared, Path(tmp_path_factory.mktemp("home"))))
    ingest_all(installation)
    days = engineering.panel(installation, NIGHT)
    (outcome,) = engineering.outcomes(installation)
    events = cohorts.outcome_event_days(installation.lake, days.cohort, outcome)
    care = cohorts.dated(installation.lake, days.cohort, "care_status")
    return Seen(days.cohort.subjects, days.load(columns=evidence.COLUMNS), events, care)


@pytest.fixture(scope="module")
def index(seen: Seen) -> pd.DataFrame:
    """Weekly index dates of everybody after two weeks."""
    since = seen.subjects["enrolled_on"] + pd.Timedelta(days=15)
    of = [pd.DataFrame({"subject_id": name, "index_date": pd.date_range(day, COHORT.until, freq="7D", unit="us")})
          for name, day in zip(seen.subjects["subject_id"], since, strict=True)]  # fmt: skip
    return pd.concat(of, ignore_index=True)


@pytest.fixture(scope="module")
def told(seen: Seen, index: pd.DataFrame) -> pd.DataFrame:
    """What the filter says of them."""
    return seen.risks(index)


def test_nothing_that_came_later_is_used(seen: Seen, told: pd.DataFrame) -> None:
    """A night's risks stay as they are if all that came later is taken away."""
    night = pd.Timestamp("2026-05-20")
    before = told[told["index_date"] <= night].reset_index(drop=True)
    again = seen.until(night).risks(before[risks.KEY])
    newest = before.groupby("subject_id")["index_date"].transform("max") == before["index_date"]
    assert newest.sum() > 10
    pd.testing.assert_frame_equal(again, before, rtol=1e-9)


def test_a_night_says_the_same_whether_or_not_others_came_before(seen: Seen, told: pd.DataFrame) -> None:
    """Going back for what came late ends where a pass over all that is known by now ends."""
    last = told.groupby("subject_id").tail(1).reset_index(drop=True)
    pd.testing.assert_frame_equal(seen.risks(last[risks.KEY]), last, rtol=1e-9)


def test_it_tells_a_prodrome_from_calm(told: pd.DataFrame) -> None:
    """Risks rise with the horizon, and are higher before an onset than in a stable stage."""
    truth = told.merge(true_hazard(COHORT)[["subject_id", "index_date", "state"]], on=risks.KEY)
    values = told[["risk_7d", "risk_14d", "risk_28d"]].to_numpy()
    assert (values > 0).all()
    assert (np.diff(np.hstack([values, np.ones((len(values), 1))])) > 0).all()
    plain = truth[truth["state"].isin(["stable", "prodrome"])]
    assert plain["state"].nunique() == 2
    assert roc_auc_score(plain["state"] == "prodrome", plain["risk_7d"]) > 0.8


def test_readings_are_what_the_hidden_life_makes_them(seen: Seen) -> None:
    """Less traits, signal and illness, a reading is noise around 0 that is as large as the filter takes it to be."""
    g = group(COHORT.seed, COHORT.until, COHORT.days, np.arange(1, COHORT.subjects + 1))
    panel = seen.panel.sort_values("known_on").drop_duplicates(["subject_id", "local_date"], keep="last")
    subject = panel["subject_id"].str[4:].astype(int).to_numpy() - 1
    day = (panel["local_date"] - FIRST).dt.days.to_numpy()
    left = evidence.readings(panel) - explained(g, subject, day, (panel["local_date"].dt.day_of_week >= 5).to_numpy())
    is_calm = g.daily.signal[subject, day] < 0.3
    spread = np.sqrt(np.diag(noise_of(prompts=1.0)))
    for place, name in enumerate(evidence.READINGS):
        of = left[is_calm & np.isfinite(left[:, place]), place]
        assert len(of) > 40, name
        assert abs(of.mean()) < 0.25 * spread[place] + 3 * of.std() / np.sqrt(len(of)), name
        assert 0.7 * spread[place] < of.std() < 1.3 * spread[place], name


def noise_of(prompts: float) -> np.ndarray:
    """Covariance of a calm day's readings given traits and signal."""
    noise = np.zeros((evidence.N_READINGS, evidence.N_READINGS))
    reading.add_noise(noise, 0.0, prompts, evidence.weights(1.0, 1.0))
    return noise[: len(evidence.READINGS), : len(evidence.READINGS)]


def explained(g: Group, subject: np.ndarray, day: np.ndarray, is_weekend: np.ndarray) -> np.ndarray:
    """What traits, signal, illness and the fortnight's signal make of each reading."""
    who, base = g.who, g.who.baselines
    traits = np.zeros((len(who), evidence.N_TRAITS))
    traits[:, [0, 1, 2, 3]] = base[:, [0, 1, 3, 4]]
    traits[:, evidence.RESTING_BPM] = 6.5 * base[:, 5] + who.sensor_bias_bpm
    traits[:, 5:11] = base[:, 6:12]
    of_traits = (traits @ evidence.loadings().T)[subject]
    of_traits[:, evidence.STEPS] += evidence.WEEKEND_STEPS * traits[subject, 3] * is_weekend
    direction = np.where(base[:, 2] < priors.EARLIER_BELOW, -1.0, 1.0)
    effects = np.stack([evidence.weights(*one) for one in zip(direction, who.mood_expression, strict=True)])[subject]
    fortnight = lfilter(np.full(14, 1 / 14), [1], g.daily.signal, axis=1)
    causes = np.stack([of[subject, day] for of in (g.daily.signal, g.life.ill, fortnight)], axis=1)
    return (of_traits + np.einsum("nc,ncr->nr", causes, effects))[:, : len(evidence.READINGS)]


def test_risks_of_a_stage_are_the_true_ones() -> None:
    """If every event is registered, the risk of a known stage and susceptibility is that of `true_hazard`."""
    first, days = FIRST.date(), 40
    slip = priors.slips(False)[0]
    found = priors.onset_risks(first, days, False, 1.0)
    who = people(1, np.arange(1, len(slip) + 1))
    who.susceptibility[:] = slip
    for stage in set(range(len(STAGE_NAMES))) - {EPISODE}:
        true = true_risks(who, first, np.full((len(slip), days), stage, dtype=np.int8), priors.HORIZONS_DAYS)
        for place, horizon in enumerate(priors.HORIZONS_DAYS):
            np.testing.assert_allclose(found[:days, :, stage, place].T, true[horizon], rtol=1e-4)


def test_thinning_is_unbiased() -> None:
    """Over all luck, the weight that a child has after thinning is on average its weight before; the heavy keep theirs."""
    share = np.array([0.4, 0.002, 0.3, 0.05, 0.05, 0.1, 0.03, 0.068])
    draws = (np.arange(2000) + 0.5) / 2000
    mean = np.zeros(len(share))
    for luck in draws:
        kept, weight = survivors(share, 4, luck)
        assert len(np.unique(kept)) == 4
        mean[kept] += weight / len(draws)
    np.testing.assert_allclose(mean, share, atol=1e-3)
    assert {0, 2} <= set(survivors(share, 4, 0.3)[0])
