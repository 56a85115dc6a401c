"""Raw rows of one day, and what each daily measure makes of them, worked out on paper. One subject to each example."""

from datetime import UTC, datetime, timedelta
from math import log, sqrt

import pandas as pd

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
Rows = list[dict[str, object]]


def at(hour: float) -> datetime:
    """An instant of the day."""
    return MIDNIGHT + timedelta(hours=hour)


def answers(item: str, *told: tuple[float, float], scale: tuple[float, float] = (0, 10), wait: float = 0) -> Rows:
    """Answers as (hour, value), `wait` minutes after their prompts."""
    return [{"answered_at": at(hour), "item": item, "value": float(value), "scale_min": float(scale[0]),
             "scale_max": float(scale[1]), "prompted_at": at(hour - wait / 60)} for hour, value in told]  # fmt: skip


def three(item: str, *values: float) -> Rows:
    """Answers at 9, 13 and 20 h on a scale from 1 to 7."""
    return answers(item, *zip((9, 13, 20), values, strict=True), scale=(1, 7))


def night(onset: float, offset: float, asleep: float, awake: float, deep: float, rem: float) -> dict[str, object]:
    """A sleep episode: its ends in hours of the day, its minutes."""
    return {"onset_at": at(onset), "offset_at": at(offset), "minutes_asleep": asleep, "minutes_awake": awake,
            "minutes_deep": deep, "minutes_rem": rem}  # fmt: skip


def run(hour: float, minutes: int, steps: int, heart_rate: float, hrv: float | None = None) -> Rows:
    """Minutes in a row, in turn a little above and below their means: a sensor that repeats itself would be stuck."""
    return [{"minute_at": at(hour) + timedelta(minutes=m), "steps": steps + (2 * (m % 2) - 1) * (steps > 0),
             "heart_rate": heart_rate + 2 * (m % 2) - 1, "hrv_rmssd": hrv} for m in range(minutes)]  # fmt: skip


def vendor(metric: str, value: float, unit: str) -> dict[str, object]:
    """A vendor's figure of the day."""
    return {"local_date": pd.Timestamp(MIDNIGHT.date()).as_unit("us"), "metric": metric, "value": value, "unit": unit}


def score(instrument: str, hour: float, points: float) -> dict[str, object]:
    """A completed questionnaire."""
    return {"completed_at": at(hour), "instrument": instrument, "score": points}


def signal(name: str, *values: float, unit: str = "points") -> Rows:
    """Values of a declared signal, an hour apart."""
    return [{"observed_at": at(hour), "name": name, "value": value, "unit": unit} for hour, value in enumerate(values)]


# Of each example its table, its rows, and its measures.
EXAMPLES: dict[str, tuple[str, Rows, dict[str, float]]] = {
    # 2, 6 and 4 of 10, the positive item beside them unheard: mean 0.4, steps of 0.4 over 4 h and of 0.2 over 1 h. As if over
    # 4 h: 0.16 and 0.04 / (1 / 4).
    "level and swing": ("mood", answers("mood", (9, 2), (13, 6), (14, 4)) + answers("positive_mood", (9, 9)),
                        {"mood_valence": 0.4, "mood_swing": sqrt((0.16 + 0.04) / 2), "mood_swing_adjusted": 0.4,
                         "adherence_answers": 4}),
    # Minutes from prompt to answer: 5, 10 and 45.
    "latency": ("mood", [*answers("sad", (9, 5), wait=5), *answers("sad", (13, 5), wait=45), *answers("sad", (20, 5), wait=10)],
                {"mood_latency": 10}),
    # (a + b + c - 3) / 18, each on its scale from 1 to 7.
    "mood": ("mood", three("mood", 1, 4, 7), {"mood_mood": 9 / 18}),
    "energy": ("mood", three("energy", 1, 1, 2), {"mood_energy": 1 / 18}),
    "anxiety": ("mood", three("anxiety", 2, 2, 1), {"mood_anxiety": 2 / 18}),
    "irritability": ("mood", three("irritability", 1, 3, 2), {"mood_irritability": 3 / 18}),
    "positive mood": ("mood", three("positive_mood", 5, 1, 1), {"mood_positive_mood": 4 / 18}),
    "negative mood": ("mood", three("negative_mood", 6, 1, 1), {"mood_negative_mood": 5 / 18}),
    "positive energy": ("mood", three("positive_energy", 3, 3, 3), {"mood_positive_energy": 6 / 18}),
    "negative energy": ("mood", three("negative_energy", 4, 4, 2), {"mood_negative_energy": 7 / 18}),
    "happy": ("mood", three("happy", 4, 5, 2), {"mood_happy": 8 / 18}),
    "sad": ("mood", three("sad", 7, 5, 1), {"mood_sad": 10 / 18}),
    "tense": ("mood", three("tense", 7, 6, 1), {"mood_tense": 11 / 18}),
    "tired": ("mood", three("tired", 7, 7, 1), {"mood_tired": 12 / 18}),
    "rested": ("mood", three("rested", 7, 7, 2), {"mood_rested": 13 / 18}),
    # A night from 23 to 7 h with half an hour up at 2 h, and a nap of an hour: 170 + 250 + 30 minutes asleep of 180 + 30 + 270 + 60;
    # awake 5 + 15 within the night's two parts, and 30 between.
    "sleep": ("sleep", [night(-1, 2, 170, 5, 34, 51), night(2.5, 7, 250, 15, 50, 75), night(14, 15, 30, 20, 6, 0)],
              {"sleep_duration": 450, "sleep_efficiency": 450 / 540, "sleep_waso": 5 + 15 + 30, "sleep_midpoint": 3, "sleep_onset": 23,
               "sleep_offset": 7, "sleep_deep_share": 90 / 450, "sleep_rem_share": 126 / 450, "sleep_naps": 1,
               "sleep_nap_share": 30 / 450}),
    # Rest from 0 to 6 h, moving till 8 h; two hours untold; slow and brisk walking from 10 to 11:30, and rest till 18 h.
    #   600 minutes told from 6 to 24 h. Steps 120 * 30 + 60 * 80 + 30 * 120; still 360 + 390 of 960 minutes, in two rests. Of
    #   360 + 389 still minutes whose next one is known one is followed by movement, of 119 + 60 + 30 active ones one by rest.
    #   Steps by hour 1800, 1800, 4800, 3600. Beats 360 * 50 + 120 * 80 + 60 * 90 + 30 * 110 + 390 * 70 = 63600; from 10 to 18 h
    #   36000 in 480 minutes.
    "wearable": ("wearable", [*run(0, 360, 0, 50), *run(6, 120, 30, 80), *run(10, 60, 80, 90, 40), *run(11, 30, 120, 110),
                              *run(11.5, 390, 0, 70, 25)],
                 {"activity_steps": 12000, "activity_incidental_minutes": 120, "activity_slow_minutes": 60,
                  "activity_brisk_minutes": 30, "activity_sedentary_share": 750 / 960, "activity_sedentary_bout": 750 / 2,
                  "activity_sedentary_longest": 390, "activity_rest_to_active": 1 / 749, "activity_active_to_rest": 1 / 209,
                  "heart_resting": 50, "heart_mean": 66.25,
                  "heart_night_dip": 1 - 50 / 75, "heart_hrv": (60 * 40 + 390 * 25) / 450, "adherence_wear_minutes": 960}),
    # Steps by hour 1800, 1800, 3600, then rest till 23 h: shares 1/4, 1/4, 1/2.
    "spread": ("wearable", [*run(6, 120, 30, 80), *run(8, 60, 60, 90), *run(9, 840, 0, 70)], {"activity_entropy": 1.5 * log(2)}),
    # The figures of a vendor in its own units, where there are no minutes: sitting 720 of 1,440 minutes, efficiency in percent.
    "vendor instead": ("wearable_days",
                       [vendor("steps", 8000, "steps"), vendor("active_minutes", 40, "min"), vendor("sedentary_minutes", 720, "min"),
                        vendor("resting_heart_rate", 58, "bpm"), vendor("heart_rate_mean", 71, "bpm"), vendor("hrv_rmssd", 33, "ms"),
                        vendor("worn_minutes", 1300, "min"), vendor("minutes_asleep", 410, "min"), vendor("minutes_awake", 35, "min"),
                        vendor("sleep_efficiency", 92, "percent")],
                       {"activity_steps": 8000, "activity_brisk_minutes": 40, "activity_sedentary_share": 0.5, "heart_resting": 58,
                        "heart_mean": 71, "heart_hrv": 33, "adherence_wear_minutes": 1300, "sleep_duration": 410, "sleep_waso": 35,
                        "sleep_efficiency": 0.92}),
    "vendor": ("wearable_days",
               [vendor("heart_rate_max", 151, "bpm"), vendor("heart_rate_variance", 90, "bpm2"), vendor("sleep_score", 71, "points"),
                vendor("exercise_minutes", 35, "min"), vendor("heart_zone_below_minutes", 1001, "min"),
                vendor("heart_zone_fat_burn_minutes", 102, "min"), vendor("heart_zone_cardio_minutes", 23, "min"),
                vendor("heart_zone_peak_minutes", 4, "min")],
               {"heart_max": 151, "heart_variance": 90, "signals_sleep_score": 71, "signals_exercise_minutes": 35,
                "signals_heart_zone_below_minutes": 1001, "signals_heart_zone_fat_burn_minutes": 102,
                "signals_heart_zone_cardio_minutes": 23, "signals_heart_zone_peak_minutes": 4}),
    # Filled in twice: the newer score. Its statistics are patterns.
    "questionnaires": ("assessments",
                       [score("phq_9", 9, 20), score("phq_9", 18, 11), score("gad_7", 9, 7), score("stai", 9, 45),
                        score("stai_x1", 9, 41), score("ces_d", 9, 17)],
                       {"mood_phq_9": 11, "mood_gad_7": 7, "mood_stai": 45, "mood_stai_x1": 41, "mood_ces_d": 17}),
    # Medians of 1, 2, 9 and of 60, 64.
    "signals": ("signals", signal("pain", 9, 1, 2) + signal("voice", 60, 64, unit="dB"), {"signals_pain": 2, "signals_voice": 62}),
}  # fmt: skip
MEASURES = {measure: value for _, _, values in EXAMPLES.values() for measure, value in values.items()}


def tables() -> dict[str, pd.DataFrame]:
    """The raw tables of all examples."""
    names = {table for table, _, _ in EXAMPLES.values()}
    return {name: pd.DataFrame([{"subject_id": subject, **row} for subject, (table, rows, _) in EXAMPLES.items()
                                if table == name for row in rows]) for name in names}  # fmt: skip
