"""LifeSnaps (Yfantidou et al. 2022, Scientific Data 9:663): healthy volunteers with a Fitbit Sense.

Assumptions, since the release does not say: rows were received at the next local midnight (`receipt.py`), local time is
Europe/Athens for everybody, answers were given at 21:00, follow-up begins on the first civil day with any row.
There is no crisis in it. A `low_mood` event is a day on which SAD or TENSE/ANXIOUS was ticked; weekly state anxiety
(STAI) comes as an assessment. Body measures and places are not read.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from pipelines.errors import Refused
from pipelines.sources.batch import Batch, row_hash
from pipelines.sources.receipt import offset_minutes, received_next_midnight, to_utc

ZONE = "Europe/Athens"
SOURCE = "lifesnaps"
ANSWERED_AT = pd.Timedelta(hours=21)
# Their name -> (item, or metric and unit and factor to it).
ITEMS = {"ALERT": "alert", "HAPPY": "happy", "NEUTRAL": "neutral", "RESTED/RELAXED": "rested", "SAD": "sad",
         "TENSE/ANXIOUS": "tense", "TIRED": "tired"}  # fmt: skip
LOW = ("SAD", "TENSE/ANXIOUS")
METRICS = {
    "steps": ("steps", "steps"), "resting_hr": ("resting_heart_rate", "bpm"), "bpm": ("heart_rate_mean", "bpm"),
    "rmssd": ("hrv_rmssd", "ms"), "minutesAsleep": ("minutes_asleep", "min"), "minutesAwake": ("minutes_awake", "min"),
    "sleep_efficiency": ("sleep_efficiency", "percent"), "sedentary_minutes": ("sedentary_minutes", "min"),
    "very_active_minutes": ("active_minutes", "min"),
}  # fmt: skip


def read(folder: Path) -> Iterator[Batch]:
    """Canonical batches of the cohort, subjects first.

    Raises:
        Refused: a file of the release is missing or not readable.
    """
    daily = _csv(folder, "daily_fitbit_sema_df_unprocessed.csv")
    stai = _csv(folder, "stai.csv").rename(columns={"submitdate": "date"})
    daily, stai = daily.assign(id=_id(daily)), stai.assign(id=_id(stai))
    daily = daily.drop_duplicates(["id", "date"], keep="last").reset_index(drop=True)
    yield _subjects(daily, stai)
    yield _mood(daily)
    yield _events(daily)
    yield _days(daily)
    yield _anxiety(stai)


def _csv(folder: Path, name: str) -> pd.DataFrame:
    try:
        return pd.read_csv(folder / name, low_memory=False)
    except FileNotFoundError as error:
        raise Refused(f"`{name}` is missing in the folder of lifesnaps. Point to the folder of the release.") from error
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise Refused(f"`{name}` is not readable as CSV. Fetch the release again.") from error


def _id(frame: pd.DataFrame) -> pd.Series:
    return "ls-" + frame["id"].astype(str)


def _day(frame: pd.DataFrame) -> pd.Series:
    return pd.to_datetime(frame["date"]).dt.normalize().astype("datetime64[us]")


def _with_clocks(frame: pd.DataFrame, local_day: pd.Series) -> pd.DataFrame:
    received = received_next_midnight(local_day, ZONE)
    return frame.assign(source=SOURCE, received_at=received, utc_offset_min=offset_minutes(received, ZONE))


def _subjects(daily: pd.DataFrame, stai: pd.DataFrame) -> Batch:
    days = pd.concat([daily[["id", "date"]], stai[["id", "date"]]])
    first = days.assign(day=_day(days)).groupby("id")["day"].min()
    told = daily.sort_values("date").groupby("id")[["gender", "age"]].first().reindex(first.index)
    frame = pd.DataFrame({"subject_id": first.index, "sex": told["gender"].to_numpy(), "age_band": told["age"].to_numpy(),
                          "enrolled_on": first.dt.date.to_numpy()})  # fmt: skip
    return Batch("subjects", _with_clocks(frame, first.reset_index(drop=True)), "daily_fitbit_sema_df_unprocessed.csv")


def _mood(daily: pd.DataFrame) -> Batch:
    long = daily.rename(columns=ITEMS).melt(["id", "date"], list(ITEMS.values()), "item").dropna(subset=["value"])
    long = long.reset_index(drop=True)
    frame = pd.DataFrame({"subject_id": long["id"], "answered_at": to_utc(_day(long) + ANSWERED_AT, ZONE),
                          "item": long["item"], "value": long["value"].astype(float), "scale_min": 0.0,
                          "scale_max": 1.0})  # fmt: skip
    return Batch("mood", _with_clocks(frame, _day(long)), "daily_fitbit_sema_df_unprocessed.csv")


def _events(daily: pd.DataFrame) -> Batch:
    low = daily[(daily[list(LOW)] == 1).any(axis=1)].reset_index(drop=True)
    frame = pd.DataFrame({"subject_id": low["id"], "record_id": row_hash(low, ["id", "date"]),
                          "occurred_at": to_utc(_day(low) + ANSWERED_AT, ZONE), "kind": "low_mood"})  # fmt: skip
    return Batch("events", _with_clocks(frame, _day(low)), "daily_fitbit_sema_df_unprocessed.csv")


def _days(daily: pd.DataFrame) -> Batch:
    names = {theirs: metric for theirs, (metric, _) in METRICS.items()}
    long = daily.rename(columns=names).melt(["id", "date"], list(names.values()), "metric").dropna(subset=["value"])
    long = long.reset_index(drop=True)
    frame = pd.DataFrame({"subject_id": long["id"], "local_date": _day(long).dt.date, "metric": long["metric"],
                          "value": long["value"].astype(float), "unit": long["metric"].map(dict(METRICS.values()))})  # fmt: skip
    return Batch("wearable_days", _with_clocks(frame, _day(long)), "daily_fitbit_sema_df_unprocessed.csv")


def _anxiety(stai: pd.DataFrame) -> Batch:
    given = stai.dropna(subset=["stai_stress"]).reset_index(drop=True)
    frame = pd.DataFrame({"subject_id": given["id"], "completed_at": to_utc(_day(given) + ANSWERED_AT, ZONE),
                          "instrument": "stai", "score": given["stai_stress"].astype(float)})  # fmt: skip
    return Batch("assessments", _with_clocks(frame, _day(given)), "stai.csv")
