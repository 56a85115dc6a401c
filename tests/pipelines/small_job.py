"""A small installation on which the whole job runs in half a minute: simulated people, everything else real."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
NIGHT = "2026-07-01"


def make_home(folder: Path, subjects: int = 90) -> Path:
    """A folder with the project's own configuration, cut down in size only."""
    content = yaml.safe_load((ROOT / "foretide.yaml").read_text())
    content["sources"] = [
        {"format": "simulated", "subjects": subjects, "days": 150, "minute_days": 5, "until": "2026-06-30", "seed": 3}
    ]
    # Refits would cost minutes wherever a model seems to win; without them the rule serves (tests/pipelines/test_refits.py).
    content["training"] |= {"resamples": 100, "refits": 0, "folds": 3}
    content["audit"] |= {"resamples": 100}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "foretide.yaml").write_text(yaml.safe_dump(content))
    (folder / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    return folder


def make_smallest_home(folder: Path) -> Path:
    """A home whose training takes seconds and whose rule passes the gate, whatever its calibration and fairness."""
    make_home(folder, subjects=60)
    content = yaml.safe_load((folder / "foretide.yaml").read_text())
    content["training"] |= {"folds": 2, "cuts": 1, "train_every_days": 14}
    content["outcomes"]["crisis"] |= {"horizons_days": [14]}
    content["features"] = {"drop": ["mood", "circadian", "heart", "own_past", "adherence"]}
    content["release_policy"] |= {
        "block_on_fairness_fail": False,
        "calibration_slope_low": -50,
        "calibration_slope_high": 50,
        "calibration_intercept_limit": 50,
    }
    (folder / "foretide.yaml").write_text(yaml.safe_dump(content))
    return folder


def foretide(home: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run the real command in a process of its own: exit code, its JSON answer, standard error."""
    done = subprocess.run(
        [Path(sys.executable).with_name("foretide"), *arguments, "--json"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr
