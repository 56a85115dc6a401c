"""The catalogue is true: of the printed page, of the matrix, and of itself."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from features import catalog, dictionary
from features.catalog import FEATURES, MEASURES, feature_name
from features.hours import HOUR_COLUMNS
from features.matrix import build_matrix

ROOT = Path(__file__).parents[2]


def matrix_with_every_measure() -> pd.DataFrame:
    """One index row over 90 days in which every measure varies."""
    dates = pd.date_range("2026-01-01", periods=90, freq="D", unit="us")
    columns = [*(m.name for m in MEASURES), "mood_phq_9", "mood_gad_7", *HOUR_COLUMNS]
    values = {name: 10.0 + (np.arange(90) * (1 + place % 10)) % 11 for place, name in enumerate(dict.fromkeys(columns))}
    days = pd.DataFrame({"subject_id": "ann", "local_date": dates, "known_on": dates + pd.Timedelta(days=1), **values})
    index = pd.DataFrame({"subject_id": ["ann"], "index_date": [dates[-1] + pd.Timedelta(days=1)]})
    subjects = pd.DataFrame({"subject_id": ["ann"], "enrolled_on": [dates[0]]})
    events = pd.DataFrame({"subject_id": "ann", "event_on": dates[[5]], "known_on": dates[[6]]})
    return build_matrix(days, events, subjects, index)


def test_the_data_dictionary_is_what_the_catalogue_prints():
    """`python -m features.catalog > docs/data-dictionary.md` changes nothing."""
    printed = subprocess.run(
        [sys.executable, "-m", "features.catalog"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert (ROOT / "docs" / "data-dictionary.md").read_text() == printed


def test_names_are_unique():
    """A name is one feature."""
    assert [name for name, times in Counter(f.name for f in FEATURES).items() if times > 1] == []
    assert [name for name, times in Counter(m.name for m in MEASURES).items() if times > 1] == []


def test_the_matrix_has_exactly_the_features_of_the_catalogue():
    """Every feature, default or not, in the catalogue's order, after the index."""
    assert matrix_with_every_measure().columns.tolist() == ["subject_id", "index_date", *(f.name for f in FEATURES)]


def test_every_feature_has_a_value_where_all_data_are_there():
    """No feature is declared and then never computed."""
    row = matrix_with_every_measure().iloc[0]
    assert row[[f.name for f in FEATURES]].index[row[[f.name for f in FEATURES]].isna()].tolist() == []


def test_every_feature_says_what_it_is():
    """A formula, a reason and words for everybody; no unit is written into a name without being declared."""
    for feature in FEATURES:
        assert feature.formula, feature.name
        assert feature.words, feature.name
        assert feature.rationale == catalog.RATIONALE[feature.family], feature.name


def test_names_tell_the_family_they_belong_to():
    """The first word is the modality, which is the family unless the feature compares with the own past."""
    for feature in FEATURES:
        assert feature.family in (feature.name.split("_")[0], "own_past"), feature.name
        assert (feature.family == "own_past") == feature.name.endswith("_z_7d"), feature.name


def test_names_end_in_their_window_and_unit():
    """`sleep_duration_mean_7d_min` is minutes over 7 days."""
    by_name = {measure.name: measure for measure in MEASURES}
    assert feature_name(by_name["sleep_duration"], "mean_7d") == "sleep_duration_mean_7d_min"
    assert feature_name(by_name["heart_resting"], "slope_28d") == "heart_resting_slope_28d_bpm"
    assert feature_name(by_name["sleep_duration"], "z_7d") == "sleep_duration_z_7d"
    assert feature_name(by_name["mood_valence"], "last") == "mood_last"


def test_days_enrolled_are_the_only_feature_that_models_do_not_see():
    """Tenure is an artefact of recruitment: for baselines and controls."""
    assert [feature.name for feature in FEATURES if not feature.is_default] == ["tenure_days_enrolled"]


def test_words_of_an_unknown_name_are_the_name():
    """Drivers of an older model can still be said."""
    assert catalog.words("sleep_duration_mean_7d_min") == "sleep duration over 7 days"
    assert catalog.words("a_feature_of_long_ago") == "a_feature_of_long_ago"


def test_the_page_of_tables_is_what_the_declarations_print():
    """`python -m features.dictionary > docs/tables.md` changes nothing."""
    assert (ROOT / "docs" / "tables.md").read_text() == dictionary.dictionary()
