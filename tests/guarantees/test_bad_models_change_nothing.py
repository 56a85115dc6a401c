"""Whatever cannot be learnt from or scored by is refused with reason and cure, and nothing is registered or served.

The real command runs in a home whose champion serves, with one thing after another that makes a model impossible.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipelines.installation import Installation
from pipelines.release.registry import CHAMPION
from pipelines.settings import load_settings
from tests.pipelines.small_job import NIGHT, ROOT, foretide, make_smallest_home

NAME = "foretide-crisis"
EARLY = "2026-02-10"
FAMILIES = ["mood", "sleep", "activity", "circadian", "heart", "adherence", "history", "own_past", "early_warning"]


MAPPING = """
source: study
time_zone: Europe/Berlin
received: end_of_local_day
files:
  - {path: people.csv, table: subjects, columns: {subject_id: id, enrolled_on: since}}
  - {path: sleep.csv, table: sleep, columns: {subject_id: id, onset_at: bed, offset_at: up}}
  - {path: events.csv, table: events, columns: {subject_id: id, occurred_at: day, kind: kind}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A small home that was trained and scored once."""
    folder = make_smallest_home(tmp_path_factory.mktemp("served"))
    for command in ("train", "score"):
        code, answer, said = foretide(folder, command, "--as-of", NIGHT)
        assert code == 0, (answer, said)
    return folder


def what_counts(home: Path) -> dict[str, str]:
    """Hash of every file of deliveries, models and registered versions, and which version serves."""
    installation = Installation(load_settings(home / "foretide.yaml"))
    state = installation.settings.state_folder
    folders = (installation.settings.deliveries_folder, installation.registry.artifact_root)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    told = {str(path.relative_to(state)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    champion = installation.registry.find(NAME, CHAMPION)
    assert champion is not None
    versions = [str(v.version) for v in installation.registry._client.search_model_versions(f"name='{NAME}'")]
    return told | {"champion": champion.version, "versions": ",".join(sorted(versions))}


@dataclass(frozen=True)
class Bad:
    """What is declared otherwise, section by section; the command; and what the refusal names."""

    told: tuple[str, ...]
    sections: dict[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ("train", "--as-of", NIGHT)


CASES = {
    "nobody was followed up long enough": Bad(("crisis", "Gather more data"), command=("train", "--as-of", EARLY)),
    "one class in a fold": Bad(("too few", "folds"), {"training": {"folds": 55}}),
    "features without any value": Bad(
        ("None of the", "tells rows of this cohort apart", "have no value"),
        {"signals": {"screen_time": {"unit": "min", "low": 0, "high": 1440}},
         "features": {"add": ["signals_screen_time"], "drop": FAMILIES}}),
    "an outcome that no stream gives": Bad(
        ("`never`", "column `kind` of `events`"), {"outcomes": {"crisis": {"events": ["never"], "horizons_days": [14]}}}),
}  # fmt: skip


def refused(home: Path, bad: Bad) -> str:
    """What the command says, given with other declarations in the same home; it must fail and change nothing that counts."""
    before = what_counts(home)
    content = yaml.safe_load((home / "foretide.yaml").read_text())
    for section, changes in bad.sections.items():
        content[section] = {**content.get(section, {}), **changes}
    (home / "other.yaml").write_text(yaml.safe_dump(content))
    code, answer, said = foretide(home, *bad.command, "--config", "other.yaml")
    assert code in (1, 2), (answer, said)
    assert not answer["ok"]
    assert what_counts(home) == before
    return str(answer["error"])


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_learnt_from_is_named_with_its_cure_and_changes_nothing(home, case):
    """The champion goes on serving."""
    said = refused(home, CASES[case])
    assert all(word in said for word in CASES[case].told), said


def test_a_study_of_one_is_refused_and_registers_nothing(tmp_path):
    """A model is tested on others than it learnt from."""
    (tmp_path / "people.csv").write_text("id,since\nzebra-1,2026-01-01\n")
    days = [f"{day:%Y-%m-%d}" for day in pd.date_range("2026-01-01", "2026-06-01")]
    nights = "".join(f"zebra-1,{day} 01:00,{day} 08:00\n" for day in days)
    (tmp_path / "sleep.csv").write_text("id,bed,up\n" + nights)
    (tmp_path / "events.csv").write_text("id,day,kind\nzebra-1,2026-04-01,panic\n")
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    content = {
        "sources": [{"format": "table", "path": str(tmp_path), "mapping": "mapping.yaml"}],
        "outcomes": {"crisis": {"events": ["panic"], "horizons_days": [14]}},
    }
    (tmp_path / "foretide.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    code, answer, said = foretide(tmp_path, "train", "--as-of", "2026-07-01")
    assert code == 1, answer["error"]
    assert "A model is tested on others than it learnt from. Gather more subjects." in answer["error"]
    assert "zebra" not in answer["error"]
    assert not list(tmp_path.rglob("model.json"))


def test_altered_files_of_the_champion_score_nobody(home):
    """In the store and in the cache, with hashes that fit: the night is refused, and the delivery of before stays."""
    before = what_counts(home)
    altered = {path: path.read_bytes() for path in (home / ".state").rglob("model.json")}
    altered |= {path.with_name("hashes.json"): path.with_name("hashes.json").read_bytes() for path in altered}
    for path in altered:
        if path.name == "model.json":
            path.write_bytes(path.read_bytes().replace(b'"horizons_days": [14]', b'"horizons_days": [15]'))
    for path in altered:
        if path.name == "hashes.json":
            named = {
                name: hashlib.sha256(path.with_name(name).read_bytes()).hexdigest()
                for name in json.loads(path.read_text())
            }
            path.write_text(json.dumps(named))
    code, answer, _ = foretide(home, "score", "--as-of", NIGHT)
    for path, content in altered.items():
        # The cache throws away what is not as it was registered.
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert code == 1, answer
    assert "registered" in answer["error"]
    assert what_counts(home) == before
