"""A withdrawal that is killed anywhere is finished by the next command, to the same end."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from pipelines.consent.erased_scores import ErasedScores
from pipelines.delivery.erasure import score_ids_of
from pipelines.delivery.publish import current
from pipelines.delivery.verify import verify
from tests.guarantees import installation_with_a_sentinel as made

PROGRAM = Path(__file__).with_name("withdrawing_that_is_killed.py")
TRIALS = 16


def test_kill_9_at_any_step_is_finished_by_the_next_command(tmp_path):
    """Nothing of the subject is left, deliveries verify, one notice and one entry went out, others keep their rows; and every
    score of the subject can be told to have been erased."""
    made.make_home(tmp_path / "before")
    shutil.rmtree(tmp_path / "before" / ".withdrawn", ignore_errors=True)
    done = subprocess.run([sys.executable, str(PROGRAM), str(tmp_path), str(TRIALS)], check=False, text=True,
                          capture_output=True, env={**os.environ, "PYTHONPATH": str(made.ROOT)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    homes = sorted(tmp_path.glob("killed-*"))
    assert len(homes) == TRIALS
    others = made.rows_of_others(tmp_path / "before")
    theirs = score_ids_of(tmp_path / "before" / ".state" / "deliveries", {made.SENTINEL})
    assert len(theirs) == 8
    begun = 0
    for home in homes:
        if not (home / ".withdrawn" / "tombstones.jsonl").exists():
            continue  # killed before anything was on disk: nothing was asked for yet
        begun += 1
        assert made.places_that_tell(home) == {}, home.name
        assert len(made.audit_entries(home)) == 1, home.name
        assert all(map(ErasedScores(home / ".withdrawn").has, theirs)), home.name
        assert made.rows_of_others(home) == others, home.name
        root = home / ".state" / "deliveries"
        folders = [path.parent for path in root.glob("*/*/manifest.json")]
        assert [verify(folder).faults for folder in folders] == [()] * 5, home.name
        assert sum((folder / "deleted.ndjson").exists() for folder in folders) == 1, home.name
        assert (current(root, pd.Timestamp("2026-06-30")) / "deleted.ndjson").exists(), home.name
    assert begun >= TRIALS - 2
