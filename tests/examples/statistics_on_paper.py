"""Day values of every measure, and what each statistic of each window is of them, worked out on paper.

Every measure has the same course, `level + step * STEPS`, clock times `HOURS` later than their level, on days of these ages
(1 is the day before the index date). Each window's oldest day has a value, and so has the day before it: a window
longer or shorter by a day gives other figures. Nothing is known of yesterday.
"""

from math import cos, log, pi, radians, sqrt

import pandas as pd

WINDOWS = (3, 7, 14, 28, 90)
AGES = (2, 3, 4, 7, 8, 14, 15, 28, 29, 90, 91, 118, 180, 181)
STEPS = (1, -1, 3, 1, 5, 3, -1, -3, 1, -4, -3, 2, 0, 9)
HOURS = (1.5, 23.5, 1.5, 3.5, 3.5, 5.5, 5.5, 7.5, 7.5, 9.5, 23.5, 1.5, 3.5, 12.5)
INDEX_DATE, ENROLLED_DAYS = pd.Timestamp("2026-06-01"), 40

# Level, and the spread from day to day that is usual: the step is half of it.
USUAL = {
    "mood_valence": (0.50, 0.12), "mood_mood": (0.51, 0.12), "mood_energy": (0.52, 0.12), "mood_anxiety": (0.49, 0.12),
    "mood_irritability": (0.48, 0.12), "mood_positive_mood": (0.53, 0.12), "mood_negative_mood": (0.47, 0.12),
    "mood_positive_energy": (0.54, 0.12), "mood_negative_energy": (0.46, 0.12), "mood_happy": (0.55, 0.12),
    "mood_sad": (0.45, 0.12), "mood_tense": (0.44, 0.12), "mood_tired": (0.43, 0.12), "mood_rested": (0.42, 0.12),
    "sleep_duration": (420, 60), "sleep_efficiency": (0.8, 0.05), "sleep_waso": (60, 20), "sleep_deep_share": (0.2, 0.05),
    "sleep_rem_share": (0.25, 0.05), "activity_steps": (8000, 3000), "heart_resting": (60, 2.5), "heart_mean": (75, 4),
    "signals_voice": (50, 2),
}  # fmt: skip
# Level and step of measures that wait for a past of their own.
OWN_ONLY = {
    "mood_swing": (0.2, 0.01), "mood_swing_adjusted": (0.3, 0.01), "mood_latency": (15, 2), "sleep_naps": (5, 1),
    "sleep_nap_share": (0.1, 0.01), "activity_incidental_minutes": (90, 8), "activity_slow_minutes": (40, 4),
    "activity_brisk_minutes": (30, 5), "activity_sedentary_share": (0.7, 0.02), "activity_sedentary_bout": (20, 3),
    "activity_sedentary_longest": (400, 30), "activity_rest_to_active": (0.05, 0.01), "activity_active_to_rest": (0.2, 0.03),
    "activity_entropy": (2.5, 0.1), "heart_night_dip": (0.2, 0.02), "heart_hrv": (40, 5), "heart_max": (150, 8),
    "heart_variance": (90, 10), "adherence_wear_minutes": (900, 50), "adherence_answers": (6, 1),
    "signals_sleep_score": (70, 3), "signals_exercise_minutes": (30, 4), "signals_heart_zone_below_minutes": (1000, 40),
    "signals_heart_zone_fat_burn_minutes": (150, 11), "signals_heart_zone_cardio_minutes": (25, 3),
    "signals_heart_zone_peak_minutes": (9, 2), "signals_pain": (5, 0.5),
}  # fmt: skip
# Hours that are added to `HOURS`, and the usual spread.
CLOCK = {"sleep_midpoint": (0, 0.8), "sleep_onset": (-2, 1.0), "sleep_offset": (-4, 1.0)}
# Units that stand in names, but where the statistic has none.
UNITS = {
    **dict.fromkeys(CLOCK, "h"), **dict.fromkeys(("heart_resting", "heart_mean", "heart_max"), "bpm"), "heart_hrv": "ms",
    **dict.fromkeys(("mood_latency", "sleep_duration", "sleep_waso", "activity_incidental_minutes", "activity_slow_minutes",
                     "activity_brisk_minutes", "activity_sedentary_bout", "activity_sedentary_longest", "adherence_wear_minutes",
                     "signals_exercise_minutes", *(f"signals_heart_zone_{zone}_minutes"
                                                   for zone in ("below", "fat_burn", "cardio", "peak"))), "min"),
}  # fmt: skip
DECLARED = {"pain": ("points", None), "voice": ("dB", 2.0)}

# 2 of 3 days, 4 of 7, 6 of 14, 8 of 28; 10 of the 40 since enrolment.
COVERAGE = {3: 2 / 3, 7: 4 / 7, 14: 6 / 14, 28: 8 / 28, 90: 10 / 40}
# In steps, with a the ages and k the values, newest first. The slope is (sum a sum k / n - sum ak) / (sum a2 - (sum a)2 / n).
# 3: 1, -1. Mean 0, squares 1 + 1; 2 in a day; one pair of adjacent days, 2 apart.
# 7: 1, -1, 3, 1. Mean 4/4, squares 0 + 4 + 4 + 0; sums of a 16, of ak 2 - 3 + 12 + 7 = 18, of a2 4 + 9 + 16 + 49 = 78: slope
#   (16 - 18) / (78 - 64); a pair more, 4 apart: (4 + 16) / 2.
# 14: 1, -1, 3, 1, 5, 3. Mean 12/6, squares 1 + 9 + 1 + 1 + 9 + 1 = 22; sums of a 38, of ak 18 + 40 + 42 = 100, of a2
#   78 + 64 + 196 = 338: slope (76 - 100) / (338 - 1444 / 6) = -24 / (584 / 6); pairs (4 + 16 + 16) / 3.
# 28: and -1, -3. Mean 8/8, squares 0 + 4 + 4 + 0 + 16 + 4 + 4 + 16 = 48; sums of a 81, of ak 100 - 15 - 84 = 1, of a2
#   338 + 225 + 784 = 1347: slope (81 - 1) / (1347 - 6561 / 8) = 80 / (4215 / 8); pairs (36 + 16) / 4.
# 90: and 1, -4. Mean 5/10, sum of k2 46 + 10 + 17 = 73, squares 73 - 25 / 10; sums of a 200, of ak 1 + 29 - 360 = -330, of a2
#   1347 + 841 + 8100 = 10288: slope (100 + 330) / (10288 - 4000); pairs (52 + 16) / 5.
MEAN = {3: 0, 7: 1, 14: 2, 28: 1, 90: 0.5}
SD = {3: sqrt(2), 7: sqrt(8 / 3), 14: sqrt(22 / 5), 28: sqrt(48 / 7), 90: sqrt(70.5 / 9)}
SLOPE = {3: 2, 7: -1 / 7, 14: -18 / 73, 28: 128 / 843, 90: 215 / 3144}
RMSSD = {3: 2, 7: sqrt(10), 14: sqrt(12), 28: sqrt(13), 90: sqrt(68 / 5)}
LAST = 1
# The 90 days before each window, sorted: how many, how far the mean lies above the median, the median of distances from it.
#  3: -4 -3 -3 -1 1 1 3 3 5 (ages 4 to 91), median 1, distances 0 0 2 2 2 4 4 4 5
#  7: -4 -3 -3 -1 1 3 5 (8 to 91), median -1, distances 0 2 2 2 3 4 6
# 14: -4 -3 -3 -1 1 (15 to 91), median -3, distances 0 0 1 2 4
# 28: -4 -3 1 2 (29 to 118), median -1, distances 2 2 3 3
# 90: -3 0 2 (91 to 180), median 0, distances 0 2 3
PAST = {3: (9, -1, 2), 7: (7, 2, 2), 14: (5, 5, 1), 28: (4, 2, 2.5), 90: (3, 0.5, 2)}

# Clock times lie in pairs as far before their mean as after it, 7: 23.5 and 3.5, 1.5 twice. R is the mean of the cosines.
CLOCK_MEAN = {3: 0.5, 7: 1.5, 14: 2.5, 28: 3.5, 90: 4.5}
CLOCK_R = {
    3: cos(radians(15)), 7: (1 + cos(radians(30))) / 2, 14: (cos(radians(45)) + 2 * cos(radians(15))) / 3,
    28: (cos(radians(60)) + 2 * cos(radians(30)) + 1) / 4,
    90: (cos(radians(75)) + 2 * cos(radians(45)) + 2 * cos(radians(15))) / 5,
}  # fmt: skip
CLOCK_LAST = 1.5
# As PAST, in hours after the window's mean.
#  3: -1 1 3 3 5 5 7 7 9, median 5, distances 0 0 2 2 2 2 4 4 6
#  7: -2 2 4 4 6 6 8, median 4, distances 0 0 2 2 2 4 6
# 14: -3 3 5 5 7, median 5, distances 0 0 2 2 8
# 28: -4 -2 4 6, median 1, distances 3 3 5 5
# 90: -5 -3 -1, median -3, distances 0 2 2
CLOCK_PAST = {3: (9, -5, 2), 7: (7, -4, 2), 14: (5, -5, 2), 28: (4, -1, 4), 90: (3, 3, 2)}


def z(n: int, above: float, mad: float, usual: float | None) -> float:
    """n / (n + 7) above / s, s2 = (n (1.4826 MAD)2 + 7 usual2) / (n + 7), or s = 1.4826 MAD where no spread is usual."""
    own = (1.4826 * mad) ** 2
    return n / (n + 7) * above / sqrt(own if usual is None else (n * own + 7 * usual**2) / (n + 7))


def days(subject: str) -> pd.DataFrame:
    """The day panel of one subject who has every measure."""
    local_date = INDEX_DATE - pd.to_timedelta(AGES, unit="D")
    columns = {name: [level + spread / 2 * k for k in STEPS] for name, (level, spread) in USUAL.items()}
    columns |= {name: [level + step * k for k in STEPS] for name, (level, step) in OWN_ONLY.items()}
    columns |= {name: [(hour + later) % 24 for hour in HOURS] for name, (later, _) in CLOCK.items()}
    known_on = local_date + pd.Timedelta(days=1)
    return pd.DataFrame({"subject_id": subject, "local_date": local_date, "known_on": known_on, **columns})


def figures(measure: str) -> dict[str, float]:
    """Every statistic of a measure over every window, by the feature's name."""
    if measure in CLOCK:
        later, usual = CLOCK[measure]
        found = {
            "mean": {w: (CLOCK_MEAN[w] + later) % 24 for w in WINDOWS}, "last": dict.fromkeys(WINDOWS, (CLOCK_LAST + later) % 24),
            "sd": {w: sqrt(-2 * log(CLOCK_R[w])) * 12 / pi for w in WINDOWS},
            "z": {w: z(*CLOCK_PAST[w], usual) for w in WINDOWS}, "shift": {w: CLOCK_PAST[w][1] for w in WINDOWS},
        }  # fmt: skip
    else:
        level, spread = USUAL.get(measure) or OWN_ONLY[measure]
        step, usual_steps = (spread / 2, 2) if measure in USUAL else (spread, None)
        found = {
            kind: {w: step * of[w] for w in WINDOWS} for kind, of in (("sd", SD), ("slope", SLOPE), ("rmssd", RMSSD))
        }
        found |= {"mean": {w: level + step * MEAN[w] for w in WINDOWS}, "last": dict.fromkeys(WINDOWS, level + step * LAST),
                  "z": {w: z(*PAST[w], usual_steps) for w in WINDOWS}, "shift": {w: step * PAST[w][1] for w in WINDOWS}}  # fmt: skip
    unit = f"_{UNITS[measure]}" if measure in UNITS else ""
    named = {f"{measure}_{kind}_{w}d{'' if kind == 'z' else unit}": value
             for kind, of in found.items() for w, value in of.items()}  # fmt: skip
    return named | {f"{measure}_coverage_{w}d": COVERAGE[w] for w in WINDOWS}


FIGURES = {measure: figures(measure) for measure in (*USUAL, *OWN_ONLY, *CLOCK)}
