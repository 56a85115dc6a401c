"""A few days of each pattern, and what it is of them over every window and against its own past, worked out on paper.

One subject to each story and window. The story's days stand at the old end of the window, nothing is known of the days
after them; three windows earlier stand as many days of other figures, at the same place in each. Enrolment is four windows ago.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from math import exp, hypot, radians, sin

import pandas as pd

INDEX_DATE = pd.Timestamp("2026-06-01")  # A Monday.
ALL, LONG, SLOW = (3, 7, 14, 28, 90), (7, 14, 28, 90), (14, 28, 90)
# How many days ago a story's first day was: a Monday where the window holds one.
FIRST = {3: 3, 7: 7, 14: 14, 28: 28, 90: 84}

Day = Mapping[str, float]
Block = Sequence[Day | None]


def hours(modality: str, each: Sequence[float]) -> Day:
    """A day of 24 hourly figures."""
    return {f"{modality}_h{hour:02d}": float(value) for hour, value in enumerate(each)}


def wave(low: float, high: float, from_hour: int) -> Block:
    """Three days of steps, twelve hours low and twelve high; of the heart, as many beats and 40 more."""
    steps = [low if (hour - from_hour) % 24 < 12 else high for hour in range(24)]
    return [{**hours("activity", steps), **hours("heart", [40 + n for n in steps])}] * 3


def turns(a_day: int) -> Block:
    """Three days that go up and down, so many runs of hours a day."""
    return [hours("activity", [2 * (hour * a_day // 24 % 2) for hour in range(24)])] * 3


def upside_down(n_days: int, n_turned: int) -> Block:
    """Days of 0 and then 2 steps an hour, some of them the other way round."""
    upright, turned = hours("activity", [0] * 12 + [2] * 12), hours("activity", [2] * 12 + [0] * 12)
    return [turned] * n_turned + [upright] * (n_days - n_turned)


def pairs(products: float) -> Block:
    """Two days of five pairs: 2 and then 3 earlier answers of 1, the others 0; later ones that add up to as much."""
    names = ("mood_pairs", "mood_pairs_before", "mood_pairs_after", "mood_pairs_squares", "mood_pairs_products")
    return [dict(zip(names, (5, ones, ones, ones, products / 2), strict=True)) for ones in (2, 3)]


def levels(around: float) -> Block:
    """Five days of mood, at 0.4 and as far below as above it."""
    return [{"mood_valence": level} for level in (0.4 - around, 0.4, 0.4, 0.4, 0.4 + around)]


def answers(*each: float | None) -> Block:
    """Days with so many answers."""
    return [None if n is None else {"adherence_answers": n} for n in each]


def scores(*each: tuple[float, float, float]) -> Block:
    """Three scores of each instrument."""
    names = ("phq_9", "gad_7", "stai", "stai_x1", "ces_d")
    return [{f"mood_{name}": told[k] for name, told in zip(names, each, strict=True)} for k in range(3)]


def two_measures(steps: float, duration: float) -> Day:
    """A day so many usual spreads off two levels."""
    return {"activity_steps": 8000 + 3000 * steps, "sleep_duration": 420 + 60 * duration}


# Three windows ago, two, one, and in the newest.
BLOCKS: dict[str, tuple[Block, Block, Block, Block]] = {
    "wave": (wave(10, 50, 5), wave(20, 80, 6), wave(40, 120, 8), wave(30, 150, 7)),
    "turns": (turns(2), turns(4), turns(8), turns(6)),
    "upside down": (upside_down(4, 0), upside_down(5, 1), upside_down(4, 1), upside_down(3, 1)),
    "pairs": (pairs(2.5), pairs(3), pairs(4), pairs(4.5)),
    "levels": (levels(0.1), levels(0.2), levels(0.4), levels(0.3)),
    "answers": (answers(4), answers(4, 2), answers(5, 4, 1), answers(None, None, 5)),
    "scores": ((), (), (), scores((6, 10, 11), (4, 8, 3), (30, 40, 50), (44, 40, 41), (20, 10, 18))),
}  # fmt: skip

# Story, windows; of each figure its value, and the median and the MAD of the three before it, where they tell of a past.
Told = dict[str, tuple[float, float, float] | float]
SINE = sin(radians(7.5))
STORIES: tuple[tuple[str, tuple[int, ...], str, Told], ...] = (
    # Low 10, 20, 40, then 30; high 50, 80, 120, then 150; their sums and differences over 2 and 12 (the cosine of a wave of +-1
    # is 1 / 6 / sin 7.5); low from 5, 6, 8, then 7 h, high from 12 h later, its middle 18 h later: at 23, 0, 2, then 1 h.
    # Amplitudes 2/3, 3/5 and 1/2, then 2/3.
    ("wave", ALL, "", {"circadian_l5": (30, 20, 10), "circadian_m10": (150, 80, 30), "circadian_mesor": (90, 50, 20),
                       "circadian_swing": (10 / SINE, 5 / SINE, 5 / 3 / SINE), "circadian_amplitude": (2 / 3, 3 / 5, 1 / 15)}),
    ("wave", ALL, "h", {"circadian_l5_onset": (7, 6, 1), "circadian_m10_onset": (19, 18, 1), "circadian_acrophase": (1, 0, 1),
                        "heart_acrophase": (1, 0, 1)}),
    ("wave", ALL, "bpm", {"heart_mesor": (130, 90, 20), "heart_swing": (10 / SINE, 5 / SINE, 5 / 3 / SINE)}),
    # With n runs a day there are 3 n - 1 jumps of 2 among 71 pairs of hours, and the variance is 1: n = 2, 4, 8, then 6.
    ("turns", ALL, "", {"circadian_variability": (4 * 17 / 71, 4 * 11 / 71, 4 * 6 / 71)}),
    # The mean day is 1 +- the share of upright days less that of the others, the variance 1: 1, (3/5)2, (1/2)2, then (1/3)2.
    ("upside down", SLOW, "", {"circadian_stability": (1 / 9, 9 / 25, 9 / 25 - 1 / 4)}),
    # (products - 5 * 5 / 10) / (5 - 5 * 5 / 10): 0, 0.2, 0.6, then 0.8.
    ("pairs", LONG, "", {"mood_inertia": (0.8, 0.2, 0.2)}),
    # Squares 2 a2; five values that add up to 2 vary most as 1, 1, 0, 0, 0: 2 * 0.36 + 3 * 0.16 = 1.2; so a / sqrt(0.6).
    ("levels", LONG, "", {"mood_relative_sd": (0.3 / 0.6**0.5, 0.2 / 0.6**0.5, 0.1 / 0.6**0.5)}),
    ("scores", (90,), "", {"mood_phq_9_last": 11, "mood_phq_9_change": 11 - 8, "mood_gad_7_last": 3, "mood_gad_7_change": 3 - 6,
                           "mood_stai_last": 50, "mood_stai_change": 50 - 35, "mood_stai_x1_last": 41,
                           "mood_stai_x1_change": 41 - 42, "mood_ces_d_last": 18, "mood_ces_d_change": 18 - 15}),
    # Five nights from 23 to 7 h and two free ones 1, 2, 4 hours later, then 3 hours earlier. Twice as many of the 132 hours
    # that are compared differ: 6 mornings and 5 evenings of 12 hours. From Tuesday on five nights lie so far from the free
    # ones or from the night before, Sunday from neither.
    ("nights", LONG, "h", {"sleep_social_jetlag": (3, 2, 1), "sleep_social_jetlag_signed": (-3, 2, 1),
                           "sleep_phase_deviation": (5 * 3 / 6, 5 * 2 / 6, 5 / 6)}),
    ("nights", LONG, "", {"sleep_regularity": (100 - 200 * 6 / 132, 100 - 200 * 4 / 132, 200 * 2 / 132)}),
)  # fmt: skip
# Story, windows, figure: how many there are, of how many a day, of how many days less than the window's.
COVERAGES = (
    ("wave", ALL, "circadian", 72, 24, 0), ("wave", ALL, "heart_rhythm", 72, 24, 0), ("pairs", LONG, "mood_inertia", 2, 1, 0),
    ("nights", LONG, "sleep_regularity", 6, 1, 1), ("nights", LONG, "sleep_phase_deviation", 6, 1, 1),
    *(("scores", (90,), f"mood_{name}", 3, 1, 0) for name in ("phq_9", "gad_7", "stai", "stai_x1", "ces_d")),
)  # fmt: skip
# Events of the subject `events 90`, in days ago. Episodes, at least 8 days apart, begin 400, 200, 60, 20 and 10 days ago.
EVENTS, ENROLLED_DAYS = (400, 200, 60, 57, 20, 10, 5, 5), 360
HISTORY = {
    "history_days_since_last_episode": 10, "history_days_since_last_event": 5, "history_event_days_7d": 1,
    "history_event_days_28d": 3, "history_event_days_90d": 5, "history_episodes_90d": 3, "history_episodes_ever": 5,
    "history_episode_rate": (4 + 0.25) / (365 + 90), "tenure_days_enrolled": ENROLLED_DAYS,
}  # fmt: skip
FREE_NIGHTS_LATER = (1, 2, 4, -3)
# Days known in each window of the story below, and how far they lie from usual in two measures, in usual spreads.
RECENT = {3: (2, 3, 4), 7: (3, 5, 12), 14: (5, 6, 8), 28: (7, 8, 15), 90: (7, 20, 21)}
# Of each measure its level and a swing around it.
SWINGS = {"mood_valence": (0.5, 0.1), "sleep_duration": (420, 60), "activity_steps": (8000, 1000)}


def z(value: float, median: float, mad: float) -> float:
    """Against three earlier windows: 3 / (3 + 7) (value - median) / (1.4826 MAD)."""
    return 3 / 10 * (value - median) / (1.4826 * mad)


def silence(w: int) -> Told:
    """One of w days has 5 answers; before that 4, 6 and 10 on the first, the first two and the first three days."""
    # The longest silence follows the third day, in three days it comes before; earlier it was w - 1, w - 2 and w - 3 days.
    gap = max(FIRST[w] - 3, 2)
    return {"adherence_coverage": (1 / w, 2 / w, 1 / w), "adherence_longest_gap": (gap, w - 2, 1),
            "adherence_answer_rate": (5 / w, 6 / w, 2 / w)}  # fmt: skip


def left_of_a_swing(w: int) -> float:
    """What a Gaussian mean leaves of a swing of four days, two up and two down: nothing at odd distances, else +-."""
    sigma = 0.25 / 0.675 * 0.2 * w  # Quartiles at a quarter of 0.2 w days, those of a normal lie at 0.675 deviations.
    weights = [exp(-((k / sigma) ** 2) / 2) for k in range(int(4 * sigma + 0.5) + 1)]
    return (1 + 2 * sum(weights[4::4]) - 2 * sum(weights[2::4])) / (1 + 2 * sum(weights[1:]))


def early_warnings(measure: str, w: int) -> tuple[Told, Told]:
    """Variance and autocorrelation of `up and down`; their rise in `calm`."""
    # The newest half: 14 days, as many up as down; 45, one more down. Of the 13 pairs 7 differ, between means of -+1/13: -12/13
    # over 168/13; of the 44 half differ, between means of 0.
    squares = {28: 14 / 13, 90: (45 - 1 / 45) / 44}[w]
    swing = (SWINGS[measure][1] * (1 - left_of_a_swing(w))) ** 2
    name = f"early_warning_{measure}"
    # Each step of the half leaves out a day of swings and takes a calm one in: the variance falls, and so do the shares of
    # days that undo the day before.
    return ({f"{name}_variance": swing * squares, f"{name}_autocorrelation": {28: -1 / 14, 90: 0}[w]},
            {f"{name}_variance_rise": -1, f"{name}_autocorrelation_rise": 1})  # fmt: skip


def _figures() -> dict[str, tuple[str, float]]:
    """Of every feature the subject and the number."""
    told = [(story, w, unit, of) for story, windows, unit, of in STORIES for w in windows]
    told += [("answers", w, "", silence(w)) for w in ALL]
    told += [("answers", 28, "", {"adherence_days_since_data": 25, "adherence_days_since_sync": 25})]
    told += [(story, w, "", {f"{of}_coverage": n / (per_day * (w - less))})
             for story, windows, of, n, per_day, less in COVERAGES for w in windows]  # fmt: skip
    # Usual days lie 1 to either side in one measure at a time, on half of 8 days: variances of 1/2, no covariance.
    told += [("apart", w, "", {"own_past_distance": hypot(*apart), "own_past_distance_coverage": 2 * n / (6 * w)})
             for w, (n, *apart) in RECENT.items()]  # fmt: skip
    for measure, w in product(SWINGS, (28, 90)):
        swinging, calming = early_warnings(measure, w)
        told += [("up and down", w, "", swinging), ("calm", w, "", calming)]
    found = {}
    for story, w, unit, of in told:
        for name, figure in of.items():
            value, *past = figure if isinstance(figure, tuple) else (figure,)
            found["_".join(filter(None, (name, f"{w}d", unit)))] = (f"{story} {w}", value)
            if past and w <= 28:
                found[f"{name}_z_{w}d"] = (f"{story} {w}", z(value, *past))
    return found | {name: ("events 90", value) for name, value in HISTORY.items()}


FIGURES = _figures()


def days() -> pd.DataFrame:
    """The day panel of every story but `nights`, one subject to each window."""
    rows = []

    def tell(story: str, w: int, first: int, block: Block) -> None:
        rows.extend((f"{story} {w}", first - k, day) for k, day in enumerate(block) if day is not None)

    for story, blocks in BLOCKS.items():
        for w in (w for w in ALL if w >= max(map(len, blocks))):
            for ago, block in zip((3, 2, 1, 0), blocks, strict=True):
                tell(story, w, FIRST[w] + ago * w, block)
    for w, (n, *apart) in RECENT.items():
        # The oldest day is out of reach, 91 days before the window.
        usual = zip((1, -1, 0, 0) * 2, (0, 0, 1, -1) * 2, strict=True)
        tell("apart", w, w + 91, [two_measures(99, 99)])
        tell("apart", w, w + 8, [two_measures(*each) for each in (*usual, *[apart] * n)])
    for w in (28, 90):
        for story, swings in (("up and down", [(1, -1, -1, 1)[k % 4] for k in range(w)]),
                              ("calm", [(1, -1)[k % 2] if k < w / 2 else 0 for k in range(w)])):  # fmt: skip
            tell(story, w, w, [{name: level + swing * k for name, (level, swing) in SWINGS.items()} for k in swings])
    subjects, ages, values = zip(*rows, strict=True)
    local_date = INDEX_DATE - pd.to_timedelta(ages, unit="D")
    known_on = local_date + pd.Timedelta(days=1)
    keys = pd.DataFrame({"subject_id": subjects, "local_date": local_date, "known_on": known_on})
    return pd.concat([keys, pd.DataFrame(values)], axis=1)


def nights() -> pd.DataFrame:
    """Raw nights of the story of that name, in UTC."""
    rows = []
    for w, (ago, later), day in product(LONG, zip((3, 2, 1, 0), FREE_NIGHTS_LATER, strict=True), range(7)):
        midnight = INDEX_DATE.tz_localize("UTC") - pd.Timedelta(days=FIRST[w] + ago * w - day)
        woke = midnight + pd.Timedelta(hours=7 + later * (day >= 5))
        ends = {"onset_at": woke - pd.Timedelta(hours=8), "offset_at": woke}
        rows.append({"subject_id": f"nights {w}", "minutes_asleep": 400.0, **ends})
    return pd.DataFrame(rows)


def event_days() -> pd.DataFrame:
    """The events, each known on the day after."""
    event_on = INDEX_DATE - pd.to_timedelta(EVENTS, unit="D")
    return pd.DataFrame({"subject_id": "events 90", "event_on": event_on, "known_on": event_on + pd.Timedelta(days=1)})
