"""How long the default simulated cohort takes: 90 nights of backtest, and a night with no new data; `make bench`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.pipelines.small_job import ROOT, foretide

NEWEST, FOLLOWING = "2026-07-01", "2026-07-02"
# 90 nights that end with the newest.
FIRST = "2026-04-03"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The project's own configuration, trained without refits, which no night needs."""
    folder = tmp_path_factory.mktemp("default") / "home"
    folder.mkdir()
    content = yaml.safe_load((ROOT / "foretide.yaml").read_text())
    content["training"] |= {"resamples": 100, "refits": 0}
    content["audit"] |= {"resamples": 100}
    (folder / "foretide.yaml").write_text(yaml.safe_dump(content))
    shutil.copy(ROOT / "dagster.yaml", folder)
    code, _, errors = foretide(folder, "run")
    assert code == 0, errors
    return folder


def given(home: Path, *arguments: str) -> None:
    """A command that ends well, the start of its process included."""
    subprocess.run([Path(sys.executable).with_name("foretide"), *arguments], cwd=home, check=True, capture_output=True)


@pytest.mark.benchmark(group="default cohort")
def test_ninety_nights_of_backtest(benchmark, home):
    """In five minutes: every night scored and delivered as it would have been, by a model fitted as of the first."""
    benchmark.pedantic(given, (home, "backtest", "--from", FIRST), rounds=1)
    assert len(list((home / ".state" / "backtests" / f"{FIRST}_{NEWEST}" / "deliveries").glob("*/latest.json"))) == 90
    assert benchmark.stats["max"] <= 300


@pytest.mark.benchmark(group="default cohort")
def test_a_night_with_no_new_data(benchmark, home):
    """The night after the newest, to a verified delivery and its pages."""
    benchmark.pedantic(given, (home, "score", "--as-of", FOLLOWING), rounds=1)


@pytest.mark.benchmark(group="default cohort")
def test_the_same_night_again(benchmark, home):
    """A night that was delivered: the same bytes, and nothing is published."""
    given(home, "score", "--as-of", FOLLOWING)
    benchmark.pedantic(given, (home, "score", "--as-of", FOLLOWING), rounds=1)
