"""The panic cohort of Jang et al. 2024 (Scientific Data 11:1264), read from its published files.

Assumptions, since the release does not say: rows were received at the next local midnight (`receipt.py`), local time is
Asia/Seoul, diaries and questionnaires were answered at 21:00, follow-up begins on the first civil day with any row.
The outcome is a `panic` event. A step count of -1 means no value and gives no row; counts above the plausible range
and sleep episodes that are too long are left for the door to refuse and count. Diagnoses are not read.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import Refused
from pipelines.sources.batch import Batch, row_hash
from pipelines.sources.receipt import received_next_midnight, to_utc

ZONE = "Asia/Seoul"
SOURCE = "jang2024"
ANSWERED_AT = pd.Timedelta(hours=21)
MINUTES_PER_BATCH = 1_000_000
MOOD_SCALES = {
    "positive_mood": (0, 3), "negative_mood": (-3, 0), "positive_energy": (0, 3), "negative_energy": (-3, 0),
    "anxiety": (0, 3), "irritability": (0, 3),
}  # fmt: skip
# Counted downwards there: -3 is the worst mood. An item is told so that more of it is more of what it is called.
TURNED = [item for item, (low, _) in MOOD_SCALES.items() if low < 0]
HEART_METRICS = {"hr_mean": "heart_rate_mean", "hr_max": "heart_rate_max", "hr_var": "heart_rate_variance"}
HEART_UNITS = {"heart_rate_mean": "bpm", "heart_rate_max": "bpm", "heart_rate_variance": "bpm2"}


def read(folder: Path) -> Iterator[Batch]:
    """Canonical batches of the whole cohort, subjects first, step minutes last.

    Raises:
        Refused: a file of the release is missing or not readable.
    """
    diary, panic = _csv(folder, "mood_diary_full.csv"), _csv(folder, "panic_events.csv")
    sleep, heart = _csv(folder, "sleep_episodes.csv"), _csv(folder, "heart_rate_daily.csv")
    scores, minutes = _csv(folder, "questionnaire_scores.csv"), _parquet(folder, "steps_minute.parquet")
    days = [frame[["id", "date"]] for frame in (diary, panic, sleep, heart, scores)]
    walked = pd.concat(
        b.to_pandas().drop_duplicates() for b in minutes.iter_batches(MINUTES_PER_BATCH, columns=["id", "date"])
    )
    yield _subjects(_csv(folder, "participants.csv"), pd.concat([*days, walked]))
    yield _mood(diary)
    yield _events(panic)
    yield _sleep(sleep)
    yield _heart(heart)
    yield _assessments(scores)
    yield from _steps(minutes)


def _csv(folder: Path, name: str) -> pd.DataFrame:
    try:
        return pd.read_csv(folder / name)
    except FileNotFoundError as error:
        raise Refused(f"`{name}` is missing in the folder of jang2024. Point to the folder of the release.") from error
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise Refused(f"`{name}` is not readable as CSV. Fetch the release again.") from error


def _parquet(folder: Path, name: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(folder / name, read_dictionary=["id", "date", "device"])
    except FileNotFoundError as error:
        raise Refused(f"`{name}` is missing in the folder of jang2024. Point to the folder of the release.") from error
    except pa.ArrowInvalid as error:
        raise Refused(f"`{name}` is not readable as Parquet. Fetch the release again.") from error


def _with_clocks(frame: pd.DataFrame, local_day: pd.Series) -> pd.DataFrame:
    return frame.assign(source=SOURCE, received_at=received_next_midnight(local_day, ZONE), utc_offset_min=540)


def _day(frame: pd.DataFrame) -> pd.Series:
    return pd.to_datetime(frame["date"], format="ISO8601").dt.normalize().astype("datetime64[us]")


def _subjects(people: pd.DataFrame, days: pd.DataFrame) -> Batch:
    first = days.assign(day=_day(days)).groupby("id")["day"].min()
    known = people[people["id"].isin(first.index)].reset_index(drop=True)
    enrolled = known["id"].map(first)
    frame = pd.DataFrame({"subject_id": known["id"], "sex": known["sex"], "age_band": known["age_band"],
                          "enrolled_on": enrolled.dt.date})  # fmt: skip
    return Batch("subjects", _with_clocks(frame, enrolled), "participants.csv")


def _mood(diary: pd.DataFrame) -> Batch:
    long = diary.melt(["id", "date"], list(MOOD_SCALES), "item").dropna(subset=["value"]).reset_index(drop=True)
    value = long["value"].astype(float)
    frame = pd.DataFrame({
        "subject_id": long["id"], "answered_at": to_utc(_day(long) + ANSWERED_AT, ZONE), "item": long["item"],
        "value": value.mask(long["item"].isin(TURNED), 0.0 - value), "scale_min": 0.0,
        "scale_max": long["item"].map({item: float(high - low) for item, (low, high) in MOOD_SCALES.items()}),
    })  # fmt: skip
    return Batch("mood", _with_clocks(frame, _day(long)), "mood_diary_full.csv")


def _events(panic: pd.DataFrame) -> Batch:
    start = pd.to_datetime(panic["date"] + " " + panic["start"].fillna("12:00:00"), errors="coerce")
    start = start.fillna(_day(panic) + pd.Timedelta(hours=12)).astype("datetime64[us]")
    frame = pd.DataFrame({
        "subject_id": panic["id"], "record_id": row_hash(panic, ["id", "date", "start"]),
        "occurred_at": to_utc(start, ZONE), "kind": "panic", "severity": panic["intensity"].astype(float),
    })  # fmt: skip
    return Batch("events", _with_clocks(frame, _day(panic)), "panic_events.csv")


def _sleep(sleep: pd.DataFrame) -> Batch:
    onset = to_utc(pd.to_datetime(sleep["bedtime"]).astype("datetime64[us]"), ZONE)
    wake = pd.to_datetime(sleep["waketime"]).astype("datetime64[us]")
    staged = sleep[["min_stage2", "min_stage3", "min_stage4"]].sum(axis=1)
    # Episodes a person typed in carry no stages: all of what they recorded counts as asleep.
    asleep = staged.where(staged > 0, sleep["minutes_recorded"])
    frame = pd.DataFrame({
        "subject_id": sleep["id"], "record_id": row_hash(sleep, ["id", "device", "bedtime"]), "onset_at": onset,
        "offset_at": to_utc(wake, ZONE), "minutes_asleep": asleep, "minutes_awake": sleep["min_stage1_wake"],
        "minutes_light": sleep["min_stage3"].where(staged > 0), "minutes_deep": sleep["min_stage4"].where(staged > 0),
        "minutes_rem": sleep["min_stage2"].where(staged > 0), "device_id": sleep["device"],
        "device_model": sleep["device"],
    })  # fmt: skip
    return Batch("sleep", _with_clocks(frame, wake.dt.normalize()), "sleep_episodes.csv")


def _heart(heart: pd.DataFrame) -> Batch:
    long = heart.rename(columns=HEART_METRICS).melt(["id", "date"], list(HEART_UNITS), "metric")
    long = long.dropna(subset=["value"]).reset_index(drop=True)
    frame = pd.DataFrame({"subject_id": long["id"], "local_date": _day(long).dt.date, "metric": long["metric"],
                          "value": long["value"].astype(float), "unit": long["metric"].map(HEART_UNITS)})  # fmt: skip
    return Batch("wearable_days", _with_clocks(frame, _day(long)), "heart_rate_daily.csv")


def _assessments(scores: pd.DataFrame) -> Batch:
    long = scores.melt(["id", "date"], var_name="instrument", value_name="score").dropna(subset=["score"])
    long = long.reset_index(drop=True)
    frame = pd.DataFrame({"subject_id": long["id"], "completed_at": to_utc(_day(long) + ANSWERED_AT, ZONE),
                          "instrument": long["instrument"], "score": long["score"].astype(float)})  # fmt: skip
    return Batch("assessments", _with_clocks(frame, _day(long)), "questionnaire_scores.csv")


def _steps(minutes: pq.ParquetFile) -> Iterator[Batch]:
    for batch in minutes.iter_batches(MINUTES_PER_BATCH):
        part = batch.to_pandas()
        part = part[part["steps"] >= 0].reset_index(drop=True)
        # Every calendar computation once per day, not once per minute.
        days = pd.Series(part["date"].unique())
        local = pd.to_datetime(days, format="ISO8601").dt.normalize().astype("datetime64[us]")
        begins = part["date"].astype(object).map(dict(zip(days, to_utc(local, ZONE), strict=True)))
        received = part["date"].astype(object).map(dict(zip(days, received_next_midnight(local, ZONE), strict=True)))
        frame = pd.DataFrame({
            "subject_id": part["id"].astype(str), "minute_at": begins + pd.to_timedelta(part["minute"], unit="min"),
            "steps": part["steps"], "device_id": part["device"].astype(str), "device_model": part["device"].astype(str),
            "source": SOURCE, "received_at": received, "utc_offset_min": 540,
        })  # fmt: skip
        yield Batch("wearable", frame, "steps_minute.parquet")
