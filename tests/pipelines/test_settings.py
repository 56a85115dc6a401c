"""Settings: what is wrong with a configuration is named by its key, with the cure, before anything runs."""

import os
from pathlib import Path

import pytest
import yaml

from features.feature import RATIONALE
from pipelines.errors import Usage
from pipelines.settings import Settings, config_path, load_settings

LEAST = {"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7, 14, 28]}}}
RELAPSE = {"assessment": "phq_9", "horizons_days": [14]}


@pytest.fixture(autouse=True)
def without_environment(monkeypatch):
    """No `FORETIDE_*` of the machine takes part."""
    for name in [name for name in os.environ if name.startswith("FORETIDE_")]:
        monkeypatch.delenv(name)


def loaded(folder: Path, content: object) -> Settings:
    """The settings of a configuration file with this content, beside the least that a configuration needs."""
    path = folder / "foretide.yaml"
    is_mapping = isinstance(content, dict)
    path.write_text(yaml.safe_dump({**LEAST, **content}) if is_mapping else str(content), encoding="utf-8")
    return load_settings(path)


def test_the_least_configuration_has_a_default_for_everything_else(tmp_path):
    """One outcome is enough; states and paths lie below the folder of the file."""
    settings = loaded(tmp_path, {})
    assert settings.home == tmp_path
    assert settings.state_folder == tmp_path / ".state"
    assert settings.deliveries_folder == tmp_path / ".state" / "deliveries"
    assert settings.alert_horizons == {"crisis": 14}
    assert str(tmp_path) in settings.tracking_uri


KEYS_THAT_ARE_OFF = {
    "at the top": ({"outcome": {}}, ["`outcome` is not a key", "`outcomes`"]),
    "in a group": ({"alert_policy": {"refractory_day": 7}}, ["`alert_policy.refractory_day`", "`refractory_days`"]),
    "in an outcome": ({"outcomes": {"crisis": {"event": ["panic"], "horizons_days": [7]}}}, ["crisis.event`", "`events`"]),
    "in a source": ({"sources": [{"format": "simulated", "subject": 40}]}, ["subject`", "`subjects`"]),
    "like nothing known": ({"xyzzy_9": 1}, ["`xyzzy_9` is not a key", "remove it"]),
}  # fmt: skip


@pytest.mark.parametrize("case", KEYS_THAT_ARE_OFF)
def test_a_wrong_key_is_named_and_a_near_one_suggested(tmp_path, case):
    """A misspelt key is never ignored: the message names its place and what was probably meant."""
    content, told = KEYS_THAT_ARE_OFF[case]
    with pytest.raises(Usage) as caught:
        loaded(tmp_path, content)
    assert caught.value.exit_code == 2
    assert all(word in str(caught.value) for word in ("`foretide.yaml`", *told)), str(caught.value)


VALUES_THAT_ARE_OFF = {
    "a share above one": ({"alert_policy": {"holds_at": 5}}, ["`alert_policy.holds_at`", "less than or equal to 1"]),
    "words for a number": ({"training": {"seed": "zebra"}}, ["`training.seed`", "integer"]),
    "fewer shadow nights than none": ({"release_policy": {"shadow_nights": -1}}, ["`release_policy.shadow_nights`", "or equal to 0"]),
    "too few resamples": ({"audit": {"resamples": 3}}, ["`audit.resamples`", "100"]),
    "one weekday only": ({"training": {"index_every_days": 14}}, ["`training`", "no multiple of 7"]),
    "thresholds that fall": ({"training": {"decision_thresholds": [0.2, 0.1]}}, ["`training`", "between 0 and 1, rising"]),
    "a zone that is none": ({"sites": {"default_time_zone": "Mars/Zebra"}}, ["default_time_zone", "Europe/Berlin"]),
    "an unknown source format": ({"sources": [{"format": "zebra"}]}, ["sources", "simulated"]),
    "a table without mapping": ({"sources": [{"format": "table", "path": "."}]}, ["sources", "`mapping:`"]),
    "an attribute that is none": ({"audit": {"attributes": ["Shoe size"]}}, ["audit", "subjects"]),
    "an attribute misspelt": ({"audit": {"attributes": ["etnicity"]}}, ["audit", "`ethnicity`"]),
    "an unknown delivery format": ({"delivery": {"formats": ["xlsx"]}}, ["delivery.formats", "parquet"]),
    "a feature that is none": ({"features": {"add": ["sleep_duration_maen_7d_min"]}},
                               ["`features`", "`add:`", "perhaps `sleep_duration_mean_7d_min`"]),
    "a family that is none": ({"features": {"drop": ["own_pst"]}}, ["`features`", "`drop:`", "perhaps `own_past`"]),
    "a feature of a signal that is not declared": (
        {"features": {"add": ["signals_pace_mean_7d"]}}, ["`features`", "`signals_pace_mean_7d` is no feature"]),
    "a signal called like a daily metric": (
        {"signals": {"sleep_score": {"unit": "points"}}}, ["`signals`", "`sleep_score` is called like a metric of `wearable_days`"]),
    "a signal called like a measure": (
        {"signals": {"sleep_duration": {"unit": "min"}}}, ["`signals`", "`sleep_duration` is called like a daily measure"]),
    "a signal with a blank in its name": (
        {"signals": {"speech rate": {"unit": "/min"}}}, ["`signals`", "`speech rate`", "lower case letters, digits and _"]),
    "a signal in upper case": (
        {"signals": {"Pace": {"unit": "m/s"}}}, ["`signals`", "`Pace`", "lower case letters, digits and _"]),
    "a range the wrong way round": (
        {"signals": {"pace": {"unit": "m/s", "low": 3, "high": 0}}}, ["`signals.pace`", "`low:` must lie below `high:`"]),
    "a range that is no number": (
        {"signals": {"pace": {"unit": "m/s", "low": float("nan")}}}, ["`signals.pace.low`", "finite number"]),
    "a feature added and dropped": (
        {"features": {"add": ["sleep_onset_sd_28d_h"], "drop": ["sleep_onset_sd_28d_h"]}},
        ["`features`", "`sleep_onset_sd_28d_h` is added, and dropped"]),
    "a feature added whose family is dropped": (
        {"features": {"add": ["sleep_onset_sd_28d_h"], "drop": ["sleep"]}},
        ["`features`", "`sleep_onset_sd_28d_h` is added, and dropped"]),
    "trees without a leaf": ({"training": {"model": {"max_depth": 0}}}, ["`training.model.max_depth`", "greater than or equal to 1"]),
    "a mistyped way to grow": ({"training": {"model": {"depth": 3}}}, ["`training.model.depth` is not a key"]),
    "a text where a list belongs": ({"features": {"add": "sleep"}}, ["`features.add`", "must be a list, such as `[one, two]`"]),
    "a text where keys belong": ({"features": "sleep"}, ["`features`", "must hold keys of its own"]),
    "every feature dropped": (
        {"features": {"drop": list(RATIONALE)}}, ["`features`", "`drop:` leaves no feature for models to see"]),
    "tenure added": ({"features": {"add": ["tenure"]}}, ["`features`", "`add:`", "artefact of recruitment"]),
    "days enrolled added": (
        {"features": {"add": ["tenure_days_enrolled"]}}, ["`features`", "`add:`", "artefact of recruitment"]),
    "a usual spread of nothing": (
        {"signals": {"pace": {"unit": "m/s", "usual_spread": 0}}}, ["`signals.pace.usual_spread`", "greater than 0"]),
    "no outcome": ({"outcomes": {}}, ["`outcomes`", "at least 1"]),
    "events and an assessment": (
        {"outcomes": {"crisis": {**RELAPSE, "events": ["panic"]}}}, ["outcomes.crisis", "not both"]),
    "an assessment without its rise": ({"outcomes": {"relapse": RELAPSE}}, ["outcomes.relapse", "`rise:`"]),
    "remission without a rise": (
        {"outcomes": {"relapse": {**RELAPSE, "in_remission_below": 10}}}, ["outcomes.relapse", "`rise:` for a relapse"]),
    "a fall": ({"outcomes": {"relapse": {**RELAPSE, "rise": -5}}}, ["`outcomes.relapse.rise`", "greater than 0"]),
    "remission and a threshold": (
        {"outcomes": {"relapse": {**RELAPSE, "in_remission_below": 10, "rise": 5, "reaches": 15}}},
        ["outcomes.relapse", "`reaches:` goes without `in_remission_below:`", "leave one of them out"]),
    "events and a rise": (
        {"outcomes": {"crisis": {"events": ["panic"], "rise": 5, "horizons_days": [7]}}},
        ["outcomes.crisis", "`rise:`", "write `assessment:` for `events:`"]),
    "a part without anything": (
        {"outcomes": {"worse": {"any_of": [{"events": ["panic"]}, {"rise": 5}], "horizons_days": [7]}}},
        ["outcomes.worse.any_of", "either `events:` or `assessment:`"]),
    "one part": (
        {"outcomes": {"worse": {"any_of": [{"events": ["panic"]}], "horizons_days": [7]}}},
        ["outcomes.worse", "`any_of:` needs two parts or more"]),
    "events beside parts": (
        {"outcomes": {"worse": {"any_of": [{"events": ["panic"]}, {"assessment": "phq_9", "rise": 5}], "min_coverage": 0.5,
                                "horizons_days": [7]}}},
        ["outcomes.worse", "`min_coverage:` beside `any_of:`", "write it in a part"]),
    "horizons that fall": (
        {"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [14, 7]}}}, ["`horizons_days:`", "rising"]),
    "an alert horizon of its own": (
        {"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7], "alert_horizon_days": 9}}},
        ["`alert_horizon_days:`", "one of"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", VALUES_THAT_ARE_OFF)
def test_a_bad_value_is_named_by_its_key_with_what_is_allowed(tmp_path, case):
    """The message names the key and the range or form that it takes, and does not repeat the value."""
    content, told = VALUES_THAT_ARE_OFF[case]
    with pytest.raises(Usage) as caught:
        loaded(tmp_path, content)
    assert all(word in str(caught.value) for word in told), str(caught.value)
    assert "zebra" not in str(caught.value).lower()


def test_every_fault_of_a_file_is_named_at_once(tmp_path):
    """Two faults are told in one message, so that nobody mends them one by one."""
    with pytest.raises(Usage, match=r"(?s)training\.seed.*alert_policy\.holds_at"):
        loaded(tmp_path, {"training": {"seed": "x"}, "alert_policy": {"holds_at": 5}})


def test_the_environment_wins_over_the_file(tmp_path, monkeypatch):
    """A nested key can be set from the environment, and leaves its neighbours in the file as they are."""
    monkeypatch.setenv("FORETIDE_TRAINING__SEED", "3")
    training = loaded(tmp_path, {"training": {"seed": 9, "folds": 4}}).training
    assert (training.seed, training.folds) == (3, 4)


def test_an_empty_variable_changes_nothing(tmp_path, monkeypatch):
    """A variable that is set to nothing counts as not set."""
    monkeypatch.setenv("FORETIDE_TRAINING__SEED", "")
    assert loaded(tmp_path, {"training": {"seed": 9}}).training.seed == 9


def test_a_bad_value_in_the_environment_is_named_by_its_key(tmp_path, monkeypatch):
    """A value of the environment is checked like one of the file."""
    monkeypatch.setenv("FORETIDE_TRAINING__FOLDS", "1")
    with pytest.raises(Usage, match=r"`training\.folds`"):
        loaded(tmp_path, {})


NO_JSON = {
    "AUDIT__ATTRIBUTES": "sex,zebra", "FEATURES__ADD": "zebra", "SOURCES": "[{zebra", "SITES__TIME_ZONES": "zebra",
    "OUTCOMES__CRISIS__EVENTS": "zebra", "DOOR": "zebra",
}  # fmt: skip


@pytest.mark.parametrize("name", NO_JSON)
def test_a_variable_that_should_hold_json_is_named_with_how_to_write_it(tmp_path, monkeypatch, name):
    """A list or a group of keys that is written otherwise is refused by the variable's name, without the value."""
    monkeypatch.setenv(f"FORETIDE_{name}", NO_JSON[name])
    with pytest.raises(Usage, match=rf"`FORETIDE_{name}` .*JSON.*\[\"one\", \"two\"\]") as caught:
        loaded(tmp_path, {})
    assert "zebra" not in str(caught.value)


def test_a_list_in_the_environment_is_written_as_json(tmp_path, monkeypatch):
    """Written so, it wins over the file's."""
    monkeypatch.setenv("FORETIDE_AUDIT__ATTRIBUTES", '["sex", "site"]')
    assert loaded(tmp_path, {}).audit.attributes == ("sex", "site")


@pytest.mark.parametrize("content", ["outcomes: [", "a: b: c", "outcomes:\n\t- x"])
def test_a_file_that_is_not_yaml_is_refused(tmp_path, content):
    """Broken YAML is said to be so, with the place of the fault."""
    with pytest.raises(Usage, match=r"`foretide\.yaml` is not readable as YAML: .*line \d"):
        loaded(tmp_path, content)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    """A file in another encoding than UTF-8 is refused in words."""
    (tmp_path / "foretide.yaml").write_bytes(b"\xff\xfeo\x00")
    with pytest.raises(Usage, match="not readable as YAML"):
        load_settings(tmp_path / "foretide.yaml")


@pytest.mark.parametrize("content", ["- a\n- b\n", "just words"])
def test_a_file_without_keys_is_refused(tmp_path, content):
    """A list or a sentence is valid YAML and no configuration."""
    with pytest.raises(Usage, match="`sources:` and `outcomes:`"):
        loaded(tmp_path, content)


def test_an_empty_file_lacks_its_outcomes(tmp_path):
    """An empty file is a configuration without outcomes, and that key is named."""
    with pytest.raises(Usage, match="`outcomes`"):
        loaded(tmp_path, "")


def test_a_missing_file_is_named_with_the_cure(tmp_path):
    """A path that leads to no file is named, whether there is nothing or a folder."""
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(Usage, match=r"no configuration file `.*Copy the commented foretide\.yaml"):
            load_settings(path)


def test_the_environment_names_the_file_unless_the_command_does(tmp_path, monkeypatch):
    """`FORETIDE_CONFIG` stands in for a file that the command line does not name."""
    for name in ("one.yaml", "two.yaml"):
        (tmp_path / name).write_text(yaml.safe_dump(LEAST))
    monkeypatch.setenv("FORETIDE_CONFIG", str(tmp_path / "one.yaml"))
    assert config_path().name == "one.yaml"
    assert config_path(tmp_path / "two.yaml").name == "two.yaml"
    assert load_settings().home == tmp_path


def test_features_and_families_are_switched_by_their_names(tmp_path):
    """What is added is on, what is dropped is off, and what is in neither is as the catalogue has it."""
    usual = set(loaded(tmp_path, {}).features_on())
    chosen = loaded(tmp_path, {"features": {"add": ["sleep_onset_mean_7d_h"], "drop": ["heart"]}})
    dropped = {name for name in usual if chosen.catalog().by_name[name].family == "heart"}
    assert dropped
    assert set(chosen.features_on()) == (usual | {"sleep_onset_mean_7d_h"}) - dropped


def test_a_family_can_be_added_without_some_of_its_features(tmp_path):
    """What is dropped of an added family is off, the rest of it on."""
    settings = loaded(
        tmp_path, {"features": {"add": ["early_warning"], "drop": ["early_warning_mood_valence_variance_28d"]}}
    )
    on = [name for name in settings.features_on() if name.startswith("early_warning")]
    assert "early_warning_mood_valence_variance_28d" in settings.catalog().by_name
    assert "early_warning_mood_valence_variance_28d" not in on
    assert len(on) == sum(name.startswith("early_warning") for name in settings.catalog().by_name) - 1


def test_a_declared_signal_has_features_like_any_measure(tmp_path):
    """Two are on, the others can be added by name; its usual spread shortens the warm-up of its own past."""
    declared = {"pace": {"unit": "m/s", "usual_spread": 0.2}, "screen": {"unit": "min"}}
    settings = loaded(tmp_path, {"signals": declared, "features": {"add": ["signals_pace_slope_28d"]}})
    on = [name for name in settings.features_on() if name.startswith("signals")]
    assert on == ["signals_pace_mean_7d", "signals_pace_slope_28d", "signals_pace_z_7d",
                  "signals_screen_mean_7d_min", "signals_screen_z_7d"]  # fmt: skip
    spreads = {measure.name: measure.usual_spread for measure in settings.catalog().measures}
    assert spreads["signals_pace"] == 0.2
    assert spreads["signals_screen"] != spreads["signals_screen"]


def test_the_configuration_of_the_project_is_valid():
    """The file that `make run` uses as it stands can be loaded."""
    settings = load_settings(Path(__file__).parents[2] / "foretide.yaml")
    assert settings.alert_horizons == {"crisis": 14}
