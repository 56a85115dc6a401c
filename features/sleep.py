"""Sleep: duration, efficiency, wake after onset, timing. A night belongs to the local day of its final awakening."""

import numpy as np
import pandas as pd

from features.measures import LEVEL, TREND, Measure

MEASURES = (
    Measure("sleep_duration", "min", "sleep duration", "total sleep time of the day's episodes on one device", "AASM",
            (*TREND, "rmssd_28d", "last")),
    Measure("sleep_efficiency", "share", "sleep efficiency", "total sleep time / time in bed", "AASM", LEVEL),
    Measure("sleep_waso", "min", "time awake during the night", "wake after sleep onset", "AASM", LEVEL),
    Measure("sleep_midpoint", "h", "the middle of the night", "clock time halfway through the longest episode",
            "Wittmann 2006", ("mean_7d", "mean_28d", "sd_28d", "z_7d"), is_circular=True),
    Measure("sleep_deep_share", "share", "share of deep sleep", "deep / total sleep time", "AASM", ("mean_7d", "z_7d")),
    Measure("sleep_rem_share", "share", "share of REM sleep", "REM / total sleep time", "AASM", ("mean_7d", "z_7d")),
    Measure("sleep_naps", "episodes", "naps", "episodes besides the longest", "", ("mean_7d", "mean_28d")),
)  # fmt: skip

ROWS_SQL = """
    device_id, minutes_asleep, minutes_awake, minutes_deep, minutes_rem,
    (epoch_us(offset_at) - epoch_us(onset_at)) / 60000000.0 AS minutes_in_bed,
    ((epoch_us(onset_at) + epoch_us(offset_at)) / 120000000.0 + utc_offset_min) % 1440 / 60.0 AS midpoint"""


def daily(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per subject, day of awakening and version, from episodes; nights without an episode have no row."""
    key = ["subject_id", "local_date", "known_on"]
    # Two devices in one bed would count every hour twice: the one that recorded more speaks for the day.
    recorded = rows.groupby([*key, "device_id"])[["minutes_in_bed"]].sum().reset_index()
    chosen = recorded.sort_values([*key, "minutes_in_bed", "device_id"]).drop_duplicates(key, keep="last")
    rows = rows.merge(chosen[[*key, "device_id"]], on=[*key, "device_id"])
    rows = rows.sort_values([*key, "minutes_in_bed", "midpoint"], kind="stable")
    known = rows["minutes_asleep"].notna()
    night = rows.groupby(key)
    asleep = night["minutes_asleep"].sum(min_count=1)
    in_bed = rows["minutes_in_bed"].where(known).groupby([rows[name] for name in key]).sum(min_count=1)
    result = pd.DataFrame({
        "sleep_duration": asleep,
        "sleep_efficiency": (asleep / in_bed).clip(upper=1.0),
        "sleep_waso": night["minutes_awake"].sum(min_count=1),
        "sleep_midpoint": night["midpoint"].last(),
        "sleep_deep_share": night["minutes_deep"].sum(min_count=1) / asleep.where(asleep > 0),
        "sleep_rem_share": night["minutes_rem"].sum(min_count=1) / asleep.where(asleep > 0),
        "sleep_naps": night.size() - 1.0,
    })  # fmt: skip
    return result.replace([np.inf, -np.inf], np.nan).reset_index()
