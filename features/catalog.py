"""Every feature: name, unit, window, least data, formula, source, why it is there, how it is said. The only list.

Measures and patterns are declared where they are computed, one module a modality; here they become features, and what
their short citations mean is told in full. `python -m features.catalog` prints `docs/data-dictionary.md`.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features import activity, adherence, baseline, circadian, early_warning, heart, history, mood, signals, sleep
from features.errors import FeaturesError
from features.measures import STATISTICS, WINDOWS, Measure, Pattern, PatternFeature


@dataclass(frozen=True)
class Feature:
    """One column of the feature matrix.

    Args:
        window_days: trailing days that it looks at; 0 for all since enrolment.
        minimum: the least data for a value, in words; below it the feature is missing.
        words: the clinician's phrase.
        is_default: whether models see it unless the configuration says otherwise.
        is_clock_time: whether it is a time of day, in hours.
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
    is_clock_time: bool = False


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
# A week's worth of valid days, and some to miss.
WARM_UP_DAYS = 10
# What one value of any feature is about.
GRAIN = "subject x index date"
# Short citation, as the modules have it -> authors, title, journal.
CITATIONS = {
    "AASM": "Iber C, Ancoli-Israel S, Chesson AL, Quan SF. The AASM Manual for the Scoring of Sleep and Associated Events. "
            "American Academy of Sleep Medicine, 2007.",
    "Ben-Dov 2007": "Ben-Dov IZ, Kark JD, Ben-Ishay D, Mekler J, Ben-Arie L, Bursztyn M. Blunted heart rate dip during sleep "
                    "and all-cause mortality. Archives of Internal Medicine 2007;167(19):2116-2121.",
    "Chan 1983": "Chan TF, Golub GH, LeVeque RJ. Algorithms for computing the sample variance: analysis and recommendations. "
                 "The American Statistician 1983;37(3):242-247.",
    "Cornelissen 2014": "Cornelissen G. Cosinor-based rhythmometry. Theoretical Biology and Medical Modelling 2014;11:16.",
    "Dakos 2012": "Dakos V, Carpenter SR, Brock WA, et al. Methods for detecting early warnings of critical transitions in time "
                  "series illustrated using simulated ecological data. PLoS ONE 2012;7(7):e41010.",
    "Di 2017": "Di J, Leroux A, Urbanek J, et al. Patterns of sedentary and active time accumulation are associated with "
               "mortality in US adults: the NHANES study. bioRxiv 2017:182337.",
    "Fischer 2016": "Fischer D, Vetter C, Roenneberg T. A novel method to visualise and quantify circadian misalignment. "
                    "Scientific Reports 2016;6:38601.",
    "Jahng 2008": "Jahng S, Wood PK, Trull TJ. Analysis of affective instability in ecological momentary assessment: indices "
                  "using successive difference and group comparison via multilevel modeling. Psychological Methods "
                  "2008;13(4):354-375.",
    "Kuppens 2010": "Kuppens P, Allen NB, Sheeber LB. Emotional inertia and psychological maladjustment. Psychological Science "
                    "2010;21(7):984-991.",
    "Ledoit and Wolf 2004": "Ledoit O, Wolf M. A well-conditioned estimator for large-dimensional covariance matrices. Journal "
                            "of Multivariate Analysis 2004;88(2):365-411.",
    "Leys 2013": "Leys C, Ley C, Klein O, Bernard P, Licata L. Detecting outliers: do not use standard deviation around the mean, "
                 "use absolute deviation around the median. Journal of Experimental Social Psychology 2013;49(4):764-766.",
    "Mestdagh 2018": "Mestdagh M, Pe M, Pestman W, Verdonck S, Kuppens P, Tuerlinckx F. Sidelining the mean: the relative "
                     "variability index as a generic mean-corrected variability measure for bounded variables. Psychological "
                     "Methods 2018;23(4):690-707.",
    "Phillips 2017": "Phillips AJK, Clerx WM, O'Brien CS, et al. Irregular sleep/wake patterns are associated with poorer "
                     "academic performance and delayed circadian and sleep/wake timing. Scientific Reports 2017;7:3216.",
    "Shannon 1948": "Shannon CE. A mathematical theory of communication. Bell System Technical Journal 1948;27:379-423, 623-656.",
    "Task Force 1996": "Task Force of the European Society of Cardiology and the North American Society of Pacing and "
                       "Electrophysiology. Heart rate variability: standards of measurement, physiological interpretation, "
                       "and clinical use. Circulation 1996;93(5):1043-1065.",
    "Troiano 2008": "Troiano RP, Berrigan D, Dodd KW, Masse LC, Tilert T, McDowell M. Physical activity in the United States "
                    "measured by accelerometer. Medicine and Science in Sports and Exercise 2008;40(1):181-188.",
    "Tudor-Locke 2018": "Tudor-Locke C, Han H, Aguiar EJ, et al. How fast is fast enough? Walking cadence (steps/min) as a "
                        "practical estimate of intensity in adults: a narrative review. British Journal of Sports Medicine "
                        "2018;52(12):776-788.",
    "Witting 1990": "Witting W, Kwa IH, Eikelenboom P, Mirmiran M, Swaab DF. Alterations in the circadian rest-activity rhythm "
                    "in aging and Alzheimer's disease. Biological Psychiatry 1990;27(6):563-572.",
    "Wittmann 2006": "Wittmann M, Dinich J, Merrow M, Roenneberg T. Social jetlag: misalignment of biological and social time. "
                     "Chronobiology International 2006;23(1-2):497-509.",
}  # fmt: skip
# Units that stand in a feature's name.
NAMED_UNITS = ("min", "h", "bpm", "ms")
# Statistics that keep the measure's unit, and those that change it.
UNITS = {"slope": "{}/day", "coverage": "share", "z": "robust SD"}
FAMILIES = {"coverage": "adherence", "z": "own_past"}

MEASURES: tuple[Measure, ...] = (
    *mood.MEASURES, *sleep.MEASURES, *activity.MEASURES, *heart.MEASURES, *adherence.MEASURES, *signals.MEASURES,
)  # fmt: skip
PATTERNS: tuple[Pattern, ...] = (
    *mood.PATTERNS, *sleep.PATTERNS, *activity.PATTERNS, *circadian.PATTERNS, *heart.PATTERNS, *adherence.PATTERNS,
    *early_warning.PATTERNS,
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
            *(_of_pattern(f, window) for p in self.patterns for f in p.features for window in p.windows),
            *(_distance(window) for window in WINDOWS),
            *(_plain(*told) for told in history.FEATURES),
        )

    @cached_property
    def by_name(self) -> dict[str, Feature]:
        """Every feature by its name."""
        return {feature.name: feature for feature in self.features}

    def with_signals(self, declared: Mapping[str, tuple[str, float | None]]) -> "Catalog":
        """The catalogue with a measure for each declared signal.

        Args:
            declared: unit, and usual spread where known, of each signal by its name.

        Raises:
            FeaturesError: as `signals.check_names`.
        """
        signals.check_names(declared, {measure.name for measure in self.measures})
        return Catalog(
            (*self.measures, *(signals.measure(name, *told) for name, told in declared.items())), self.patterns
        )

    def chosen(self, added: Iterable[str] = (), removed: Iterable[str] = ()) -> tuple[str, ...]:
        """Names of the features that are on: the default, more, and less, in the order of the dictionary.

        Args:
            added: features or families to switch on.
            removed: features or families to switch off, of those that are added as families too.

        Raises:
            FeaturesError: a name is neither a feature nor a family; says the nearest one. Or nothing is left of what a
                name adds.
        """
        on, off = self.named(added := tuple(added)), self.named(removed)
        for name in added:
            if self.named([name]) <= off:
                raise FeaturesError(f"`{name}` is added, and dropped by name or family. Leave out one of the two.")
        return tuple(f.name for f in self.features if (f.is_default or f.name in on) and f.name not in off)

    def check(self, names: Sequence[str]) -> None:
        """Refuse names that are no feature, which says the nearest one, and names that are given twice."""
        for name in names:
            if name not in self.by_name:
                raise _unknown(name, self.by_name)
        if len(set(names)) < len(names):
            raise FeaturesError(f"{len(names) - len(set(names))} features are named twice. Name each once.")

    def named(self, names: Iterable[str]) -> set[str]:
        """Names of the features that some names of features or families stand for.

        Raises:
            FeaturesError: a name is neither; says the nearest one.
        """
        found: set[str] = set()
        for name in names:
            if name in RATIONALE:
                found |= {feature.name for feature in self.features if feature.family == name}
            elif name in self.by_name:
                found.add(name)
            else:
                raise _unknown(name, [*RATIONALE, *self.by_name])
        return found


def _unknown(name: str, known: Iterable[str]) -> FeaturesError:
    near = difflib.get_close_matches(name, list(known), 1, cutoff=0.0)[0]
    declare = " Declare a signal first, by `with_signals` or under `signals:`." if name.startswith("signals_") else ""
    return FeaturesError(f"`{name}` is no feature of the catalogue; perhaps `{near}`.{declare}")


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


def _of_measure(measure: Measure, kind: str, window: int) -> Feature:
    statistic = STATISTICS[kind]
    name = feature_name(measure.name, kind, window, measure.unit)
    return Feature(
        name=name,
        family=family(name),
        unit=UNITS.get(kind, "{}").format(measure.unit),
        window_days=window,
        minimum=_minimum(measure, kind, WINDOWS[window]),
        formula=f"{statistic.formula.format(window)} of: {measure.formula}",
        source=measure.source,
        rationale=RATIONALE[family(name)],
        words=statistic.words.format(measure.words, window),
        is_default=f"{kind}_{window}d" in measure.default,
        is_clock_time=measure.is_circular and kind in ("mean", "last"),
    )


def _minimum(measure: Measure, kind: str, fewest: int) -> str:
    before = "1" if np.isfinite(measure.usual_spread) else f"{baseline.FEWEST_WITHOUT_PRIOR} that varied"
    return {
        "last": "1 valid day",
        "coverage": "1 day since enrolment",
        "rmssd": f"{fewest} valid days, 2 of them adjacent",
        "z": f"{fewest} valid days, and {before} in the {baseline.PAST_DAYS} before",
    }.get(kind, f"{fewest} valid days")


def _of_pattern(told: PatternFeature, window: int) -> Feature:
    kin = family(f"{told.name}_")
    return Feature(feature_name(told.name, "", window, told.unit), kin, told.unit, window, told.minimum,
                   f"{told.formula}, {window} days", told.source, RATIONALE[kin], f"{told.words} over {window} days",
                   window in told.default, told.is_clock_time)  # fmt: skip


def _distance(window: int) -> Feature:
    return Feature(distance_name(window), "own_past", "robust SD", window,
                   f"{WINDOWS[window]} valid days and {baseline.FEWEST_FOR_DISTANCE} before them, of 2 measures",
                   f"sqrt(d' C^-1 d / k): d the mean z of {window} days in k of {', '.join(baseline.TOGETHER)}, C their "
                   "shrunk covariance over the 90 days before", "Ledoit and Wolf 2004", RATIONALE["own_past"],
                   f"how unusual the last {window} days were, all streams together", False)  # fmt: skip


def _plain(name: str, unit: str, window: int, formula: str, words: str, is_default: bool) -> Feature:
    kin, minimum = family(name), "1 known event" if "_since_last_" in name else "none"
    return Feature(name, kin, unit, window, minimum, formula, "", RATIONALE[kin], words, is_default)


def family(name: str) -> str:
    """The family of a feature: what kind of statistic it is, else the modality that its name begins with."""
    kind = next((kind for kind in FAMILIES if re.search(rf"_{kind}_[0-9]+d$", name)), "")
    return FAMILIES.get(kind) or next(known for known in RATIONALE if name.startswith(f"{known}_"))


def warm_up_days(names: Iterable[str]) -> int:
    """Days after enrolment in which some of the features rest on less time than they name, or cannot be had.

    Who learns from those days learns who is new. A window is full when enrolment is as long; one against the past before
    it, or the halves of an early warning, takes some days more. Newest values and history rest on no window.
    """
    longest = WARM_UP_DAYS
    for name in names:
        found = re.search(r"_([0-9]+)d(?:_[a-z]+)?$", name)
        if found and not re.search(r"^(history|tenure)_|_(last|change)_", name):
            is_compared = re.search(r"_z_|^own_past_|^early_warning_", name)
            longest = max(longest, int(found[1]) + (WARM_UP_DAYS if is_compared else 0))
    return longest


STANDARD: Catalog = Catalog()


if __name__ == "__main__":
    # Imported late: it reads this module.
    from features.dictionary import features_page

    print(features_page(), end="")
