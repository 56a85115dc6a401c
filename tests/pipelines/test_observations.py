"""When something was last observed of each subject: the newest that was known, in whichever month's files it lies."""

import pandas as pd

from pipelines import cohort
from pipelines.door.intake import ingest
from pipelines.lake import Lake
from pipelines.observations import last_observations
from pipelines.settings import settings_from
from pipelines.sources.batch import Batch

INSTANTS = ("answered_at", "onset_at", "offset_at", "received_at")


def batch(table: str, rows: list[dict[str, object]]) -> Batch:
    """Rows of a table with instants as UTC."""
    frame = pd.DataFrame(rows)
    for name in frame.columns.intersection(INSTANTS):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    return Batch(table, frame, f"{table}.csv")


def answer(subject: str, at: str, received: str) -> dict[str, object]:
    """A mood answer."""
    return {"subject_id": subject, "answered_at": at, "item": "mood", "value": 5.0, "scale_min": 0.0, "scale_max": 10.0,
            "received_at": received}  # fmt: skip


def test_the_newest_of_all_streams_that_was_known_wherever_it_is_kept(tmp_path):
    """Sleep that began in June and ended in July is newer than an answer of July; what was not
    received by the cutoff is not seen; who fell silent in April is found there."""
    lake = Lake(tmp_path / "lake")
    ids = ("s-sleeper", "s-late", "s-silent")
    people = [
        {"subject_id": name, "enrolled_on": pd.Timestamp("2026-04-01").date(), "received_at": "2026-04-01T00:00Z"}
        for name in ids
    ]
    sleep = {"subject_id": "s-sleeper", "onset_at": "2026-06-30T22:00Z", "offset_at": "2026-07-01T02:00Z", "is_main": True,
             "record_id": "n1", "received_at": "2026-07-01T02:30Z"}  # fmt: skip
    answers = [
        answer("s-sleeper", "2026-07-01T00:30Z", "2026-07-01T00:31Z"),
        answer("s-late", "2026-06-29T10:00Z", "2026-06-29T10:00Z"),
        answer("s-late", "2026-06-30T10:00Z", "2026-07-01T10:00Z"),
        answer("s-silent", "2026-04-02T10:00Z", "2026-04-02T10:00Z"),
    ]
    for number, of in enumerate((batch("subjects", people), batch("sleep", [sleep]), batch("mood", answers))):
        assert ingest(lake, [of], f"delivery-{number}").is_new
    settings = settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, tmp_path)
    found = last_observations(lake, cohort.load(lake, settings, pd.Timestamp("2026-07-01")))
    assert found.to_dict() == {
        "s-sleeper": pd.Timestamp("2026-07-01T02:00Z"),
        "s-late": pd.Timestamp("2026-06-29T10:00Z"),
        "s-silent": pd.Timestamp("2026-04-02T10:00Z"),
    }
