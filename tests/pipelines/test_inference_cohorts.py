"""Drafts for the public cohorts come close to the mapping files that were written by hand. No row is ever shown.

The files are found through FORETIDE_DATA_DIR (default `../shared/data`); without them these tests are skipped.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.sources.inference import draft
from pipelines.sources.table import read
from pipelines.sources.table.mapping import Mapping, load_mapping
from tests.pipelines.inferred import filled

ROOT = Path(__file__).parents[2]
DATA = (ROOT / os.environ.get("FORETIDE_DATA_DIR", "../shared/data")).resolve()


def both(cohort: str, zone: str, tmp_path: Path) -> tuple[Mapping, Mapping]:
    """The ready mapping and the draft for a cohort, blanks filled."""
    if not (DATA / cohort).is_dir():
        pytest.skip(f"the public files of {cohort} are not here; FORETIDE_DATA_DIR names their folder")
    drafted = tmp_path / "draft.yaml"
    drafted.write_text(filled(draft(DATA / cohort), zone))
    return load_mapping(ROOT / "docs" / "examples" / f"{cohort}.yaml"), load_mapping(drafted)


def facts(mapping: Mapping) -> Iterator[tuple[object, ...]]:
    """Which column of which file becomes what, in which format; units as they convert."""
    for entry in mapping.files:
        named = [*entry.columns.items(), *(entry.melt.columns.items() if entry.melt else ())]
        for name, told in named:
            ours = told.column if entry.table in ("mood", "assessments") and entry.melt else name
            yield entry.path, entry.table, ours, told.column, told.format, (told.unit or "").replace("percent", "%")


def test_the_draft_for_bellabeat_is_the_ready_mapping(tmp_path):
    """With the zone filled in, the draft maps what the ready file maps, and reads as many rows."""
    ready, drafted = both("bellabeat", "America/Chicago", tmp_path)
    assert {fact[:5] for fact in facts(drafted)} == {fact[:5] for fact in facts(ready)}
    counts = [sum(batch.frame.num_rows for batch in read(DATA / "bellabeat", one)) for one in (ready, drafted)]
    assert counts == [33 + 940 * 3 + 413] * 2


def test_the_draft_for_lifesnaps_lacks_only_what_needs_a_decision(tmp_path):
    """All metrics, moods, scores and attributes are drafted; the signal and the events are a person's to declare."""
    ready, drafted = both("lifesnaps", "Europe/Athens", tmp_path)
    lacking = set(facts(ready)) - set(facts(drafted))
    assert {fact[1] for fact in lacking} == {"signals", "events"}
    surplus = {(fact[0], fact[1]) for fact in set(facts(drafted)) - set(facts(ready))}
    assert surplus == {("semas_read_from_the_base_experiment_dates.csv", "mood")}
