"""What is declared and decides rows makes another policy version, and so another run; what does not, makes none."""

import pytest
import yaml

from pipelines.release.context import policy_version
from pipelines.settings import Settings, settings_from
from tests.pipelines.small_job import ROOT

DECIDES = [
    {"sites": {"default_time_zone": "Europe/London"}}, {"sites": {"time_zones": {"north": "Europe/London"}}},
    {"sites": {"cutoff": "04:00"}}, {"door": {"device_preference": ["band"]}},
    {"signals": {"glucose": {"unit": "mmol/l", "usual_spread": 1}}}, {"outcomes": {"crisis": {"refractory_days": 21}}},
    {"release_policy": {"min_subjects": 21}}, {"alert_policy": {"min_completeness": 0.3}},
]  # fmt: skip
DOES_NOT = [
    {"door": {"max_bad_share": 0.1}}, {"delivery": {"late_nights": 3}}, {"night": {"catch_up_nights": 1}},
    {"monitoring": {"false_alarms_per_year": 8}}, {"notices": {"file": False}}, {"training": {"seed": 2}},
    {"audit": {"margin": 0.2}}, {"features": {"drop": ["mood"]}}, {"consent": {"retrain_within_days": 10}},
]  # fmt: skip


def declared(folder, changed: dict) -> Settings:
    """The project's configuration with some keys changed."""
    content = yaml.safe_load((ROOT / "foretide.yaml").read_text())
    for section, keys in changed.items():
        for key, value in keys.items():
            held = content.setdefault(section, {}).get(key)
            content[section][key] = held | value if isinstance(held, dict) and isinstance(value, dict) else value
    return settings_from(content, folder)


@pytest.mark.parametrize("changed", DECIDES, ids=str)
def test_what_decides_rows_makes_another_policy(tmp_path, changed):
    """Section by section: a night in force is scored anew."""
    assert policy_version(declared(tmp_path, changed)) != policy_version(declared(tmp_path, {}))


@pytest.mark.parametrize("changed", DOES_NOT, ids=str)
def test_what_decides_no_row_leaves_the_policy(tmp_path, changed):
    """Nobody is told to fetch the same rows again."""
    assert policy_version(declared(tmp_path, changed)) == policy_version(declared(tmp_path, {}))


def test_every_section_is_on_one_side(tmp_path):
    """A section that is added has to be thought of: these, and what names places and streams only."""
    told = {name for changed in (*DECIDES, *DOES_NOT) for name in changed} | {"home", "state", "sources"}
    assert told == set(Settings.model_fields)
