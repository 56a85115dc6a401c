"""A replay of a real cohort: complete rows, in a lake of its own, nothing of anybody in them."""

import os
from pathlib import Path

import pandas as pd
import pytest

from pipelines.errors import Refused, Usage
from pipelines.progress import silent
from pipelines.release import fairness, reporting
from pipelines.replay import replay
from pipelines.settings import load_settings
from pipelines.training import controls, evaluating
from tests.pipelines.small_job import ROOT

DATA = Path(os.environ.get("FORETIDE_DATA_DIR", ROOT.parent / "shared" / "data"))
PREDICTORS = {
    "boosted_hazard", "prevalence", "past_episode_rate", "days_since_last_episode", "last_mood", "tenure_only",
    "history_only", "history_and_tenure", "adherence_only", "wide_logistic",
}  # fmt: skip


@pytest.mark.skipif(not (DATA / "lifesnaps").is_dir(), reason=f"the public cohort lifesnaps is not at {DATA}")
def test_the_rows_hold_the_model_and_every_baseline_for_both_tasks_with_intervals(tmp_path: Path):
    """On lifesnaps, from its published files: nothing is left out, every AUROC has an interval around it, and what was
    kept is an installation that other commands take."""
    found = replay("lifesnaps", DATA / "lifesnaps", tmp_path / "kept", 100, silent)
    auroc = found.results.query("metric == 'auroc'")
    for _, part in auroc.groupby(["task", "split"]):
        assert set(part["model"]) == PREDICTORS
    assert set(auroc["task"]) == {"onset", "burden"}
    assert set(auroc["split"]) == {"unseen_subjects", "unseen_and_later"}
    assert ((auroc["low"] <= auroc["value"]) & (auroc["value"] <= auroc["high"])).all()
    assert found.paths[0].is_file()
    assert not any("--out" in sentence for sentence in found.sentences)
    kept = load_settings(tmp_path / "kept" / "foretide.yaml")
    assert (kept.state_folder, list(kept.outcomes)) == ((tmp_path / "kept").resolve(), ["low_mood"])


@pytest.mark.skipif(not (DATA / "lifesnaps").is_dir(), reason=f"the public cohort lifesnaps is not at {DATA}")
def test_a_replay_that_keeps_nothing_says_that_nobody_counts_it(monkeypatch):
    """Its ledger goes with its lake; one that is kept has another last sentence."""
    monkeypatch.setattr(controls, "check", lambda *_: {})
    monkeypatch.setattr(evaluating, "evaluate", lambda *_: {})
    monkeypatch.setattr(fairness, "audit", lambda *_: [])
    monkeypatch.setattr(reporting, "model_report", lambda *_: {})
    monkeypatch.setattr(reporting, "findings", lambda _: (pd.DataFrame(), ["found"]))
    found = replay("lifesnaps", DATA / "lifesnaps", None, 100, silent)
    assert found.sentences[0] == "found"
    assert "only with `--out`" in found.sentences[-1]


def test_an_unknown_cohort_a_missing_folder_and_a_full_one_are_refused(tmp_path: Path):
    """Nothing is begun, nothing is overwritten."""
    with pytest.raises(Usage, match="not a cohort that can be replayed"):
        replay("globem", tmp_path, None, 100, silent)
    with pytest.raises(Refused, match="There is no folder"):
        replay("jang2024", tmp_path / "nowhere", None, 100, silent)
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(Usage, match="is not empty"):
        replay("jang2024", tmp_path, tmp_path, 100, silent)
    with pytest.raises(Refused, match="is missing in the folder of jang2024"):
        replay("jang2024", tmp_path, None, 100, silent)
