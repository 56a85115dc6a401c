"""The chance of a registered onset within some days of each night, by a filter that knows the simulator's numbers.

The yardstick for models: nobody can do better from the same day panel, events and care status. `docs/simulated-cohort.md`
says what is approximated.
"""

import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pandas as pd
from scipy.special import softmax

from features import calendar
from pipelines.sources.simulated import SimulatedCohort
from pipelines.sources.simulation.bayes import evidence, priors
from pipelines.sources.simulation.bayes.forward import forward
from pipelines.sources.simulation.bayes.priors import HORIZONS_DAYS
from pipelines.sources.simulation.bayes.reading import Codes, Subject

KEY = ["subject_id", "index_date"]
PARTICLES = 64
IN_CARE = ("active", "inpatient")
PROMPT_ROWS = 3
# Any of these tells that the band was worn.
WORN = ("activity_steps", "adherence_wear_minutes", "heart_resting", "heart_hrv")
Tables = dict[str, pd.DataFrame]


def filtered(
    cohort: SimulatedCohort, subjects: pd.DataFrame, panel: pd.DataFrame, events: pd.DataFrame, care: pd.DataFrame,
    index: pd.DataFrame, threads: int = 2,
) -> pd.DataFrame:  # fmt: skip
    """Risks of a registered onset for the index rows, row by row: `subject_id, index_date, risk_7d, risk_14d, risk_28d`.

    They hold for subjects without a registered event in the fortnight before, as all rows of the onset task are: that
    none is on its way is taken as known. Else a row rests on what was known on its index date alone.

    Args:
        cohort: with `minute_days` of 0: its days and its numbers.
        subjects: as in `pipelines.cohort.Cohort`.
        panel: versions of subject-days, as in `features.days.Days`.
        events: `subject_id, event_on, known_on, superseded_on`, a row per version of a registered event.
        care: `subject_id, since, utc_offset_min, status, known_on`.
        index: `subject_id, index_date`, later than enrolment.
        threads: how many subjects to work on at a time; results do not depend on it.
    """
    panel = panel.sort_values(["known_on", "local_date"], ignore_index=True)
    read = evidence.readings(panel)
    tables = {"panel": panel.assign(row=np.arange(len(panel))), "events": events, "care": care, "index": index}
    of = {name: dict(iter(rows.groupby("subject_id"))) for name, rows in tables.items()}

    def one(person: pd.Series) -> pd.DataFrame:
        own = {name: rows.get(person["subject_id"], tables[name].iloc[:0]) for name, rows in of.items()}
        return _of_subject(cohort, person, own, read[own["panel"]["row"]])

    asked = subjects[subjects["subject_id"].isin(index["subject_id"])]
    with ThreadPoolExecutor(threads) as pool:
        found = pd.concat(pool.map(one, (person for _, person in asked.iterrows())))
    return index[KEY].merge(found, on=KEY, how="left", validate="one_to_one")


def _of_subject(cohort: SimulatedCohort, person: pd.Series, own: Tables, read: evidence.Values) -> pd.DataFrame:
    first = cohort.until - timedelta(days=cohort.days - 1)
    sex, ethnicity = (None if pd.isna(person[name]) else str(person[name]) for name in ("sex", "ethnicity"))
    registered = priors.registered(ethnicity, person["language"])
    subject = _told(person, own, read, pd.Timestamp(first), cohort.days, registered)
    index = own["index"].sort_values("index_date")
    risks = priors.onset_risks(first, cohort.days, ethnicity is None, registered)
    luck = np.random.default_rng(zlib.crc32(str(person["subject_id"]).encode())).random(cohort.days)
    has_nights = bool(np.isfinite(read[:, evidence.MIDDLE]).any())
    ways = priors.of_person(first, cohort.days, subject.enrolled, sex, ethnicity, person["language"], has_nights)
    found = [
        (chance, *forward(subject, prior, _days(index["index_date"], first), risks, PARTICLES, luck))
        for chance, prior in ways
    ]
    weight = softmax([np.log(chance) + told for chance, _, told in found], axis=0)
    risk = sum(share[:, None] * of_way for share, (_, of_way, _) in zip(weight, found, strict=True))
    return index[KEY].assign(**{f"risk_{horizon}d": risk[:, k] for k, horizon in enumerate(HORIZONS_DAYS)})


def _told(
    person: pd.Series, own: Tables, read: evidence.Values, first: pd.Timestamp, days: int, registered: float
) -> Subject:
    """What there is of a subject, its days numbered from the cohort's first."""
    panel, enrolled = own["panel"], int((person["enrolled_on"] - first).days)
    day = _days(panel["local_date"], first)
    kept = (day >= enrolled) & (day < days)
    prompts = np.nan_to_num(panel["adherence_answers"].to_numpy(dtype=float)[kept]) / PROMPT_ROWS
    status = _statuses(own["care"], first, days)
    return Subject(
        _days(panel["known_on"], first)[kept], day[kept], read[kept], np.rint(prompts),
        panel[list(WORN)].notna().any(axis=1).to_numpy()[kept], *_events(own["events"], first, enrolled, days),
        np.isin(status, IN_CARE) & (np.arange(days) >= enrolled), status == "inpatient",
        (pd.date_range(first, periods=days).day_of_week >= 5), enrolled, registered,
    )  # fmt: skip


def _events(events: pd.DataFrame, first: pd.Timestamp, enrolled: int, days: int) -> tuple[Codes, Codes, Codes]:
    """When each registered event came to be known or was taken back, its day, and 1 or -1."""
    gone = events[events["superseded_on"].notna()]
    known = pd.concat([events["known_on"], gone["superseded_on"]])
    day = pd.concat([events["event_on"], gone["event_on"]])
    news = pd.DataFrame({"known": _days(known, first), "day": _days(day, first)})
    news["change"] = np.repeat([1, -1], [len(events), len(gone)])
    news = news[(news["day"] >= enrolled) & (news["day"] < days)].sort_values("known", kind="stable")
    return tuple(news[name].to_numpy() for name in ("known", "day", "change"))


def _statuses(care: pd.DataFrame, first: pd.Timestamp, days: int) -> np.ndarray:
    """The care status of each day as it was known at the cutoff after it."""
    since = calendar.local_day(care["since"], care["utc_offset_min"])
    # What is learnt late counts from the day before it was known.
    counts = since.where(since >= care["known_on"] - calendar.DAY, care["known_on"] - calendar.DAY)
    result = np.full(days, "", dtype=object)
    for start, status in sorted(zip(_days(counts, first), care["status"], strict=True)):
        result[max(start, 0) :] = status
    return result


def _days(dates: pd.Series, first: pd.Timestamp) -> Codes:
    """Whole days since the cohort's first."""
    return (dates - pd.Timestamp(first)).dt.days.to_numpy(dtype=np.int64)
