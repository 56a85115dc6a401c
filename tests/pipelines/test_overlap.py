"""Whether two cohorts hold the same persons: equal facts under equal pseudonyms say so, equal pseudonyms alone do not."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from pipelines.door.intake import ingest
from pipelines.errors import Refused
from pipelines.lake import Lake
from pipelines.release.overlap import in_both
from pipelines.sources.batch import Batch

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

START, DAY = pd.Timestamp("2026-01-01T09:00:00Z"), pd.Timedelta(days=1)
LATER = START + 300 * DAY


def lake(folder: Path, first: int, days: list[int], hour: int = 0) -> Lake:
    """People `p-FIRST` and following, one for each day: enrolled on it, with an event three days and some hours later."""
    names = [f"p-{first + number}" for number in range(len(days))]
    enrolled = [START + day * DAY for day in days]
    people = pd.DataFrame({"subject_id": names, "enrolled_on": [at.date() for at in enrolled], "received_at": enrolled})
    at = [day + 3 * DAY + pd.Timedelta(hours=hour) for day in enrolled]
    events = pd.DataFrame(
        {"subject_id": names, "record_id": names, "occurred_at": at, "kind": "panic", "received_at": at}
    )
    made = Lake(folder)
    ingest(made, [Batch("subjects", people, "subjects.csv"), Batch("events", events, "events.csv")], "all")
    return made


def told(seen: Lake, tested: Lake) -> str:
    """What is said of persons in both."""
    return in_both(seen, LATER, tested, SimpleNamespace(known_at=LATER))


def test_equal_facts_under_equal_pseudonyms_are_refused_with_how_many(tmp_path):
    """The model's people and one more, or one of them among others: the same persons, whatever the lakes' versions."""
    seen = lake(tmp_path / "seen", 0, list(range(0, 60, 2)))
    for name, first, days, counts in (("more", 0, [*range(0, 60, 2), 71], "30 of 31 .* 30 of them .* and 30 with"),
                                      ("one", 29, [58, 3, 9, 21], "1 of 4 .* 1 of them .* and 1 with")):  # fmt: skip
        with pytest.raises(Refused, match=counts) as error:
            told(seen, lake(tmp_path / name, first, days))
        assert "Take them out of the cohort's sources" in str(error.value)
        assert "p-" not in str(error.value)


def test_an_equal_enrolment_alone_is_enough(tmp_path):
    """Where events were told to another minute, days of enrolment that differ from person to person still say who it is."""
    days = list(range(0, 60, 2))
    with pytest.raises(Refused, match="0 of them with an equal event and 30 with an equal enrolment"):
        told(lake(tmp_path / "seen", 0, days), lake(tmp_path / "tested", 0, days, hour=5))


def test_pseudonyms_that_merely_coincide_are_said(tmp_path):
    """Two senders count from 1, and everybody was enrolled when their study began, which is no news of anybody."""
    seen = lake(tmp_path / "seen", 0, [4] * 30)
    assert "30 of 30 pseudonyms" in told(seen, lake(tmp_path / "tested", 0, [4] * 30, hour=5))
    assert "if each sender counts from 1" in told(seen, lake(tmp_path / "other", 0, [9, 11, 30]))
    assert "No pseudonym occurs in both" in told(seen, lake(tmp_path / "strangers", 100, [4] * 30))
