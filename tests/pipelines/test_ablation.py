"""`foretide train --ablate`: asked for, families of features are tried, told, logged and tabled; nothing is switched."""

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from models.ablation import ADDS, ALONE, ALONE_IN_FULL, COLUMNS, IN_FULL, LEFT_OUT, NOT_SHOWN, TAKES_AWAY
from models.gate import Decision
from pipelines.cli.main import app
from pipelines.definitions import defs
from pipelines.defs.jobs import retrain
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.release import tracking
from pipelines.reports import ablation as words
from pipelines.reports.model import write_model
from pipelines.reports.site import Context
from pipelines.settings import load_settings
from pipelines.training import ablation
from tests.pipelines.small_job import NIGHT, foretide, make_home
from tests.pipelines.test_reports import tidy

HORIZONS = {"crisis": 14}
# Of one family that is on and of one that is off.
FULL = ("sleep_duration_mean_14d_min", "mood_inertia_7d")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    """A small home that was trained with an ablation, and what the command answered: one seed, few features in full."""
    folder = make_home(tmp_path_factory.mktemp("ablated"), subjects=60)
    content = yaml.safe_load((folder / "foretide.yaml").read_text())
    content["training"] |= {"folds": 2, "cuts": 1, "train_every_days": 14}
    content["outcomes"]["crisis"] |= {"horizons_days": [14]}
    content["features"] = {"drop": ["mood", "circadian", "heart", "own_past", "adherence"]}
    (folder / "foretide.yaml").write_text(yaml.safe_dump(content))
    assert foretide(folder, "ingest", "simulated")[0] == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablation, "SEEDS", 1)
        patch.setattr("models.ablation.core", lambda catalog: frozenset(FULL))
        done = CliRunner().invoke(
            app, ["train", "--ablate", "--as-of", NIGHT, "--json", "--config", str(folder / "foretide.yaml")]
        )
    assert done.exit_code == 0, done.output
    return folder, json.loads(done.stdout.splitlines()[-1])


def opened(home: Path) -> Installation:
    """The installation in a home."""
    return Installation(load_settings(home / "foretide.yaml"))


def test_the_answer_holds_results_and_every_family_with_its_verdict(trained):
    """Tidy rows of both kinds; history, everything and each family of which the cohort has values."""
    answer = trained[1]
    assert {"auroc", "brier"} <= {row["metric"] for row in answer["rows"]}
    rows = pd.DataFrame(answer["ablation"])
    assert set(rows.columns) == set(COLUMNS)
    assert {"history", "everything", "mood", "sleep", "activity"} <= set(rows["family"])
    full = rows[rows["comparison"] == IN_FULL].set_index("family")["names"]
    assert full["sleep"] == FULL[0]
    assert FULL[1] in full["mood"]
    assert set(rows["horizon_days"]) == {14}
    assert set(rows["verdict"]) <= {ADDS, TAKES_AWAY, NOT_SHOWN}
    assert (rows["task"] == "onset").all()


def test_the_rows_lie_in_the_lake_and_beside_the_training_in_mlflow(trained):
    """The challenger's run has the table; no subject is in it."""
    installation = opened(trained[0])
    stored = ablation.tables(installation, NIGHT)[ablation.TABLE]
    assert len(stored) == len(trained[1]["ablation"])
    challenger = installation.registry.find("foretide-crisis", "challenger")
    assert challenger is not None
    logged = tracking.import_mlflow().artifacts.load_dict(f"runs:/{challenger.run_id}/tables/ablation.json")
    assert logged["columns"] == list(COLUMNS)
    assert len(logged["data"]) == len(stored)


def test_the_model_report_tables_what_was_tried(trained):
    """A heading, the sentence that names the event subjects, and a line for each family."""
    (page,) = (trained[0] / ".state/reports").glob("model-*.html")
    text = page.read_text(encoding="utf-8")
    section = text[text.index("What each family of features adds") : text.index("Who was counted")]
    assert "event subjects" in section
    assert "conditional on the fitted models" in section
    assert "Sleep</th>" in section


def test_nothing_is_switched_and_a_plain_training_goes_on_as_before(trained):
    """The same features are on; training again without --ablate changes no version, and tries nothing."""
    home = trained[0]
    before = opened(home).registry.find("foretide-crisis", "challenger")
    settings = (home / "foretide.yaml").read_bytes()
    code, answer, said = foretide(home, "train", "--as-of", NIGHT)
    assert code == 0, said
    assert "ablation" not in answer
    assert opened(home).registry.find("foretide-crisis", "challenger") == before
    assert (home / "foretide.yaml").read_bytes() == settings
    keys = {key.to_user_string() for key in defs.resolve_job_def(retrain.name).asset_layer.executable_asset_keys}
    assert "model_ablation" not in keys


def test_an_ablation_of_other_declarations_is_not_shown_as_this_trainings(trained):
    """Another choice of features, another training: the stored rows say nothing of it."""
    home = trained[0]
    other = load_settings(home / "foretide.yaml", {"features": {"drop": []}})
    assert ablation.tables(opened(home), NIGHT)
    assert ablation.tables(Installation(other), NIGHT) == {}


def test_families_are_tried_after_an_evaluation_only(tmp_path: Path):
    """Refused with the command to run: the headline split is what the evaluation found it to be."""
    installation = opened(make_home(tmp_path))
    outcome = SimpleNamespace(name="crisis")
    with pytest.raises(Refused, match="foretide train --ablate"):
        ablation.headline(installation, outcome)


def made_up(left_out: str = NOT_SHOWN, in_full: str = NOT_SHOWN) -> pd.DataFrame:
    """Rows of two families with these verdicts on mood, at two horizons."""
    told = [("mood", ALONE, NOT_SHOWN, 0.01), ("mood", LEFT_OUT, left_out, -0.02), ("mood", IN_FULL, in_full, 0.03),
            ("signals", ALONE_IN_FULL, NOT_SHOWN, 0.0)]  # fmt: skip
    rows = [{"outcome": "crisis", "horizon_days": h, "family": kin, "comparison": kind, "features": 2, "value": value,
             "low": value - 0.01, "high": value + 0.01, "verdict": verdict, "n_event_subjects": 23, "mdd": 0.014,
             "configurations": 9, "seeds": 3, "names": "a_<b>, c"}
            for h in (7, 14) for kin, kind, verdict, value in told]  # fmt: skip
    return pd.DataFrame(rows)


def test_where_nothing_is_shown_the_sentence_says_so_and_recommends_nothing():
    """The number of event subjects, of configurations, and what could not have been found stand beside it."""
    found, recommended, how = words.sentences(made_up(), HORIZONS)
    assert found == (
        "crisis, 14 days: with 23 event subjects, no family is shown to add to history, and no family is shown to add to "
        "all that is on."
    )
    assert recommended.startswith("Recommended: leave `features:` as it is.")
    assert "9 configurations were tried, 3 seeds each" in how
    assert "all 4 comparisons" in how
    assert "0.014" in how


def test_a_recommendation_names_the_switch_and_its_uncertainty():
    """What takes away is to be dropped, what adds in full is to be added; by a person."""
    found, recommended, _ = words.sentences(made_up(TAKES_AWAY, ADDS), HORIZONS)
    assert "mood is shown to add to all that is on (mood is shown to take away from it)" in found
    assert "not done by itself" in recommended
    assert "drop mood (−0.020 (−0.030 to −0.010))" in recommended
    assert "add what is off of mood (+0.030 (+0.020 to +0.040))" in recommended


def test_a_family_that_changed_no_score_is_said_to_be_unused():
    """Trees that never split on a family say nothing of its worth."""
    rows = made_up()
    rows.loc[rows["family"] == "signals", "mdd"] = float("nan")
    assert "made no use of signals" in words.sentences(rows, HORIZONS)[0]


def test_the_table_shows_the_alert_horizon_and_the_switch_of_each_row():
    """One line a comparison; what `features:` would say stands beside it."""
    table = words.table(made_up(in_full=ADDS), HORIZONS)
    assert [row["switch"] for row in table] == ["", "drop mood", "add 2 of mood (recommended)", ""]
    assert {row["outcome"] for row in table} == {"crisis 14 d"}


@pytest.mark.parametrize("is_tried", [True, False])
def test_the_report_says_what_was_tried_or_that_nothing_was(tmp_path: Path, is_tried: bool):
    """With rows a table, escaped, and the names behind a recommended `add`; without, the command that makes them."""
    decision = Decision(())
    path = write_model(tmp_path, "crisis", tidy(), pd.DataFrame({"outcome": ["crisis"], "subjects": [9]}), {},
                       "boosted_hazard", decision, 14, Context(as_of=date(2026, 6, 30), dataset="made up"),
                       {"ablation": made_up(in_full=ADDS)} if is_tried else {}, split="unseen_subjects")  # fmt: skip
    text = path.read_text(encoding="utf-8")
    assert ("a_&lt;b&gt;, c" in text) == is_tried
    assert ("Mood</th>" in text) == is_tried
    assert ("foretide train --ablate" in text) != is_tried
