"""Several first starts at once: 4 starters, 20 trials, each on a home in which neither Dagster's nor MLflow's store was made yet."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
STARTERS, TRIALS = 4, int(os.environ.get("TRIALS_OF_STARTS", "20"))
# Opens both stores at once with the others, without the installation's lock, which would let one in alone.
START = """
import sys
from pathlib import Path
from pipelines import dagster_home
from pipelines.release import tracking
from pipelines.settings import load_settings
settings = load_settings(Path("foretide.yaml"))
sys.stdin.readline()
with dagster_home.opened(settings) as instance:
    assert instance.get_runs() == []
tracking.open_store(settings.tracking_uri, settings.artifacts_folder)
"""


def start_all(home: Path) -> list[tuple[int, str]]:
    """How the starters ended, let go at one moment."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    programs = [
        subprocess.Popen([sys.executable, "-c", START], cwd=home, env=environment, text=True, stdin=subprocess.PIPE,
                         stderr=subprocess.PIPE)
        for _ in range(STARTERS)
    ]  # fmt: skip
    for program in programs:
        program.stdin.write("\n")
        program.stdin.flush()
    return [(program.wait(), program.communicate()[1][-2000:]) for program in programs]


def test_first_starts_at_once_never_break_a_home(benchmark, tmp_path):
    """Every starter of every trial succeeds, and every database is whole."""

    def trials() -> list[Path]:
        homes = []
        for trial in range(TRIALS):
            home = tmp_path / str(trial)
            home.mkdir()
            (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
            outcomes = {"crisis": {"events": ["panic"], "horizons_days": [7]}}
            (home / "foretide.yaml").write_text(yaml.safe_dump({"outcomes": outcomes}))
            ends = start_all(home)
            assert [code for code, _ in ends] == [0] * STARTERS, ends
            homes.append(home)
        return homes

    for home in benchmark.pedantic(trials, rounds=1):
        databases = list((home / ".state").rglob("*.db"))
        assert len(databases) > 2
        for database in databases:
            connection = sqlite3.connect(database)
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            connection.close()
