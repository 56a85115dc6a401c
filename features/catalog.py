"""Every feature: name, unit, window, least data, formula, source, why it is there, how it is said. The only list.

Measures and patterns are declared where they are computed, one module a modality; here they become features. What their
short citations mean stands in `literature`. `python -m features.catalog` prints `docs/data-dictionary.md`.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features import (
    activity,
    adherence,
    baseline,
    circadian,
    early_warning,
    heart,
    history,
    mood,
    pattern_past,
    signals,
    sleep,
)
from features.coverage import coverage
from features.errors import FeaturesError
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

MEASURES: tuple[Measure, ...] = (
    *mood.MEASURES, *sleep.MEASURES, *activity.MEASURES, *heart.MEASURES, *adherence.MEASURES, *signals.MEASURES,
)  # fmt: skip
PATTERNS: tuple[Pattern, ...] = (
    *mood.PATTERNS, *sleep.PATTERNS, *activity.PATTERNS, *circadian.PATTERNS, *heart.PATTERNS, *adherence.PATTERNS,
    *early_warning.PATTERNS,
    coverage("own_past_distance", baseline.TOGETHER, lambda days: np.isfinite(days).sum(axis=(1, 2)),
             "valid days of its measures, summed", "how much of all streams is known", per_day=len(baseline.TOGETHER)),
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class Catalog:
    """Measures, patterns and the features that they make."""

    measures: tuple[Measure, ...] = MEASURES
    patterns: tuple[Pattern, ...] = PATTERNS

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """All of them, in the order of the dictionary."""
        return (
            *(_of_measure(m, kind, window) for m in self.measures for kind in kinds(m) for window in WINDOWS),
            *(_of_pattern(p, f, window) for p in self.patterns for f in p.features for window in p.windows),
            *(_against_past(p, f, w) for p in self.patterns for f in p.features for w in pattern_past.windows(p)),
            *(_distance(window) for window in WINDOWS),
            *(_plain(*told) for told in history.FEATURES),
        )

    @cached_property
    def by_name(self) -> dict[str, Feature]:
        """Every feature by its name."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def in_units(self) -> dict[str, str]:
        """Of every measure against the own past in standard deviations, the same in the measure's unit."""
        return {feature_name(m.name, "z", window): feature_name(m.name, "shift", window, m.unit)
                for m in self.measures for window in WINDOWS}  # fmt: skip

    @cached_property
    def about(self) -> dict[str, str]:
        """What each feature is one telling of: its measure or pattern, a stream's completeness, how often or how long ago.

        Features about the same are near-copies: a reader learns little from a second one.
        """
        of_measures = {feature_name(m.name, kind, window, m.unit): m.name
                       for m in self.measures for kind in kinds(m) for window in WINDOWS}  # fmt: skip
        of_patterns = {feature_name(f.name, kind, window, f.unit): f.name for p in self.patterns for f in p.features
                       for kind in ("", "z") for window in p.windows}  # fmt: skip
        stems = of_measures | of_patterns
        return {feature.name: _about(feature, stems) for feature in self.features}

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """Names of measures and patterns, which those of their features begin with."""
        return (*(m.name for m in self.measures), *(f.name for p in self.patterns for f in p.features))

    def with_signals(self, declared: Mapping[str, tuple[str, float | None]]) -> "Catalog":
        """The catalogue with a measure for each declared signal.

        Args:
            declared: unit, and usual spread where known, of each signal by its name.

        Raises:
            FeaturesError: as `signals.check_declared`.
        """
        signals.check_declared(declared, {measure.name for measure in self.measures})
        more = (signals.measure(name, *told) for name, told in declared.items())
        return Catalog((*self.measures, *more), self.patterns)

    def chosen(self, added: Iterable[str] = (), removed: Iterable[str] = ()) -> tuple[str, ...]:
        """Names of the features that are on: the default, more, and less, in the order of the dictionary.

        Args:
            added: features, measures or families to switch on.
            removed: what to switch off, of what is added as a family too.

        Raises:
            FeaturesError: a name is neither feature nor family (says the nearest one), or nothing is left of what it adds.
        """
        on, off = self.named(added := tuple(added)), self.named(removed)
        for name in added:
            if self.named([name]) <= off:
                raise FeaturesError(f"`{name}` is added, and dropped by name or family. Leave out one of the two.")
        return tuple(f.name for f in self.features if (f.is_default or f.name in on) and f.name not in off)

    def asked(self, names: Sequence[str]) -> list[str]:
        """Names of features in the order that they, or their families, were asked for.

        Raises:
            FeaturesError: they are no texts; a name is neither, which says the nearest one; or a feature is named twice.
        """
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise FeaturesError("`features` is no list of texts. Give a list of names of features or families.")
        members = (self.named([name]) for name in names)
        found = [
            name for some in members for name in (some if len(some) == 1 else filter(some.__contains__, self.by_name))
        ]
        if twice := len(found) - len(set(found)):
            raise FeaturesError(f"{twice} features are named twice. Name each once.")
        return found

    def named(self, names: Iterable[str]) -> set[str]:
        """Names of the features that some names of features, measures, patterns or families stand for.

        Raises:
            FeaturesError: a name is none of these; says the nearest one.
        """
        found: set[str] = set()
        for name in names:
            if name in RATIONALE:
                found |= {feature.name for feature in self.features if feature.family == name}
            elif name in self.by_name:
                found.add(name)
            elif name in self.stems:
                found |= {feature for feature in self.by_name if feature.startswith(f"{name}_")}
            else:
                raise _unknown(name, [*RATIONALE, *self.stems, *self.by_name])
        return found


def _about(feature: Feature, stems: Mapping[str, str]) -> str:
    if re.search(r"_coverage_[0-9]+d$", feature.name):
        return f"{feature.name.split('_')[0]}_coverage"
    if feature.family == "history":
        # How long ago, on how many days, how often.
        return next(
            kind for kind in ("days_since", "event_days", "episode") if feature.name.startswith(f"history_{kind}")
        )
    return stems.get(feature.name) or re.sub(r"_[0-9]+d$", "", feature.name)


def _unknown(name: str, known: Iterable[str]) -> FeaturesError:
    near = difflib.get_close_matches(name, list(known), 1)
    perhaps = f"perhaps `{near[0]}`." if near else "nor is one called alike; `foretide features` lists them."
    declare = " Declare a signal first, by `with_signals` or under `signals:`." if name.startswith("signals_") else ""
    return FeaturesError(f"`{name}` is no feature of the catalogue; {perhaps}{declare}")


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


def _of_measure(measure: Measure, kind: str, window: int) -> Feature:
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


def _of_pattern(pattern: Pattern, told: PatternFeature, window: int) -> Feature:
    name = feature_name(told.name, "", window, told.unit)
    kin = family(name)
    return Feature(name, kin, told.unit, window, told.minimum, f"{told.formula}, {window} days", told.source,
                   RATIONALE[kin], f"{told.words} over {window} days", window in told.default, told.is_circular,
                   coverage_name(pattern.coverage, window))  # fmt: skip


def _against_past(pattern: Pattern, told: PatternFeature, window: int) -> Feature:
    earlier = pattern_past.n_earlier(window)
    minimum = f"{told.minimum}; so in {baseline.FEWEST_WITHOUT_PRIOR} of {earlier} windows before, not all alike"
    formula = (f"(newest {window} days - median) / ({baseline.MAD_TO_SD} MAD) * n / (n + {baseline.PRIOR_DAYS:g}) (median and MAD "
               f"over the n that have a value of the {earlier} windows of {window} days before) of: {told.formula}")  # fmt: skip
    return Feature(feature_name(told.name, "z", window), "own_past", UNITS["z"], window, minimum, formula,
                   cited(told.source, STATISTICS["z"].source), RATIONALE["own_past"],
                   f"last {window} days against own usual: {told.words}", False, told.is_circular,
                   coverage=coverage_name(pattern.coverage, window))  # fmt: skip


def _distance(window: int) -> Feature:
    return Feature(distance_name(window), "own_past", "robust SD", window,
                   f"{WINDOWS[window]} valid days and {baseline.FEWEST_FOR_DISTANCE} before them, of 2 measures",
                   f"sqrt(d' C^-1 d / k): d the mean z of {window} days in k of {', '.join(baseline.TOGETHER)}, C their "
                   "shrunk covariance over the 90 days before", "Ledoit and Wolf 2004", RATIONALE["own_past"],
                   f"how unusual the last {window} days were, all streams together", False,
                   coverage=coverage_name("own_past_distance", window))  # fmt: skip


def _plain(name: str, unit: str, window: int, formula: str, words: str, is_default: bool) -> Feature:
    kin, minimum = family(name), "1 known event" if "_since_last_" in name else "none"
    return Feature(name, kin, unit, window, minimum, formula, "Foretide", RATIONALE[kin], words, is_default)


def family(name: str) -> str:
    """The family of a feature: what kind of statistic it is, else the modality that its name begins with."""
    kind = next((kind for kind in FAMILIES if re.search(rf"_{kind}_[0-9]+d(_[a-z]+)?$", name)), "")
    return FAMILIES.get(kind) or next(known for known in RATIONALE if name.startswith(f"{known}_"))


STANDARD: Catalog = Catalog()


if __name__ == "__main__":
    # Imported late: it reads this module.
    from features.dictionary import features_page

    print(features_page(), end="")
