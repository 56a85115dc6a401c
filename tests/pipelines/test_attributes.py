"""Further audit attributes: from a column of the sender's file to a column of the cohort."""

from pathlib import Path

import pandas as pd
import yaml

from pipelines import cohort
from pipelines.door.intake import ingest
from pipelines.lake import Lake
from pipelines.settings import settings_from
from pipelines.sources.table import read
from pipelines.sources.table.mapping import load_mapping

OUTCOMES = {"crisis": {"events": ["panic"], "horizons_days": [7]}}
PEOPLE = {"path": "people.csv", "table": "subjects", "attributes": {"education": {"column": "edu", "recode": {1: "school", 2: None}}},
          "columns": {"subject_id": "id", "enrolled_on": "start", "sex": "sex"}}  # fmt: skip


def test_a_declared_attribute_is_a_column_of_the_cohort(tmp_path: Path):
    """What the mapping calls education, the audit can compare by that name; what nobody gave is not recorded."""
    (tmp_path / "people.csv").write_text("id,start,sex,edu\na,2026-05-01,F,1\nb,2026-05-01,M,2\n")
    (tmp_path / "m.yaml").write_text(yaml.safe_dump({"source": "s", "files": [PEOPLE]}))
    lake = Lake(tmp_path / "lake")
    ingest(lake, read(tmp_path, load_mapping(tmp_path / "m.yaml")), "1", pd.Timestamp("2026-05-02", tz="UTC"))
    declared = {"attributes": ["sex", "education", "housing"]}
    settings = settings_from({"outcomes": OUTCOMES, "audit": declared}, tmp_path)
    subjects = cohort.load(lake, settings, pd.Timestamp("2026-06-01")).subjects.set_index("subject_id")
    assert subjects["education"].fillna("none").to_dict() == {"a": "school", "b": "none"}
    assert subjects["housing"].isna().all()
    assert "attributes" not in subjects
