"""`foretide plan`: before any training it says what can be proven, names nobody, and refuses what it cannot answer."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from models import power
from pipelines.cli.main import app
from pipelines.ingestion import ingest_all
from pipelines.installation import Installation
from pipelines.reports import prospects
from pipelines.settings import load_settings
from pipelines.training.planning import RULES, Plan, plan
from tests.pipelines.small_job import NIGHT, make_home
from tests.pipelines.test_small_study import CONFIGURATION, MAPPING


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A small home with data and nothing trained: one horizon, two folds, two attributes."""
    folder = make_home(tmp_path_factory.mktemp("planned"), subjects=60)
    changed(folder, training={"folds": 2, "cuts": 1}, audit={"attributes": ["sex", "site"]})
    ingest_all(Installation(load_settings(folder / "foretide.yaml")))
    return folder


def changed(home: Path, **sections: dict[str, Any]) -> Path:
    """The home's configuration with some keys of some sections set otherwise."""
    path = home / "foretide.yaml"
    content = yaml.safe_load(path.read_text())
    for section, values in sections.items():
        content[section] |= values
    path.write_text(yaml.safe_dump(content))
    return path


def answered(path: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of the command for the last night of the cohort."""
    done = CliRunner().invoke(app, ["plan", "--as-of", NIGHT, "--config", str(path), *arguments])
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def planned(home) -> Plan:
    """What can be proven of its one outcome."""
    (found,) = plan(Installation(load_settings(home / "foretide.yaml")), NIGHT)
    return found


def test_a_cohort_without_a_model_is_told_what_it_can_prove(home, planned):
    """Tidy rows of a gain and of gaps over a rule, the same as when asked before; no model was fitted or registered."""
    code, output = answered(home / "foretide.yaml", "--json")
    assert code == 0, output
    rows = pd.DataFrame(json.loads(output.splitlines()[-1])["rows"])
    assert {"detectable_gain_auroc", "detectable_gap_tpr", "detectable_gap_auroc"} <= set(rows["metric"])
    assert set(rows["model"]) <= set(RULES)
    assert not (home / ".state" / "mlflow").exists()
    again = power.tidy(planned.prospects, planned.audit)
    pd.testing.assert_frame_equal(rows[["metric", "value"]].astype({"value": float}), again[["metric", "value"]])


def test_sentences_come_before_the_table_and_name_what_they_assume(home):
    """What can be proven, by which rule, what is missing, and the correlation that it rests on."""
    code, output = answered(home / "foretide.yaml")
    assert code == 0, output
    text = " ".join(output.split())
    assert text.index("event subjects among") < text.index("to be proven between")
    assert "correlation 0.6" in text
    assert "By sex" in text


def test_where_refits_decide_their_wider_interval_is_planned_with(home, planned):
    """`training: refits:` makes the gain to be proven larger, and the sentence says whose refitting that is."""
    settings = load_settings(home / "foretide.yaml")
    refitting = settings.model_copy(update={"training": settings.training.model_copy(update={"refits": 20})})
    (again,) = plan(Installation(refitting), NIGHT)
    assert again.prospects["detectable"].iloc[0] > planned.prospects["detectable"].iloc[0]
    assert "What fitting again adds is that of the rule" in " ".join(prospects.sentences([again]))


def test_what_is_to_be_proven_lies_beyond_what_policy_and_audit_allow(planned):
    """A gap fails the audit, and a gain passes the policy, interval and all: margin and least gain are added, and said."""
    design = planned.audit.design
    gap = planned.prospects[planned.prospects["claim"] == power.GAP].iloc[0]
    asked = replace(planned, least_gain=0.02)
    told, table = " ".join(prospects.sentences([asked])), pd.DataFrame(prospects.table([asked]))
    gain = planned.prospects["detectable"].iloc[0]
    assert f"can prove a gain of {gain + 0.02:.3f} AUROC or more" in told
    assert "asks for more than 0.02, interval and all" in told
    assert "for 0.04" in told
    assert f"(the margin of {design.margin:g} included; of many comparisons each must be larger" in told
    beyond = table[table["to be proven"].str.endswith(f"beyond {design.margin:g}")]
    assert beyond["smallest"].iloc[0] == f"{design.margin + gap['detectable']:.2f}"
    assert table["smallest"].iloc[0].startswith(f"{gain + 0.02:.3f}")
    assert planned.least_gain == 0
    assert "release policy" not in prospects.sentences([planned])[0]


def test_a_gain_beyond_what_is_left_is_called_unprovable(planned):
    """No AUROC exceeds 1: a rule at 0.95 and a detectable gain of 0.2 leave nothing to be proven."""
    hopeless = replace(planned, auroc=0.95, prospects=power.prospects(planned.audit, 0.08))
    assert "can prove no gain" in prospects.sentences([hopeless])[0]


def test_groups_that_cannot_be_compared_are_told_without_their_size(planned):
    """Where no two groups are large enough, the sentence says that and how many are hidden."""
    gains = planned.prospects[planned.prospects["claim"] == power.GAIN]
    told = prospects.sentences([replace(planned, prospects=gains, hidden={"ethnicity": 2})])[-1]
    assert told == "By ethnicity: no two groups are large enough to be compared. 2 groups are too small to be shown."


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"audit": {"attributes": []}}, "No attribute is declared"),
        ({"outcomes": {"crisis": {"events": ["never"], "horizons_days": [14], "alert_horizon_days": 14}}},
         "declared by `never`, and column `kind` of `events`, as known that night, holds other ones: `crisis_contact` ("),
        ({"outcomes": {"crisis": {"assessment": "zzz", "in_remission_below": 5, "rise": 3, "horizons_days": [14]}}},
         "declared by `zzz`, and column `instrument` of `assessments`"),
        ({"outcomes": {"worse": {"any_of": [{"events": ["crisis_contact"]}, {"assessment": "zzz", "rise": 3}],
                                 "horizons_days": [14]}}}, "No stream gives part 2 of the outcome `worse`: it is declared by `zzz`"),
        ({"training": {"folds": 40}}, "are too few for 40 folds"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_with_the_cure(home, tmp_path, sections, told):
    """No attribute, kinds or an instrument that nobody has, fewer people than folds: exit code 1 and what to do."""
    (tmp_path / ".state").symlink_to(home / ".state")
    (tmp_path / "foretide.yaml").write_text((home / "foretide.yaml").read_text())
    code, output = answered(changed(tmp_path, **sections))
    assert code == 1, output
    assert told in " ".join(output.split())


def test_a_study_of_one_is_refused(tmp_path):
    """One subject, no event: said as such, and not by a fault."""
    (tmp_path / "people.csv").write_text("id,since\nzebra-1,2026-05-01\n")
    nights = "".join(f"zebra-1,2026-05-{day:02} 23:00,2026-05-{day + 1:02} 07:00\n" for day in range(2, 28))
    (tmp_path / "sleep.csv").write_text("id,bed,up\n" + nights)
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    path = tmp_path / "foretide.yaml"
    path.write_text(CONFIGURATION.replace("exports", str(tmp_path)))
    ingest_all(Installation(load_settings(path)))
    code, output = answered(path)
    assert code == 1, output
    assert "column `kind` of `events`, as known that night, is empty" in " ".join(output.split())
