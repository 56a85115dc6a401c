"""How long a night takes for 100,000 subjects, as `foretide score` runs it: `make bench`; seconds by step in `extra_info`.

The goals, on two cores: from 144 million new minutes in Parquet to a verified delivery in 5 minutes and 8 GB, prediction
at 200,000 rows/s, FHIR at 5,000 resources/s, and a night with nothing new in 15 s. `BENCH_SUBJECTS=5000` for a first try.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from models import risk
from pipelines.installation import Installation
from tests.bench.many_subjects import ROOT, learn, make_champion, make_home, take_in

SUBJECTS, DAYS = (int(os.environ.get(*of)) for of in (("BENCH_SUBJECTS", "100000"), ("BENCH_DAYS", "60")))
LEARNERS = 3000


@dataclass(frozen=True)
class Made:
    """An installation on the eve of a night, and its champion."""

    installation: Installation
    model: risk.HazardModel

    def night(self, night: str) -> dict[str, float]:
        """Score a night in a process of its own; what it told."""
        command = [sys.executable, "-m", "tests.bench.timed_night", night]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        home = self.installation.settings.home
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        told = json.loads(done.stdout.strip().splitlines()[-1])
        assert told["code"] == 0, done.stdout[-2000:]
        return told


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Everybody's past is in the lake, the night before is scored, and the last day's minutes lie where they are fetched."""
    folder = tmp_path_factory.mktemp("night")
    model = learn(folder / "few", LEARNERS, DAYS)
    installation = make_home(folder / "home", SUBJECTS, DAYS, ("people", "past", "minutes-new"))
    for name in ("people", "past"):
        take_in(installation, name)
    make_champion(installation, model, folder / "model")
    (folder / "home" / "minutes-new").rmdir()
    return Made(installation, model)
