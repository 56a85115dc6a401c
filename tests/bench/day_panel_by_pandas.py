"""The day panel of minutes as pandas makes it, by groupby: the peer of `make bench`.

It makes every measure that Foretide makes, of minutes that came once: of one device to a subject, uncorrected, and without
a stuck sensor. Formulae of hours (`features.activity`, `features.heart`) are the very same; they cost next to nothing.
"""

from pathlib import Path

import pandas as pd

from features import activity, heart
from features.calendar import DEFAULT_CUTOFF, index_date_knowing
from features.minutes import DEVICE

COLUMNS = [
    "subject_id",
    *DEVICE,
    "minute_at",
    "utc_offset_min",
    "steps",
    "heart_rate",
    "hrv_rmssd",
    "worn",
    "received_at",
]
DAY = ["subject_id", "local_date", "known_on"]


def day_panel(file: Path, zone: str) -> pd.DataFrame:
    """`DAY`, and one column per measure of a wearable's day."""
    rows = pd.read_parquet(file, columns=COLUMNS)
    local = rows["minute_at"].dt.tz_localize(None) + pd.to_timedelta(rows["utc_offset_min"], unit="min")
    receipts = rows["received_at"].drop_duplicates()
    known_on = rows["received_at"].map(pd.Series(index_date_knowing(receipts, zone, DEFAULT_CUTOFF).array, receipts))
    rows = rows.assign(local=local, local_date=local.dt.normalize(), known_on=known_on)
    return pd.concat([_of_hours(rows), _of_bouts(rows)], axis=1).sort_index().reset_index()


def _of_hours(rows: pd.DataFrame) -> pd.DataFrame:
    """What sums per clock hour tell of a day."""
    steps, beats, hrv, worn = rows["steps"], rows["heart_rate"], rows["hrv_rmssd"], rows["worn"]
    slow, brisk = activity.SLOW_STEPS_PER_MIN, activity.BRISK_STEPS_PER_MIN
    told = pd.DataFrame({
        "minutes": 1, "steps": steps, "step_minutes": steps.notna(), "worn": worn,
        "incidental": steps.between(1, slow - 1), "slow": steps.between(slow, brisk - 1), "brisk": steps >= brisk,
        "beats": beats, "beat_minutes": beats.notna(), "hrv": hrv, "hrv_minutes": hrv.notna(),
    })  # fmt: skip
    hour = rows["local"].dt.hour.rename("hour")
    sums = told.groupby([*(rows[name] for name in (*DAY, *DEVICE)), hour]).sum().droplevel(list(DEVICE))
    wide = sums.unstack("hour", fill_value=0)
    of = {name: wide[name].to_numpy(dtype=float) for name in told}
    total = wide.T.groupby(level=0).sum().T
    is_day = (
        pd.Series(of["step_minutes"][:, activity.WAKING_HOURS].sum(axis=1), wide.index) >= activity.FEWEST_DAY_MINUTES
    )
    active = total["incidental"] + total["slow"] + total["brisk"]
    hourly_steps = activity.hourly(of["steps"], of["step_minutes"])
    hourly_beats = heart.hourly(of["beats"], of["beat_minutes"])
    bands = {f"activity_{name}_minutes": total[name].where(is_day) for name in ("incidental", "slow", "brisk")}
    return pd.DataFrame({
        "activity_steps": total["steps"].where(is_day), **bands,
        "activity_sedentary_share": (1 - active / total["step_minutes"]).where(is_day),
        "activity_entropy": pd.Series(activity.entropy(hourly_steps), wide.index).where(is_day),
        "adherence_wear_minutes": total["worn"],
        "heart_resting": heart.resting(of["beats"], of["beat_minutes"]),
        "heart_mean": total["beats"] / total["beat_minutes"],
        "heart_night_dip": heart.night_dip(of["beats"], of["beat_minutes"]), "heart_hrv": total["hrv"] / total["hrv_minutes"],
        **dict(zip(activity.HOUR_COLUMNS, hourly_steps.T, strict=True)),
        **dict(zip(heart.HOUR_COLUMNS, hourly_beats.T, strict=True)), "has_data": 1.0,
    }, index=wide.index)  # fmt: skip


def _of_bouts(rows: pd.DataFrame) -> pd.DataFrame:
    """What successive minutes tell of a day."""
    is_still = rows["worn"] & (rows["steps"] == 0)
    day = [rows[name] for name in DAY]
    is_first = (rows["local_date"] != rows["local_date"].shift()) | (rows["subject_id"] != rows["subject_id"].shift())
    bout = (is_first | (is_still != is_still.shift())).cumsum().rename("bout")
    lengths = is_still.groupby([*day, bout]).agg(["first", "size"])
    rest = lengths["size"].where(lengths["first"]).groupby(DAY).agg(["mean", "max"])
    has_next = ~is_first.shift(-1, fill_value=True)
    changes = has_next & (is_still != is_still.shift(-1, fill_value=False))
    counts = pd.DataFrame({
        "rests": is_still & has_next, "rises": is_still & changes, "moves": ~is_still & has_next, "stops": ~is_still & changes,
    }).groupby(day).sum()  # fmt: skip
    return pd.DataFrame({
        "activity_sedentary_bout": rest["mean"], "activity_sedentary_longest": rest["max"],
        "activity_rest_to_active": counts["rises"] / counts["rests"],
        "activity_active_to_rest": counts["stops"] / counts["moves"],
    })  # fmt: skip
