"""Which features there are and which are on: as the command tells it, and as the stored matrix has it."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from features.catalog import STANDARD
from features.feature import RATIONALE
from features.literature import CITATIONS
from models.baselines import MODEL, Predictor
from models.errors import ModelsError
from pipelines.engineering import training_matrices
from pipelines.errors import Refused
from pipelines.ingestion import ingest_all
from pipelines.installation import Installation
from pipelines.sections import Training
from pipelines.settings import load_settings
from pipelines.training.evaluating import candidates, evaluate_outcome, without_use
from tests.models.made_up import OUTCOME, cohort

# DuckDB 2.0 and PyArrow 25 call what pandas 3.1 deprecates; their warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

FORETIDE = Path(sys.executable).with_name("foretide")
CHOICE = {
    "add": ["signals_sleep_score_mean_7d", "signals_pace_sd_28d", "signals_water_coverage_28d"],
    "drop": ["heart"],
}
CONFIGURATION = {
    "sources": [{"format": "table", "path": "exports", "mapping": "mapping.yaml"}],
    "outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}},
    "signals": {
        "pace": {"unit": "m/s", "low": 0, "high": 3, "usual_spread": 0.2},
        "water": {"unit": "mL", "low": 0, "high": 10000},
        "recovery": {"unit": "%", "low": 0, "high": 100},
    },
    "features": CHOICE,
}
# The same for the catalogue: unit and usual spread.
SIGNALS = {"pace": ("m/s", 0.2), "recovery": ("%", None), "water": ("mL", None)}
MAPPING = """
source: study
time_zone: Europe/Berlin
received: end_of_local_day
files:
  - {path: people.csv, table: subjects, columns: {subject_id: id, enrolled_on: since}}
  - {path: pace.csv, table: signals, columns: {subject_id: id, observed_at: at, name: {value: pace}, value: {column: mps, unit: m/s}}}
  - path: scores.csv
    table: wearable_days
    columns: {subject_id: id, local_date: day}
    melt: {into: metric, columns: {sleep_score: score}}
  - path: vendor.csv
    table: signals
    columns: {subject_id: id, observed_at: day}
    melt: {into: name, columns: {water: {column: litres, unit: L}, recovery: {column: rec, unit: "%"}}}
"""
FIRST = pd.Timestamp("2026-05-01")
N_DAYS = 20


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One subject with two values of a signal and a vendor's three figures a day, for twenty days, two of them not on one."""
    days = [FIRST + pd.Timedelta(days=n) for n in range(N_DAYS)]
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "people.csv").write_text("id,since\nzebra-1,2026-05-01\n")
    paces = [
        f"zebra-1,{day:%Y-%m-%d} {hour}:00,{1 + n / 100 + hour / 1000}"
        for n, day in enumerate(days)
        for hour in (10, 20)
    ]
    (exports / "pace.csv").write_text("\n".join(["id,at,mps", *paces]))
    (exports / "scores.csv").write_text(
        "\n".join(["id,day,score", *(f"zebra-1,{d:%Y-%m-%d},{60 + n}" for n, d in enumerate(days))])
    )
    vendor = [f"zebra-1,{day:%Y-%m-%d},{2 + n / 10},{50 + n}" for n, day in enumerate(days) if n != 10]
    (exports / "vendor.csv").write_text("\n".join(["id,day,litres,rec", *vendor]))
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    (tmp_path / "foretide.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    return tmp_path


def told(home: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `foretide features`."""
    done = subprocess.run([FORETIDE, "features", *arguments], cwd=home, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def rows(home: Path, *arguments: str) -> list[dict[str, object]]:
    """The rows that the command answers with."""
    code, said, complaint = told(home, *arguments, "--json")
    assert code == 0, complaint
    return json.loads(said)["rows"]


def test_a_declared_signal_and_a_daily_metric_reach_the_stored_matrix(home):
    """Declared in the configuration, mapped from a file, and there as features: no code, from the door to the matrix."""
    installation = Installation(load_settings(home / "foretide.yaml"))
    ingest_all(installation)
    training_matrices(installation, f"{FIRST + pd.Timedelta(days=N_DAYS):%Y-%m-%d}")
    matrix = installation.lake.load("training_matrix_crisis").set_index("index_date")
    row = matrix.loc[FIRST + pd.Timedelta(days=14)]
    # Days 7 to 13: medians 1 + n / 100 + (0.010 + 0.020) / 2, hence 1.10 + 0.015; scores 60 + n, hence 70.
    assert row["signals_pace_mean_7d"] == pytest.approx(1.115)
    assert row["signals_sleep_score_mean_7d"] == pytest.approx(70)
    assert row["signals_pace_sd_28d"] == pytest.approx(np.std(np.arange(14) / 100, ddof=1))
    # The past of 7 days has the median 1.045 and the MAD 0.02; the usual spread of 0.2 weighs as much as it.
    spread = np.sqrt((7 * (1.4826 * 0.02) ** 2 + 7 * 0.2**2) / 14)
    assert row["signals_pace_z_7d"] == pytest.approx((1.115 - 1.045) / spread * 7 / 14)
    assert {STANDARD.by_name[name].family for name in matrix if name.startswith("heart")} == {"own_past"}
    # Daily figures that no table knows, declared as signals: days 7 to 13 without 10, and 13 of 14 days known.
    assert row["signals_water_mean_7d"] == pytest.approx(1000 * (2 + (7 + 8 + 9 + 11 + 12 + 13) / 60))
    assert row["signals_recovery_mean_7d"] == pytest.approx(60)
    assert row["signals_water_coverage_28d"] == pytest.approx(13 / 14)


def test_a_model_that_would_see_nothing_is_not_trained():
    """Only features without any value are on: that is a mistake of the configuration or of the data, and no model."""
    matrix = pd.DataFrame(
        {"subject_id": "ann", "index_date": FIRST, "history_episodes_ever": [0.0, 1.0], "mood_valence_mean_7d": np.nan}
    )
    with pytest.raises(
        Refused, match="None of the 1 features that are on tells rows .* apart: 1 have no value.*`features:`"
    ):
        candidates(matrix, ["mood_valence_mean_7d"], Training())
    model = candidates(matrix, ["mood_valence_mean_7d", "history_episodes_ever"], Training())[0]
    assert model.features == ("history_episodes_ever",)


def test_features_that_tell_nothing_apart_are_left_out_and_counted():
    """The same value everywhere, also where it is missing in places, and no value at all; what varies stays."""
    told = {"history_episodes_ever": [0.0, 1.0, 2.0], "mood_valence_mean_7d": np.nan, "sleep_duration_mean_7d_min": 420.0,
            "activity_steps_mean_7d": [1.0, np.nan, 1.0], "adherence_coverage_28d": [0.5, 0.6, np.nan]}  # fmt: skip
    matrix = pd.DataFrame({"subject_id": "ann", "index_date": FIRST, **told})
    assert candidates(matrix, list(told), Training())[0].features == ("history_episodes_ever", "adherence_coverage_28d")
    assert without_use(matrix, list(told)) == {"features_on": 5, "without_value": 1, "constant": 2}
    with pytest.raises(Refused, match="0 have no value, 1 the same everywhere"):
        candidates(matrix, ["sleep_duration_mean_7d_min"], Training())


def test_the_command_lists_every_feature_and_what_is_on(home):
    """Tidy rows: all of the catalogue and of the declared signals, on or off under this configuration."""
    found = rows(home)
    declared = STANDARD.with_signals(SIGNALS)
    assert [row["feature"] for row in found] == [feature.name for feature in declared.features]
    assert {row["feature"] for row in found if row["on"]} == set(declared.chosen(CHOICE["add"], CHOICE["drop"]))
    assert {row["feature"] for row in found if row["on_by_default"]} == set(declared.chosen())


def test_the_command_tells_all_of_one_feature(home):
    """Unit, window, least data, formula, full citation and reason; on a terminal as well as in JSON."""
    (row,) = rows(home, "sleep_duration_mean_7d_min")
    assert (row["unit"], row["window_days"], row["minimum"], row["on"]) == ("min", 7, "3 valid days", True)
    assert row["source"] == CITATIONS["AASM"]
    assert row["grain"] == "subject x index date"
    assert row["coverage"] == "sleep_duration_coverage_7d"
    _, said, _ = told(home, "sleep_duration_mean_7d_min")
    assert all(str(row[key]) in said for key in ("feature", "family", "minimum", "rationale", "words"))


def test_the_command_lists_a_family(home):
    """Its own features only; a dropped family is there and off."""
    found = rows(home, "heart")
    assert {row["family"] for row in found} == {"heart"}
    assert not any(row["on"] for row in found)
    _, said, _ = told(home, "heart")
    assert f"0 of {len(found)} are on" in said


def seen(home: Path, *arguments: str) -> str:
    """What `foretide features` shows on a terminal."""
    terminal, inside = pty.openpty()
    done = subprocess.Popen([FORETIDE, "features", *arguments], cwd=home, stdout=inside, stderr=inside,
                            env={**os.environ, "COLUMNS": "200"})  # fmt: skip
    os.close(inside)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that nobody writes any more
        while part := os.read(terminal, 65536):
            shown += part
    os.close(terminal)
    assert done.wait() == 0, shown
    return shown.decode()


def test_the_command_lists_what_is_made_of_a_measure(home):
    """By the measure's name in the dictionary: its statistics, and those of no other."""
    names = {row["feature"] for row in rows(home, "sleep_duration")}
    assert {"sleep_duration_mean_7d_min", "sleep_duration_z_28d"} <= names
    assert all(name.startswith("sleep_duration_") for name in names)


def test_a_terminal_shows_the_families_and_how_to_see_more(home):
    """Two thousand lines would run past: the families with their counts instead; in a pipe every feature is a line."""
    shown, catalog = seen(home), STANDARD.with_signals(SIGNALS)
    lines = {line.split()[0]: line.split()[1:3] for line in shown.splitlines() if line.strip()}
    of_family = [feature.name for feature in catalog.features if feature.family == "sleep"]
    on = set(catalog.chosen(CHOICE["add"], CHOICE["drop"]))
    assert lines["sleep"] == [str(len(of_family)), str(len(on.intersection(of_family)))]
    assert lines["heart"][1] == "0"
    assert set(RATIONALE) <= set(lines)
    assert len(shown.splitlines()) < 20
    assert all(hint in shown for hint in ("`foretide features sleep`", "`foretide features NAME`", "`--all`"))
    _, piped, _ = told(home)
    assert len(piped.splitlines()) > len(catalog.features)


def test_a_terminal_shows_every_feature_when_asked(home):
    """`--all` is for those who want to scroll; it goes with no name."""
    assert len(seen(home, "--all").splitlines()) > len(STANDARD.features)
    code, _, complaint = told(home, "sleep", "--all")
    assert code == 2
    assert "`--all`" in complaint


def test_an_unknown_name_is_refused_with_the_nearest(home):
    """Usage, exit code 2."""
    code, said, complaint = told(home, "circadain")
    assert (code, said) == (2, "")
    assert "`circadain` is no feature of the catalogue; perhaps `circadian`." in complaint


def test_the_command_costs_the_others_nothing():
    """The list of commands is there without the compiler of numeric code that the catalogue needs."""
    program = "import sys, pipelines.cli.main; print('numba' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_features_that_need_longer_than_anybody_is_followed_are_named():
    """Windows of 90 days in a cohort of 60: what to drop is said, instead of a fault somewhere later."""
    matrix, labels = cohort(30, 60)
    matrix = matrix.assign(early_warning_mood_variance_90d=0.0)
    both = pd.concat([labels, labels.assign(task="burden")], ignore_index=True)
    asked = (Predictor(MODEL, "boosted_trees", ("history_episode_rate", "early_warning_mood_variance_90d")),)
    with pytest.raises(
        ModelsError, match="later than 100 days after their enrolment, .*`early_warning_mood_variance_90d` needs"
    ):
        evaluate_outcome("made up", matrix, both, OUTCOME, 14, asked, Training(), 0.1, {}, lambda *told: None)
