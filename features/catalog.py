"""Every feature: name, unit, window, least data, formula, source, why it is there, how it is said. The only list.

Measures and patterns are declared where they are computed, one module a modality; here they become features. What their
short citations mean stands in `literature`. `python -m features.catalog` prints `docs/data-dictionary.md`.
"""

import difflib
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
from features.feature import (
    RATIONALE,
    Feature,
    against_past,
    feature_name,
    kinds,
    of_distance,
    of_history,
    of_measure,
    of_pattern,
    topic,
)
from features.measures import WINDOWS, Measure, Pattern

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
            *(of_measure(m, kind, window) for m in self.measures for kind in kinds(m) for window in WINDOWS),
            *(of_pattern(p, f, window) for p in self.patterns for f in p.features for window in p.windows),
            *(against_past(p, f, w) for p in self.patterns for f in p.features for w in pattern_past.windows(p)),
            *(of_distance(window) for window in WINDOWS),
            *(of_history(*told) for told in history.FEATURES),
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
        return {feature.name: topic(feature, stems) for feature in self.features}

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


def _unknown(name: str, known: Iterable[str]) -> FeaturesError:
    near = difflib.get_close_matches(name, list(known), 1)
    perhaps = f"perhaps `{near[0]}`." if near else "nor is one called alike; `foretide features` lists them."
    declare = " Declare a signal first, by `with_signals` or under `signals:`." if name.startswith("signals_") else ""
    return FeaturesError(f"`{name}` is no feature of the catalogue; {perhaps}{declare}")


STANDARD: Catalog = Catalog()


if __name__ == "__main__":
    # Imported late: it reads this module.
    from features.dictionary import features_page

    print(features_page(), end="")
