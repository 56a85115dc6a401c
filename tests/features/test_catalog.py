"""The catalogue is true: of the printed pages, of the matrix, and of itself."""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from features import history, windows
from features.catalog import STANDARD, Catalog
from features.dictionary import features_page, tables_page
from features.errors import FeaturesError
from features.feature import RATIONALE, Feature, feature_name, kinds
from features.literature import CITATIONS, cited, in_full
from features.matrix import build_matrix
from features.measures import STATISTICS, WINDOWS
from features.phrases import phrase
from features.tables import DAILY_METRICS
from features.warm_up import warm_up_days
from tests.features.full_panel import DATES, full_panel

ROOT = Path(__file__).parents[2]
NAMES = [feature.name for feature in STANDARD.features]
DECLARED = STANDARD.with_signals({"pace": ("words/s", 0.2), "ratio": ("", None)})


def printed(module: str) -> str:
    """What a module prints when it is run."""
    command = [sys.executable, "-m", module]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def row_of(panel: pd.DataFrame, names: list[str]) -> pd.Series:
    """The features of the day after the last one, with an event in the past."""
    index = pd.DataFrame({"subject_id": ["ann"], "index_date": [DATES[-1] + pd.Timedelta(days=1)]})
    subjects = pd.DataFrame({"subject_id": ["ann"], "enrolled_on": DATES[:1]})
    events = pd.DataFrame({"subject_id": "ann", "event_on": DATES[[150]], "known_on": DATES[[151]]})
    return build_matrix(panel, events, subjects, index, features=names).iloc[0].drop(["subject_id", "index_date"])


def test_the_data_dictionary_is_what_the_catalogue_prints():
    """`python -m features.catalog > docs/data-dictionary.md` changes nothing."""
    page = (ROOT / "docs" / "data-dictionary.md").read_text()
    assert page == printed("features.catalog")
    assert page == features_page()


def test_the_page_of_tables_is_what_the_declarations_print():
    """`python -m features.dictionary > docs/tables.md` changes nothing."""
    page = (ROOT / "docs" / "tables.md").read_text()
    assert page == printed("features.dictionary")
    assert page == tables_page()


@pytest.mark.parametrize("page", [features_page(), tables_page()], ids=["features", "tables"])
def test_every_row_of_a_printed_table_has_as_many_cells_as_its_heads(page):
    """No formula or unit holds the character that parts cells."""
    cells = [line.count("|") for line in page.splitlines() if line.startswith("|")]
    blocks = [block.splitlines() for block in page.split("\n\n") if block.startswith("|")]
    assert cells
    assert all(len({line.count("|") for line in block}) == 1 for block in blocks)


def test_every_measure_and_pattern_is_on_the_page():
    """A person finds each of them, on or off, and in full each feature that is on."""
    page = features_page()
    declared = [*(m.name for m in STANDARD.measures), *(f.name for p in STANDARD.patterns for f in p.features)]
    assert [name for name in (*declared, *STANDARD.chosen(), *history.NAMES) if f"| `{name}` |" not in page] == []


def test_names_are_unique():
    """A name is one feature, and one measure."""
    assert [name for name, times in Counter(NAMES).items() if times > 1] == []
    assert [name for name, times in Counter(m.name for m in STANDARD.measures).items() if times > 1] == []


def test_every_statistic_of_every_measure_is_there_over_every_window():
    """Clock times alone lack two, for they have no line through them and no step from day to day."""
    for measure in STANDARD.measures:
        kinds = [kind for kind in STATISTICS if not (measure.is_circular and kind in ("slope", "rmssd"))]
        wanted = {feature_name(measure.name, kind, window, measure.unit) for kind in kinds for window in WINDOWS}
        named = {name for name in NAMES if name.startswith(f"{measure.name}_")}
        assert wanted <= named, measure.name
        assert not any(f"{measure.name}_{kind}_" in name for name in named for kind in set(STATISTICS) - set(kinds))


def test_every_default_of_a_measure_is_a_statistic_and_a_window_that_exist():
    """A default that is mistyped would be off in silence."""
    for measure in STANDARD.measures:
        there = {f"{kind}_{window}d" for kind in kinds(measure) for window in WINDOWS}
        assert set(measure.default) <= there, measure.name
    for pattern in STANDARD.patterns:
        assert all(set(told.default) <= set(pattern.windows) for told in pattern.features)


def test_the_matrix_has_exactly_the_features_that_are_asked_for():
    """In the order asked for, after the index; all of the catalogue if need be."""
    some = ["sleep_duration_mean_7d_min", "history_episodes_ever", "adherence_coverage_28d"]
    assert row_of(full_panel(), some).index.tolist() == some
    assert row_of(full_panel(), NAMES).index.tolist() == NAMES


def test_every_feature_has_a_value_where_all_data_are_there():
    """None is declared and then never computed, whether on or off; but where no day was silent, silence never varied."""
    row = row_of(full_panel(), NAMES)
    silence = [name for name in NAMES if name.startswith(("adherence_coverage_z_", "adherence_longest_gap_z_"))]
    assert row.index[row.isna()].tolist() == silence


@pytest.mark.parametrize(
    "told", [field.name for field in fields(Feature) if field.type is str and field.name != "coverage"]
)
def test_every_feature_says_what_it_is(told):
    """Name, family, unit, least data, formula, source, reason and words are told of each, of declared signals too."""
    assert [feature.name for feature in DECLARED.features if not getattr(feature, told).strip()] == []


def test_every_feature_is_there_for_the_reason_of_its_family():
    """One reason a family, and none of its own."""
    assert [f.name for f in DECLARED.features if f.rationale != RATIONALE[f.family]] == []


def test_every_source_is_told_in_full():
    """A short citation leads to its full text, and each is given once."""
    for feature in DECLARED.features:
        assert all(short in CITATIONS for short in feature.source.split("; ")), feature.name
        assert in_full(feature.source) == " ".join(CITATIONS[short] for short in feature.source.split("; "))
        assert cited(feature.source, feature.source) == feature.source


def test_every_citation_is_a_source_of_a_feature_and_names_its_year():
    """The list of literature holds nothing else but how the variances of windows are merged."""
    used = {short for feature in DECLARED.features for short in feature.source.split("; ")}
    assert set(CITATIONS) - used == {"Chan 1983"}
    assert "Chan 1983" in Path(windows.__file__).read_text()
    undated = ("Foretide", "the vendor", "declared by the site", "AASM")
    assert [short for short, full in CITATIONS.items() if short not in undated and short[-4:] not in full] == []


def test_whoever_defined_a_feature_is_named():
    """A questionnaire's authors, a site, a vendor, us, and the statistic's authors beside those of the measure."""
    assert {
        name: DECLARED.by_name[name].source
        for name in (
            "mood_phq_9_last_90d", "mood_phq_9_change_90d", "mood_mood_mean_7d", "signals_pace_mean_7d",
            "signals_sleep_score_mean_7d", "heart_max_mean_7d_bpm", "sleep_duration_z_7d", "sleep_duration_rmssd_28d_min",
            "sleep_regularity_z_14d", "mood_swing_rmssd_7d", "history_episodes_ever",
        )
    } == {
        "mood_phq_9_last_90d": "Kroenke 2001", "mood_phq_9_change_90d": "Kroenke 2001; Foretide",
        "mood_mood_mean_7d": "Foretide", "signals_pace_mean_7d": "declared by the site",
        "signals_sleep_score_mean_7d": "the vendor", "heart_max_mean_7d_bpm": "the vendor",
        "sleep_duration_z_7d": "AASM; Leys 2013", "sleep_duration_rmssd_28d_min": "AASM; Jahng 2008",
        "sleep_regularity_z_14d": "Phillips 2017; Leys 2013", "mood_swing_rmssd_7d": "Jahng 2008",
        "history_episodes_ever": "Foretide",
    }  # fmt: skip


def test_a_formula_leaves_no_letter_untold():
    """A z says what n, s and u are, and clock times have the statistics of angles."""
    formulas = {name: feature.formula for name, feature in DECLARED.by_name.items()}
    assert formulas["sleep_waso_z_7d"] == (
        "(mean over 7 days - median of the 90 days before) / s * n / (n + 7) (n: valid days of those 90, MAD: the median distance "
        "from their median, s^2 = (n (1.4826 MAD)^2 + 7 u^2) / (n + 7), u = 20 min the usual spread from day to day) of: minutes "
        "awake within the night and between its parts, naps left out; missing where a part lacks its own"
    )
    assert "s = 1.4826 MAD)" in formulas["heart_hrv_z_7d"]
    assert formulas["sleep_onset_sd_7d_h"].startswith("circular standard deviation (sqrt(-2 ln R)")
    assert formulas["sleep_onset_z_7d"].startswith(
        "(circular mean over 7 days - median of the 90 days before, as seen from it) / s"
    )


def test_units_are_powers_that_can_be_read():
    """A square is written `^2`: `min2` could be a second minute."""
    assert [feature.name for feature in DECLARED.features if re.search(r"[a-z]\d", feature.unit)] == []


def test_names_tell_the_family_they_belong_to():
    """The first words are the modality, which is the family unless the statistic is coverage or the own past."""
    for feature in STANDARD.features:
        kind = next((k for k in ("coverage", "z", "shift") if f"_{k}_{feature.window_days}d" in feature.name), "")
        expected = {"coverage": "adherence", "z": "own_past", "shift": "own_past"}.get(kind)
        assert feature.family == expected or feature.name.startswith(f"{feature.family}_"), feature.name


def test_names_end_in_their_window_and_unit():
    """`sleep_duration_mean_7d_min` is minutes over 7 days; a share or a robust z has no unit."""
    by_name = {measure.name: measure for measure in STANDARD.measures}
    for name, kind, window, expected in (
        ("sleep_duration", "mean", 7, "sleep_duration_mean_7d_min"),
        ("heart_resting", "slope", 28, "heart_resting_slope_28d_bpm"),
        ("sleep_duration", "z", 7, "sleep_duration_z_7d"),
        ("mood_valence", "last", 90, "mood_valence_last_90d"),
    ):
        assert feature_name(name, kind, window, by_name[name].unit) == expected
        assert expected in NAMES


def test_the_least_data_are_those_of_the_window_and_the_statistic():
    """3 valid days of 7; an RMSSD needs two neighbours, a z a past."""
    by_name = STANDARD.by_name
    assert by_name["sleep_duration_mean_7d_min"].minimum == "3 valid days"
    assert by_name["sleep_duration_last_7d_min"].minimum == "1 valid day"
    assert by_name["sleep_duration_coverage_7d"].minimum == "1 day since enrolment"
    assert by_name["sleep_duration_rmssd_28d_min"].minimum == "7 valid days, 2 of them adjacent"
    assert by_name["sleep_duration_z_7d"].minimum == "3 valid days, and 1 in the 90 before"


def test_what_is_on_by_default_is_what_is_declared():
    """Statistics of a measure, windows of a pattern; never days enrolled, an artefact of recruitment."""
    on = STANDARD.chosen()
    assert list(on) == [f.name for f in STANDARD.features if f.is_default]
    of_measures = [(m, *default.removesuffix("d").rsplit("_", 1)) for m in STANDARD.measures for default in m.default]
    declared = {feature_name(m.name, kind, int(window), m.unit) for m, kind, window in of_measures}
    told = [told for pattern in STANDARD.patterns for told in pattern.features]
    declared |= {feature_name(figure.name, "", window, figure.unit) for figure in told for window in figure.default}
    assert {name for name in on if STANDARD.by_name[name].family != "history"} == declared
    assert history.TENURE not in on


def test_features_and_families_are_switched_on_and_off_by_name():
    """Less of what is added as a family may be on; the order is the dictionary's."""
    one, family = "sleep_onset_mean_7d_h", {f.name for f in STANDARD.features if f.family == "early_warning"}
    usual = set(STANDARD.chosen())
    assert set(STANDARD.chosen([one, "early_warning"])) == usual | {one} | family
    assert set(STANDARD.chosen(["sleep"], [one, "history"])) == {
        f.name for f in STANDARD.features
        if (f.name in usual or f.family == "sleep") and f.family != "history" and f.name != one
    }  # fmt: skip
    some = STANDARD.chosen(["tenure", one])
    assert list(some) == [name for name in NAMES if name in some]


@pytest.mark.parametrize("removed", [["sleep_onset_mean_7d_h"], ["sleep"]])
def test_what_is_added_and_dropped_is_refused(removed):
    """A feature that one list adds and the other takes off, by its name or its family, would be off in silence."""
    with pytest.raises(FeaturesError, match="`sleep_onset_mean_7d_h` is added, and dropped"):
        STANDARD.chosen(["sleep_onset_mean_7d_h"], removed)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("sleep_duration_maen_7d_min", "sleep_duration_mean_7d_min"),
        ("sleep_duration_mean_7d", "sleep_duration_mean_7d_min"),
        ("activty", "activity"),
        ("activity_step", "activity_steps"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, nearest):
    """In what is added, in what is removed, and in what a matrix is asked for."""
    for asked in (lambda: STANDARD.chosen([name]), lambda: STANDARD.chosen([], [name])):
        with pytest.raises(FeaturesError, match=f"`{name}` is no feature of the catalogue; perhaps `{nearest}`"):
            asked()
    with pytest.raises(FeaturesError, match=f"`{name}` is no feature"):
        STANDARD.asked([name])


def test_a_measure_or_pattern_stands_for_all_of_its_features():
    """As the dictionary names it."""
    for stem, one in (("activity_steps", "activity_steps_z_7d"), ("circadian_stability", "circadian_stability_14d")):
        assert STANDARD.named([one]) < STANDARD.named([stem])
        assert all(name.startswith(f"{stem}_") for name in STANDARD.named([stem]))
        assert one not in STANDARD.chosen([one.split("_")[0]], [stem])


def test_a_declared_signal_gets_every_statistic_and_a_usual_spread():
    """Without code: all statistics over all windows, two of them on, its unit in the name where units stand in names."""
    declared = STANDARD.with_signals({"speech_rate": ("/min", 12.0), "screen_time": ("min", None)})
    new = [feature for feature in declared.features if feature.name not in STANDARD.by_name]
    assert len(new) == 2 * len(STATISTICS) * len(WINDOWS)
    assert [f.name for f in new if f.is_default] == [
        "signals_speech_rate_mean_7d", "signals_speech_rate_z_7d",
        "signals_screen_time_mean_7d_min", "signals_screen_time_z_7d",
    ]  # fmt: skip
    assert [declared.by_name[f"signals_{name}_z_7d"].minimum for name in ("speech_rate", "screen_time")] == [
        "3 valid days, and 1 in the 90 before", "3 valid days, and 3 that varied in the 90 before",
    ]  # fmt: skip
    assert Catalog().features == STANDARD.features


@pytest.mark.parametrize("name", DAILY_METRICS)
def test_a_signal_that_is_called_like_a_daily_metric_is_refused(name):
    """Two streams would feed one column."""
    with pytest.raises(FeaturesError, match=f"The signal `{name}` is called like a metric of `wearable_days`"):
        STANDARD.with_signals({name: ("min", None)})


@pytest.mark.parametrize(("name", "message"), [("sleep_duration", "called like a daily measure"), ("Pace", "lower case"),
                                               ("speech rate", "lower case"), ("7_steps", "lower case")])  # fmt: skip
def test_a_signal_is_named_as_a_feature_can_be(name, message):
    """Its name is part of names of columns, and means one thing."""
    with pytest.raises(FeaturesError, match=f"The signal `{name}` is .*{message}"):
        STANDARD.with_signals({name: ("min", None)})


def test_a_signals_own_name_says_nothing_of_its_window():
    """Signals called like a statistic warm up as long as their windows, and are said as what they are."""
    declared = STANDARD.with_signals(
        {"last_call": ("min", None), "change_of_voice": ("1", None), "slope_walked": ("m", None)}
    )
    assert warm_up_days(["signals_last_call_mean_28d_min"]) == 28
    assert warm_up_days(["signals_change_of_voice_mean_90d"]) == 90
    assert phrase(declared, "signals_slope_walked_mean_7d", 5.0) == "slope walked, mean of 7 days: 5 m"


def test_tellings_of_the_same_are_known_as_such():
    """Statistics of a measure, with its past; what is complete of a stream; how often and how long ago; each pattern for itself."""
    about = STANDARD.about
    same = (
        "sleep_duration_mean_7d_min",
        "sleep_duration_z_3d",
        "sleep_duration_shift_3d_min",
        "sleep_duration_rmssd_28d_min",
    )
    assert {about[name] for name in same} == {"sleep_duration"}
    assert {about[name] for name in ("sleep_duration_coverage_7d", "sleep_waso_coverage_28d")} == {"sleep_coverage"}
    assert about["history_days_since_last_event"] == about["history_days_since_last_episode"]
    assert about["history_episodes_90d"] == about["history_episodes_ever"] == about["history_episode_rate"]
    assert len({about[name] for name in NAMES if name.startswith("history_")}) == 3
    assert about["sleep_regularity_14d"] == about["sleep_regularity_z_14d"] == "sleep_regularity"
    assert about["own_past_distance_7d"] == about["own_past_distance_90d"] == "own_past_distance"
    assert set(about) == set(NAMES)


def test_every_z_of_a_measure_has_its_like_in_the_unit():
    """Of the same measure and window; patterns have none."""
    for name, shift in STANDARD.in_units.items():
        z, own = STANDARD.by_name[name], STANDARD.by_name[shift]
        assert (z.window_days, STANDARD.about[name], z.is_circular) == (
            own.window_days,
            STANDARD.about[shift],
            own.is_circular,
        )
        assert own.unit != "robust SD"
        assert not own.is_default
    assert "sleep_regularity_z_14d" not in STANDARD.in_units
