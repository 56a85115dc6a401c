"""What a feature is, and how a statistic of a measure, a pattern or a look at the past becomes one: name, unit, words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features import baseline, pattern_past
from features.literature import cited
from features.measures import AGAINST_PAST, STATISTICS, WINDOWS, Measure, Pattern, PatternFeature


@dataclass(frozen=True)
class Feature:
    """One column of the feature matrix.

    Args:
        window_days: trailing days that it looks at; 0 for all before the index date.
        minimum: the least data for a value, in words; below it the feature is missing.
        source: short citations; `literature.in_full` tells what they mean.
        words: the clinician's phrase.
        is_default: whether models see it unless the configuration says otherwise.
        is_circular: whether it is a time of day, in hours, or compares times of day.
        coverage: the feature that says how much it rests on; "" for coverages, counts of silence and history.
    """

    name: str
    family: str
    unit: str
    window_days: int
    minimum: str
    formula: str
    source: str
    rationale: str
    words: str
    is_default: bool = True
    is_circular: bool = False
    coverage: str = ""


RATIONALE: dict[str, str] = {
    "mood": "level and instability of affect precede relapse, weakly beyond the level itself",
    "sleep": "short, late and irregular sleep accompanies prodromes",
    "activity": "withdrawal shows as less and flatter movement",
    "circadian": "a rhythm that flattens or fragments accompanies mood episodes",
    "heart": "resting heart rate rises and variability falls under strain",
    "adherence": "silence is information; it also says how far the rest can be trusted",
    "signals": "further streams that a site declares, and daily figures of vendors that no measure above uses",
    "early_warning": "slowing down before a transition; weak alone (sensitivity about 26 %)",
    "own_past": "change against a person's own usual, not difference between people",
    "history": "the strongest predictor, and known to the clinician already",
    "tenure": "an artefact of recruitment: for baselines and controls, never for the model",
}
# What one value of any feature is about.
GRAIN = "subject x index date"
# Units that stand in a feature's name.
NAMED_UNITS = ("min", "h", "bpm", "ms")
# Statistics that keep the measure's unit, and those that change it.
UNITS = {"slope": "{}/day", "coverage": "share", "z": "robust SD"}
FAMILIES = {"coverage": "adherence", "z": "own_past", "shift": "own_past"}


def kinds(measure: Measure) -> tuple[str, ...]:
    """Statistics that a measure gets: clock times have no straight line through them and no step between days."""
    return tuple(kind for kind in STATISTICS if not (measure.is_circular and kind in ("slope", "rmssd")))


def feature_name(name: str, kind: str, window: int, unit: str = "") -> str:
    """`<modality>_<measure>_<statistic>_<window>[_unit]`, e.g. `sleep_duration_mean_7d_min`."""
    parts = [name, kind, f"{window}d", unit if unit in NAMED_UNITS and kind not in ("coverage", "z") else ""]
    return "_".join(part for part in parts if part)


def distance_name(window: int) -> str:
    """Name of the anomaly distance."""
    return f"own_past_distance_{window}d"


def coverage_name(of: str, window: int) -> str:
    """Name of the coverage of a measure or a pattern; "" for nothing's."""
    return feature_name(of, "coverage", window) if of else ""


def of_measure(measure: Measure, kind: str, window: int) -> Feature:
    statistic = STATISTICS[kind]
    name = feature_name(measure.name, kind, window, measure.unit)
    letters = f" ({baseline.letters(measure.usual_spread, measure.unit)})" if kind == "z" else ""
    return Feature(
        name=name,
        family=family(name),
        unit=UNITS.get(kind, "{}").format(measure.unit),
        window_days=window,
        minimum=_minimum(measure, kind, WINDOWS[window]),
        formula=f"{statistic.over(window, measure.is_circular)}{letters} of: {measure.formula}",
        source=cited(measure.source, statistic.source),
        rationale=RATIONALE[family(name)],
        words=statistic.words.format(measure.words, window),
        is_default=f"{kind}_{window}d" in measure.default,
        is_circular=measure.is_circular and kind in ("mean", "last", *AGAINST_PAST),
        coverage="" if kind == "coverage" else coverage_name(measure.name, window),
    )


def _minimum(measure: Measure, kind: str, fewest: int) -> str:
    before = "1" if np.isfinite(measure.usual_spread) else f"{baseline.FEWEST_WITHOUT_PRIOR} that varied"
    return {
        "last": "1 valid day",
        "coverage": "1 day since enrolment",
        "rmssd": f"{fewest} valid days, 2 of them adjacent",
        "z": f"{fewest} valid days, and {before} in the {baseline.PAST_DAYS} before",
        "shift": f"{fewest} valid days, and 1 in the {baseline.PAST_DAYS} before",
    }.get(kind, f"{fewest} valid days")


def of_pattern(pattern: Pattern, told: PatternFeature, window: int) -> Feature:
    name = feature_name(told.name, "", window, told.unit)
    kin = family(name)
    return Feature(name, kin, told.unit, window, told.minimum, f"{told.formula}, {window} days", told.source,
                   RATIONALE[kin], f"{told.words} over {window} days", window in told.default, told.is_circular,
                   coverage_name(pattern.coverage, window))  # fmt: skip


def against_past(pattern: Pattern, told: PatternFeature, window: int) -> Feature:
    earlier = pattern_past.n_earlier(window)
    minimum = f"{told.minimum}; so in {baseline.FEWEST_WITHOUT_PRIOR} of {earlier} windows before, not all alike"
    formula = (f"(newest {window} days - median) / ({baseline.MAD_TO_SD} MAD) * n / (n + {baseline.PRIOR_DAYS:g}) (median and MAD "
               f"over the n that have a value of the {earlier} windows of {window} days before) of: {told.formula}")  # fmt: skip
    return Feature(feature_name(told.name, "z", window), "own_past", UNITS["z"], window, minimum, formula,
                   cited(told.source, STATISTICS["z"].source), RATIONALE["own_past"],
                   f"last {window} days against own usual: {told.words}", False, told.is_circular,
                   coverage=coverage_name(pattern.coverage, window))  # fmt: skip


def of_distance(window: int) -> Feature:
    return Feature(distance_name(window), "own_past", "robust SD", window,
                   f"{WINDOWS[window]} valid days and {baseline.FEWEST_FOR_DISTANCE} before them, of 2 measures",
                   f"sqrt(d' C^-1 d / k): d the mean z of {window} days in k of {', '.join(baseline.TOGETHER)}, C their "
                   "shrunk covariance over the 90 days before", "Ledoit and Wolf 2004", RATIONALE["own_past"],
                   f"how unusual the last {window} days were, all streams together", False,
                   coverage=coverage_name("own_past_distance", window))  # fmt: skip


def of_history(name: str, unit: str, window: int, formula: str, words: str, is_default: bool) -> Feature:
    kin, minimum = family(name), "1 known event" if "_since_last_" in name else "none"
    return Feature(name, kin, unit, window, minimum, formula, "Foretide", RATIONALE[kin], words, is_default)


def family(name: str) -> str:
    """The family of a feature: what kind of statistic it is, else the modality that its name begins with."""
    kind = next((kind for kind in FAMILIES if re.search(rf"_{kind}_[0-9]+d(_[a-z]+)?$", name)), "")
    return FAMILIES.get(kind) or next(known for known in RATIONALE if name.startswith(f"{known}_"))


def topic(feature: Feature, stems: Mapping[str, str]) -> str:
    if re.search(r"_coverage_[0-9]+d$", feature.name):
        return f"{feature.name.split('_')[0]}_coverage"
    if feature.family == "history":
        # How long ago, on how many days, how often.
        return next(
            kind for kind in ("days_since", "event_days", "episode") if feature.name.startswith(f"history_{kind}")
        )
    return stems.get(feature.name) or re.sub(r"_[0-9]+d$", "", feature.name)
