"""What the wearable's maker reports by the day: sleep episodes all along, daily summaries before the minutes begin."""

import numpy as np
import pandas as pd

from features.tables import DAILY_METRICS
from pipelines.sources.simulation import dirt, receipt
from pipelines.sources.simulation.dice import Array, Dice
from pipelines.sources.simulation.rows import Group, Index, device_columns, frame, instants, text

NAP_CHANCE = 0.06
LONGEST_NAP_H = 1.4
# A worn device still misses a night now and then.
NIGHT_RECORDED = 0.95
# A device taken off at night leaves this share of the day.
DAY_ONLY_SHARE = 0.62
CORRECTED_LONGER = pd.Timedelta(minutes=15)
IMPOSSIBLE_NIGHT = pd.Timedelta(hours=24)


def sleep(g: Group) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `sleep`, nights and naps, and their later corrections."""
    days = g.clock.days
    dice = Dice(g.seed, g.who.numbers, "sleep")
    luck, noise = dice.uniform(6, days), dice.normal(2, days)
    tracked = g.daily.wears & g.who.wears_at_night[:, None]
    # The night before the first seen day belongs to nobody's follow-up.
    tracked &= np.arange(days)[None, :] > g.life.enrolled[:, None]
    nights = _episodes(
        g, tracked & (luck[:, 0] < NIGHT_RECORDED), g.daily.asleep_from, g.daily.asleep_until, noise, luck[:, 1]
    )
    begins = g.daily.asleep_until + 5 + 2 * luck[:, 3]
    tonight = np.concatenate([g.daily.asleep_from[:, 1:], g.daily.asleep_from[:, -1:]], axis=1) + 24
    has_nap = g.daily.wears & (luck[:, 2] < NAP_CHANCE) & (begins + LONGEST_NAP_H < np.minimum(tonight, 23))
    naps = _episodes(
        g, has_nap, begins, begins + 0.4 + (LONGEST_NAP_H - 0.4) * luck[:, 4], noise, luck[:, 5], kind="nap"
    )
    return tuple(pd.concat(parts, ignore_index=True) for parts in zip(nights, naps, strict=True))


def _episodes(
    g: Group, happens: np.ndarray, begins: Array, ends: Array, noise: Array, luck: Array, kind: str = "night"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    subject, day = np.nonzero(happens)
    onset, offset = (g.clock.at(subject, day, when[happens]) for when in (begins, ends))
    in_bed = (offset - onset) / 60e6
    asleep = np.rint(in_bed * g.daily.efficiency[happens])
    deep = np.rint(asleep * np.clip(0.17 + 0.03 * noise[:, 0][happens], 0.05, 0.3))
    rem = np.rint(asleep * np.clip(0.21 + 0.04 * noise[:, 1][happens], 0.05, 0.35))
    columns: dict[str, object] = {
        "record_id": text([f"{kind}-{d}" for d in range(g.clock.days)], day),
        "onset_at": instants(onset),
        "offset_at": instants(offset),
        "minutes_asleep": asleep,
        "minutes_awake": np.rint(in_bed - asleep),
        "minutes_light": asleep - deep - rem,
        "minutes_deep": deep,
        "minutes_rem": rem,
        "is_main": np.full(len(subject), kind == "night"),
        "utc_offset_min": g.clock.offset_min(subject, offset),
        **device_columns(g, subject, day),
    }
    sent = frame(g, subject, "band", receipt.sync_at(g)[subject, day], columns)
    return dirt.traffic(g, sent, luck[happens], ("onset_at", "offset_at"), _endless, _longer)


def _endless(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(offset_at=rows["onset_at"] + IMPOSSIBLE_NIGHT)


def _longer(rows: pd.DataFrame) -> pd.DataFrame:
    """The subject moves the start in the app; the record keeps its id."""
    minutes = CORRECTED_LONGER.total_seconds() / 60
    return rows.assign(
        onset_at=rows["onset_at"] - CORRECTED_LONGER,
        minutes_asleep=rows["minutes_asleep"] + minutes,
        minutes_light=rows["minutes_light"] + minutes,
    )


def worn_share(g: Group) -> Array:
    """Share of each day that the device is worn, (n, days); 0 when it is not worn at all."""
    night = np.where(g.who.wears_at_night, 1.0, DAY_ONLY_SHARE)[:, None]
    return np.where(g.daily.wears, g.daily.worn_share * night, 0)


def wearable_days(g: Group, summary_days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `wearable_days` for the first `summary_days` days, and their later corrections."""
    dice = Dice(g.seed, g.who.numbers, "summaries")
    metrics = _metrics(g, dice.normal(3, g.clock.days))
    luck = dice.uniform(g.clock.days, len(metrics))
    subject, day = np.nonzero(g.daily.wears[:, :summary_days])
    values = np.stack([metrics[name][subject, day] for name in metrics], axis=1)
    return _summaries(g, subject, day, tuple(metrics), values, luck[subject, day])


def _metrics(g: Group, noise: Array) -> dict[str, Array]:
    """Daily values by metric, (n, days), as the vendor computes and rounds them."""
    worn = worn_share(g)
    activity = g.daily.steps * np.minimum(1, 0.35 + 0.7 * worn)
    bias = g.who.sensor_bias_bpm[:, None]
    active = np.clip(activity / 48 + 10 * noise[:, 0], 0, 900)
    return {
        "steps": np.rint(activity),
        "resting_heart_rate": np.rint(np.clip(g.daily.resting_hr + bias + 0.6 * noise[:, 1], 30, 140)),
        "heart_rate_mean": np.rint(np.clip(g.daily.resting_hr + bias + 9 + activity / 2500 + noise[:, 2], 35, 180)),
        "hrv_rmssd": np.rint(g.daily.hrv),
        "worn_minutes": np.rint(1440 * worn),
        "active_minutes": np.rint(np.minimum(active, 1440 * worn)),
        "sedentary_minutes": np.rint(np.clip(1440 * worn - active, 0, 1440) * 0.6),
    }


def _summaries(
    g: Group, subject: Index, day: Index, names: tuple[str, ...], values: Array, luck: Array
) -> tuple[pd.DataFrame, pd.DataFrame]:
    count, rows = len(names), len(subject)
    metric, every = np.tile(np.arange(count), rows), subject.repeat(count)
    noon = g.clock.at(subject, day, np.full(rows, 12.0))
    columns: dict[str, object] = {
        "local_date": g.clock.dates[day].repeat(count),
        "metric": text(names, metric),
        "value": values.reshape(-1).astype(np.float64),
        "unit": text([DAILY_METRICS[name][0] for name in names], metric),
        "utc_offset_min": g.clock.offset_min(subject, noon).repeat(count),
        **device_columns(g, every, day.repeat(count)),
    }
    sent = frame(g, every, "band", receipt.sync_at(g)[subject, day].repeat(count), columns)
    return dirt.traffic(g, sent, luck.reshape(-1), ("local_date",), _a_million, _recounted)


def _a_million(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(value=1e6)


def _recounted(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(value=np.rint(rows["value"] * 0.97))
