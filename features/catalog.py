"""Every feature: name, unit, window, formula, source, why it is there, how it is said. The only list.

`python -m features.catalog` prints `docs/data-dictionary.md`; a test keeps the file true.
"""

from dataclasses import dataclass
from functools import cache

from features import activity, adherence, circadian, heart, history, mood, sleep
from features.measures import STATISTICS, Measure


@dataclass(frozen=True)
class Feature:
    """One column of the feature matrix. `words` is the clinician's phrase; `is_default` says whether models see it."""

    name: str
    family: str
    unit: str
    window_days: int
    minimum_days: int
    formula: str
    source: str
    rationale: str
    words: str
    is_default: bool = True


RATIONALE = {
    "mood": "level and instability of affect precede relapse, weakly beyond the level itself",
    "sleep": "short, late and irregular sleep accompanies prodromes",
    "activity": "withdrawal shows as less and flatter movement",
    "circadian": "a rhythm that flattens or fragments accompanies mood episodes",
    "heart": "resting heart rate rises and variability falls under strain",
    "adherence": "silence is information; it also says how far the rest can be trusted",
    "own_past": "change against a person's own usual, not difference between people",
    "history": "the strongest predictor, and known to the clinician already",
    "tenure": "an artefact of recruitment: for baselines and controls, never for the model",
}
HOW = {
    "mean_7d": ("mean over 7 days", "over 7 days"),
    "mean_28d": ("mean over 28 days", "over 28 days"),
    "sd_28d": ("standard deviation over 28 days", "how much it varied over 28 days:"),
    "slope_28d": ("least-squares slope per day over 28 days", "trend over 28 days:"),
    "rmssd_28d": ("root mean square of successive daily differences, 28 days", "day-to-day change over 28 days:"),
    "last": ("newest value of the last 7 days", "most recent:"),
    "z_7d": ("(mean of 7 days - median of days 8..90) / (1.4826 MAD of days 8..90)", "this week against own usual:"),
}
MEASURES: tuple[Measure, ...] = (
    *mood.MEASURES, *sleep.MEASURES, *activity.MEASURES, *heart.MEASURES, *adherence.MEASURES,
)  # fmt: skip


def _family(measure: Measure, statistic: str) -> str:
    return "own_past" if statistic == "z_7d" else measure.name.split("_")[0]


def feature_name(measure: Measure, statistic: str) -> str:
    """`<modality>_<measure>_<statistic>_<window>[_unit]`, e.g. `sleep_duration_mean_7d_min`."""
    if (measure.name, statistic) == ("mood_valence", "last"):
        return "mood_last"
    has_unit = measure.unit in ("min", "h", "bpm", "ms") and statistic != "z_7d"
    return f"{measure.name}_{statistic}" + (f"_{measure.unit}" if has_unit else "")


def _windowed(measure: Measure, statistic: str) -> Feature:
    window, fewest = STATISTICS[statistic]
    how, when = HOW[statistic]
    words = f"{when} {measure.words}" if when.endswith(":") else f"{measure.words} {when}"
    family = _family(measure, statistic)
    unit = "robust SD" if statistic == "z_7d" else measure.unit + ("/day" if statistic.startswith("slope") else "")
    return Feature(feature_name(measure, statistic), family, unit, window, fewest, f"{how} of: {measure.formula}",
                   measure.source, RATIONALE[family], words)  # fmt: skip


def _plain(name: str, family: str, unit: str, window: int, formula: str, words: str, fewest: int = 0, source: str = "",
           is_default: bool = True) -> Feature:  # fmt: skip
    return Feature(name, family, unit, window, fewest, formula, source, RATIONALE[family], words, is_default)


_CIRCADIAN = tuple(
    _plain(f"circadian_{name}_14d", "circadian", unit, circadian.WINDOW_DAYS, formula, words, 3, "Witting 1990")
    for name, unit, formula, words in (
        (
            "stability",
            "",
            "interdaily stability of hourly steps, valid hours only",
            "how alike the days were over 2 weeks",
        ),
        (
            "variability",
            "",
            "intradaily variability over valid successive hours",
            "how broken up the days were over 2 weeks",
        ),
        ("l5", "steps/h", "quietest 5 consecutive hours of the average day", "movement in the quietest hours"),
        ("m10", "steps/h", "busiest 10 consecutive hours of the average day", "movement in the busiest hours"),
        ("amplitude", "", "(M10 - L5) / (M10 + L5)", "contrast between day and night"),
    )
)
_ADHERENCE = (
    _plain(
        "adherence_coverage_7d",
        "adherence",
        "share",
        7,
        "days with any data / days observable",
        "days with data this week",
    ),
    _plain(
        "adherence_coverage_28d",
        "adherence",
        "share",
        28,
        "days with any data / days observable",
        "days with data over 28 days",
    ),
    _plain(
        "adherence_days_since_data",
        "adherence",
        "days",
        28,
        "days without data just before",
        "days since any data came",
    ),
    _plain(
        "adherence_longest_gap_28d",
        "adherence",
        "days",
        28,
        "longest run of days without data",
        "longest silence over 28 days",
    ),
)
_ASSESSMENTS = tuple(
    feature
    for name, words in (("phq_9", "PHQ-9"), ("gad_7", "GAD-7"))
    for feature in (
        _plain(f"mood_{name}_last_90d", "mood", "points", 90, "newest score of the last 90 days", f"the last {words} score", 1),
        _plain(f"mood_{name}_change_90d", "mood", "points", 90, "newest score minus mean of those before it, 90 days",
               f"change of the {words} score", 2),
    )
)  # fmt: skip
_HISTORY = tuple(
    _plain(name, "history", unit, window, formula, words)
    for name, unit, window, formula, words in (
        (
            "history_days_since_last_episode",
            "days",
            0,
            "days since the newest known episode began",
            "days since the last episode",
        ),
        ("history_days_since_last_event", "days", 0, "days since the newest known event", "days since the last event"),
        ("history_event_days_7d", "days", 7, "known event days", "event days this week"),
        ("history_event_days_28d", "days", 28, "known event days", "event days over 28 days"),
        ("history_event_days_90d", "days", 90, "known event days", "event days over 90 days"),
        ("history_episodes_90d", "episodes", 90, "known episodes begun", "episodes over 90 days"),
        ("history_episodes_ever", "episodes", 0, "known episodes since enrolment", "episodes since enrolment"),
        (
            "history_episode_rate",
            "episodes/day",
            0,
            "(episodes + 0.25) / (days enrolled + 90)",
            "past rate of episodes",
        ),
    )
)
_TENURE = (
    _plain(history.TENURE, "tenure", "days", 0, "index date minus enrolment", "days since enrolment", is_default=False),
)

FEATURES: tuple[Feature, ...] = (
    *(_windowed(measure, statistic) for measure in MEASURES for statistic in measure.statistics),
    *_ASSESSMENTS, *_CIRCADIAN, *_ADHERENCE, *_HISTORY, *_TENURE,
)  # fmt: skip


@cache
def words(name: str) -> str:
    """How a clinician would say a feature; the name itself for one that the catalogue does not know."""
    return {feature.name: feature.words for feature in FEATURES}.get(name, name)


def dictionary() -> str:
    """The catalogue as a Markdown page."""
    head = (
        "# Data dictionary\n\nGenerated by `python -m features.catalog`; edit `features/catalog.py`, not this page.\n"
    )
    heads = ("feature", "family", "unit", "window (days)", "fewest valid days", "formula", "source", "default")
    table = f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|\n"
    rows = (f"| `{f.name}` | {f.family} | {f.unit} | {f.window_days or 'all'} | {f.minimum_days} | {f.formula} | {f.source} | "
            f"{'on' if f.is_default else 'off'} |" for f in FEATURES)  # fmt: skip
    reasons = "\n## Why each family is there\n\n" + "\n".join(
        f"- **{name}**: {why}." for name, why in RATIONALE.items()
    )
    return head + "\n" + table + "\n".join(rows) + "\n" + reasons + "\n"


if __name__ == "__main__":
    print(dictionary(), end="")
