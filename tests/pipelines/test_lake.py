"""The lake: what was known when, versions and deletions, and ingests that happen whole, once, or not at all."""

import multiprocessing
import os
import random
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.tables import TABLES
from pipelines import contents
from pipelines.door.intake import IntakeReport, ingest
from pipelines.door.policy import DoorPolicy, SignalLimits
from pipelines.door.rules import NOT_ENROLLED, NOT_FROM_THE_FUTURE
from pipelines.errors import Refused
from pipelines.lake import Lake
from pipelines.sources.batch import Batch

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2026-06-01T20:00:00Z")
LATER = START + 300 * DAY
SUBJECTS = ("s-0", "s-1", "s-2")
# A plausible value for each kind of column, and for the columns that need one of their own.
SAMPLES = {
    "instant": START + DAY, "day": (START + DAY).date(), "real": 50.0, "integer": 60, "string": "word", "flag": False,
    "subject_id": "s-0", "scale_min": 0.0, "scale_max": 60.0, "onset_at": START + DAY / 2, "status": "active", "attributes": "{}",
    "metric": "worn_minutes", "unit": "min", "verdict": "useful",
}  # fmt: skip

DECLARED = DoorPolicy(signals={"word": SignalLimits("min")})

# One mood answer: subject, day of the answer, value, day of receipt, taken back or not.
Answer = tuple[str, int, float, int, bool]


def enrolment() -> Batch:
    """Three subjects, known from the first day on."""
    frame = pd.DataFrame({"subject_id": SUBJECTS, "enrolled_on": START.date(), "received_at": START})
    return Batch("subjects", frame, "subjects.csv")


def mood(answers: Iterable[Answer], file: str = "mood.csv") -> Batch:
    """Answers to one item on a scale from 0 to 10."""
    rows = [
        {"subject_id": subject, "answered_at": START + day * DAY, "item": "mood", "value": value, "scale_min": 0.0,
         "scale_max": 10.0, "received_at": START + received * DAY, "is_deleted": is_deleted}
        for subject, day, value, received, is_deleted in answers
    ]  # fmt: skip
    frame = pd.DataFrame(rows).astype({"answered_at": "datetime64[us, UTC]", "received_at": "datetime64[us, UTC]"})
    return Batch("mood", frame, file)


def lake_with(folder: Path, *deliveries: list[Answer]) -> Lake:
    """A lake that knows the subjects and took in deliveries, one ingest each."""
    lake = Lake(folder)
    ingest(lake, [enrolment()], "enrolment")
    for number, answers in enumerate(deliveries):
        ingest(lake, [mood(answers)], f"delivery-{number}")
    return lake


def seen(lake: Lake, received_by: int) -> list[tuple[str, int, float]]:
    """Subject, day and value of each answer known on a day, sorted."""
    rows = lake.read("mood", START + received_by * DAY).project("subject_id, answered_at, value").df()
    days = (rows["answered_at"] - START).dt.days
    return sorted(zip(rows["subject_id"], days.astype(int), rows["value"], strict=True))


def stored(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    """Every stored row of every table, sorted: the whole content of the lake."""
    connection = lake.connection()
    return {name: sorted(lake.rows(name, connection).fetchall(), key=str) for name in TABLES}


def quarantined(lake: Lake) -> list[tuple[str, str, str, int]]:
    """Table, rule, file and row number of each row in quarantine, sorted."""
    files = DeltaTable(str(lake.root / "quarantine")).file_uris()
    if not files:
        return []
    return duckdb.sql(f'SELECT "table", rule, file, row_number FROM read_parquet({files}) ORDER BY ALL').fetchall()


def test_a_row_received_later_is_not_seen(tmp_path):
    """A read at an instant yields what had been received by it, to the very instant, and nothing more."""
    lake = lake_with(tmp_path, [("s-0", 1, 5.0, 2, False), ("s-0", 2, 6.0, 9, False)])
    assert seen(lake, 1) == []
    assert seen(lake, 2) == [("s-0", 1, 5.0)]
    assert seen(lake, 8) == [("s-0", 1, 5.0)]
    assert seen(lake, 9) == [("s-0", 1, 5.0), ("s-0", 2, 6.0)]
    just_before = START + 9 * DAY - pd.Timedelta(microseconds=1)
    assert lake.read("mood", just_before).aggregate("count(*)").fetchall() == [(1,)]


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_empty_at_first_takes_in_a_row_and_gives_it_back(tmp_path, name):
    """Any declared table can be read before anything was ingested; a row put in is read until it is taken back."""
    lake = Lake(tmp_path)
    assert set(TABLES[name].arrow_schema().names) <= set(lake.read(name, LATER).df().columns)
    assert (lake.read(name, LATER).fetchall(), lake.tables()) == ([], [])
    ingest(lake, [enrolment()], "enrolment")
    row = {column.name: SAMPLES.get(column.name, SAMPLES[column.kind]) for column in TABLES[name].columns}
    for received, is_deleted in ((2, False), (3, True)):
        clocks = {"received_at": START + received * DAY, "is_deleted": is_deleted, "device_id": "d-1"}
        batch = Batch(name, pd.DataFrame([{**row, **clocks}]), "one.csv")
        report = ingest(lake, [batch], f"{name} {received}", policy=DECLARED)
        assert report.count(name, "appended") == 1
    again = batch.frame.assign(received_at=START + 4 * DAY)
    report = ingest(lake, [Batch(name, again, "again.csv")], f"{name} again", policy=DECLARED)
    assert (report.count(name, "appended"), report.count(name, "duplicate")) == (0, 1)
    assert len(lake.read(name, START + 2 * DAY).filter("device_id = 'd-1'").fetchall()) == 1
    assert lake.read(name, START + 3 * DAY).filter("device_id = 'd-1'").fetchall() == []


def test_the_latest_version_wins_from_its_receipt_on(tmp_path):
    """A correction is what is read once it was received; before that, the first version is."""
    lake = lake_with(tmp_path, [("s-0", 1, 5.0, 2, False)], [("s-0", 1, 3.0, 4, False)])
    assert seen(lake, 3) == [("s-0", 1, 5.0)]
    assert seen(lake, 4) == [("s-0", 1, 3.0)]
    versions = lake.history("mood", LATER, lake.connection()).project("version, value").fetchall()
    assert sorted(versions) == [(0, 5.0), (1, 3.0)]


def test_a_deletion_hides_the_row_from_its_receipt_on(tmp_path):
    """What the sender took back is not read any more, is still there for an earlier night, and can come again."""
    lake = lake_with(
        tmp_path, [("s-0", 1, 5.0, 2, False)], [("s-0", 1, 5.0, 4, True)], [("s-0", 1, 7.0, 6, False)]
    )  # fmt: skip
    assert seen(lake, 3) == [("s-0", 1, 5.0)]
    assert seen(lake, 4) == []
    assert seen(lake, 6) == [("s-0", 1, 7.0)]


def test_a_deletion_needs_the_key_alone(tmp_path):
    """Who takes a row back need not say again what was in it."""
    lake = lake_with(tmp_path, [("s-0", 1, 5.0, 2, False)])
    back = mood([("s-0", 1, 5.0, 4, True)]).frame.assign(value=None, scale_min=None, scale_max=None)
    assert ingest(lake, [Batch("mood", back, "mood.csv")], "back").count("mood", "appended") == 1
    assert (seen(lake, 3), seen(lake, 4)) == ([("s-0", 1, 5.0)], [])


@pytest.mark.parametrize("name", [" t-0", "t-0 ", "t-0\nx", "t-0\x07", "t" * 65])
def test_an_id_that_could_not_be_withdrawn_does_not_get_in(tmp_path, name):
    """Blanks at the edges, control characters and endless ids go into quarantine, whoever they may be."""
    lake = lake_with(tmp_path)
    report = ingest(lake, [mood([(name, 1, 5.0, 2, False), ("s-1", 1, 5.0, 2, False)])], "unclean")
    assert report.broken["mood"] == {"subject_id_is_clean": 1}
    assert seen(lake, 9) == [("s-1", 1, 5.0)]


def test_two_devices_at_one_instant_are_two_facts(tmp_path):
    """Rows of two devices or two sources with one time are not corrections of each other."""
    lake = lake_with(tmp_path)
    rows = mood([("s-0", 1, 5.0, 2, False)] * 3).frame.assign(device_id=["a", "b", "a"], source=["x", "x", "y"])
    ingest(lake, [Batch("mood", rows.assign(value=[1.0, 2.0, 3.0]), "mood.csv")], "devices")
    assert [value for _, _, value in seen(lake, 2)] == [1.0, 2.0, 3.0]


def test_the_same_content_ingested_twice_changes_nothing(tmp_path):
    """The second ingest of a content reports that it is not new, and adds neither rows nor another version."""
    answers = [("s-0", 1, 5.0, 2, False), ("s-1", 1, 11.0, 2, False)]
    lake = lake_with(tmp_path, answers)
    before, version, broken = stored(lake), contents.version(lake, LATER), quarantined(lake)
    again = ingest(lake, [mood(answers)], "delivery-0")
    assert not again.is_new
    assert again.ingest_id == "delivery-0"
    assert (again.count("mood", "appended"), again.count("mood", "quarantined")) == (0, 0)
    assert (stored(lake), contents.version(lake, LATER), quarantined(lake)) == (before, version, broken)


def test_known_rows_under_a_new_ingest_add_nothing(tmp_path):
    """A longer export that repeats what is known, received later, adds its new rows alone."""
    lake = lake_with(tmp_path, [("s-0", 1, 5.0, 2, False)])
    report = ingest(lake, [mood([("s-0", 1, 5.0, 8, False), ("s-0", 2, 6.0, 8, False)])], "longer")
    assert (report.count("mood", "duplicate"), report.count("mood", "appended")) == (1, 1)
    assert seen(lake, 2) == [("s-0", 1, 5.0)]
    assert seen(lake, 8) == [("s-0", 1, 5.0), ("s-0", 2, 6.0)]


def timelines(seed: int) -> list[Answer]:
    """Answers under 240 keys with few values and receipts, so that repeats, ties and deletions meet in every way."""
    dice = random.Random(seed)
    return [
        (who, day, dice.choice([1.0, 2.0, 3.0]), dice.randint(90, 93), dice.random() < 0.2)
        for who in SUBJECTS for day in range(80) for _ in range(dice.randint(1, 6))
    ]  # fmt: skip


@settings(max_examples=12, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), parts=st.integers(1, 5))
def test_duplicate_reordered_and_split_deliveries_give_the_same_state(tmp_path_factory, seed, parts):
    """However the rows are shuffled, repeated and cut into ingests, every night reads the same."""
    answers, dice = timelines(seed), random.Random(seed + 1)
    shuffled = dice.sample([*answers, *answers[: len(answers) // 3]], len(answers) + len(answers) // 3)
    once = lake_with(tmp_path_factory.mktemp("once"), answers)
    otherwise = lake_with(tmp_path_factory.mktemp("otherwise"), *(shuffled[part::parts] for part in range(parts)))
    for received_by in range(90, 94):
        assert seen(otherwise, received_by) == seen(once, received_by)


def test_a_late_delivery_does_not_undo_what_was_said_after_it(tmp_path):
    """5 on day 2, 3 on day 4, 5 again on day 6: it is 5 in the end, also when the day-4 file arrives last."""
    first, second, third = (("s-0", 1, value, received, False) for value, received in ((5.0, 2), (3.0, 4), (5.0, 6)))
    in_turn = lake_with(tmp_path / "in-turn", [first], [second], [third])
    late = lake_with(tmp_path / "late", [first], [third], [second])
    for received_by in (2, 4, 6):
        assert seen(late, received_by) == seen(in_turn, received_by)


def stop_while(what: str, how: BaseException):
    """A progress function that fails when it hears that `what` is being done."""

    def report(doing: str, share: float | None = None) -> None:
        if doing == what:
            raise how

    return report


def two_tables() -> list[Batch]:
    """A delivery with a new subject, an answer of theirs, and one row that breaks a rule."""
    subjects = pd.DataFrame({"subject_id": ["s-9"], "enrolled_on": START.date(), "received_at": START + 2 * DAY})
    answers = [("s-9", 1, 5.0, 2, False), ("s-0", 1, 99.0, 2, False)]
    return [Batch("subjects", subjects, "subjects.csv"), mood(answers)]


def torn() -> Iterator[Batch]:
    """A delivery whose second file cannot be used."""
    yield mood([("s-0", 3, 5.0, 4, False)])
    yield Batch("mood", pd.DataFrame({"subject_id": ["s-0"], "value": ["much"]}), "broken.csv")


def test_an_ingest_whose_file_cannot_be_used_leaves_no_trace(tmp_path):
    """The good file before the broken one is not taken in, and the mended delivery is, as if for the first time."""
    lake = lake_with(tmp_path, [("s-0", 1, 5.0, 2, False)])
    before = stored(lake)
    with pytest.raises(Refused, match=r"broken\.csv lacks .* columns"):
        ingest(lake, torn(), "torn")
    assert stored(lake) == before
    assert not list(lake.root.rglob("*torn*"))
    assert ingest(lake, [mood([("s-0", 3, 5.0, 4, False)])], "torn").count("mood", "appended") == 1


def test_an_ingest_that_fails_between_two_tables_is_taken_back(tmp_path):
    """A fault after the first table was stored leaves rows, ledger and quarantine as they were."""
    lake = lake_with(tmp_path, [("s-0", 1, 5.0, 2, False), ("s-1", 1, 11.0, 2, False)])
    before, broken, ledger = stored(lake), quarantined(lake), sorted((lake.root / "ingests").iterdir())
    with pytest.raises(OSError, match="no space"):
        ingest(lake, two_tables(), "half", progress=stop_while("storing mood", OSError("no space")))
    assert (stored(lake), quarantined(lake)) == (before, broken)
    assert sorted((lake.root / "ingests").iterdir()) == ledger
    assert not list((lake.root / "staging").glob("*"))


def killed_while_storing_mood(root: str) -> None:
    """Ingest two tables in a process that dies by kill -9 after the first was stored."""

    def report(doing: str, share: float | None = None) -> None:
        if doing == "storing mood":
            os.kill(os.getpid(), signal.SIGKILL)

    ingest(Lake(Path(root)), two_tables(), "killed", progress=report)


def test_an_ingest_that_was_killed_is_taken_back_by_the_next(tmp_path):
    """After kill -9 between two tables, the next ingest finds the lake as it was, and a rerun takes all in."""
    lake = lake_with(tmp_path, [("s-0", 1, 5.0, 2, False), ("s-1", 1, 11.0, 2, False)])
    before, broken = stored(lake), quarantined(lake)
    child = multiprocessing.get_context("spawn").Process(target=killed_while_storing_mood, args=(str(tmp_path),))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert stored(lake)["subjects"] != before["subjects"]  # the kill came in between, as meant
    assert not ingest(lake, [mood([("s-0", 1, 5.0, 2, False)])], "delivery-0").is_new
    ingest(lake, [mood([("s-0", 1, 5.0, 2, False)])], "nothing new")
    assert (stored(lake), quarantined(lake)) == (before, broken)
    assert ingest(lake, two_tables(), "killed").count("subjects", "appended") == 1
    assert seen(lake, 2) == [("s-0", 1, 5.0), ("s-9", 1, 5.0)]


def broken_delivery(lake: Lake) -> IntakeReport:
    """Six answers, of which the second, third, fourth and fifth break a rule each."""
    rows = mood([("s-0", day, 5.0, 9, False) for day in range(6)]).frame
    rows["value"] = [5.0, 12.0, 5.0, 5.0, None, 5.0]
    rows["subject_id"] = ["s-0", "s-0", "stranger", "s-1", "s-1", "s-2"]
    rows["answered_at"] = rows["answered_at"].mask(rows.index == 3, START + 40 * DAY)
    return ingest(lake, [Batch("mood", rows, "mood.csv")], "broken")


def test_quarantine_keeps_broken_rows_with_rule_and_place_while_good_rows_go_on(tmp_path):
    """Rows off their scale, from the future, of a stranger or without a value are kept apart; the others are read."""
    lake = lake_with(tmp_path)
    report = broken_delivery(lake)
    assert quarantined(lake) == [
        ("mood", NOT_FROM_THE_FUTURE, "mood.csv", 4),
        ("mood", NOT_ENROLLED, "mood.csv", 3),
        ("mood", "value_is_given", "mood.csv", 5),
        ("mood", "value_is_on_its_scale", "mood.csv", 2),
    ]
    assert report.counts["mood"] == {
        "received": 6,
        "appended": 2,
        "duplicate": 0,
        "quarantined": 4,
        "withdrawn": 0,
        "expired": 0,
    }
    rules = ("value_is_given", "value_is_on_its_scale", NOT_FROM_THE_FUTURE, NOT_ENROLLED)
    assert report.broken["mood"] == dict.fromkeys(rules, 1)
    assert seen(lake, 9) == [("s-0", 0, 5.0), ("s-2", 5, 5.0)]
    told = f"{report.summary()} {report.rows()} {(lake.root / 'ingests' / 'broken.json').read_text()}"
    assert not any(name in told for name in (*SUBJECTS, "stranger", "12.0"))  # counts, rules and hashes only


def test_a_row_without_receipt_time_is_refused(tmp_path):
    """Nobody knows what was knowable from rows that do not say when they came; the cure is an option."""
    lake = lake_with(tmp_path)
    rows = mood([("s-0", 1, 5.0, 2, False)]).frame.drop(columns="received_at")
    with pytest.raises(Refused, match="--received-at"):
        ingest(lake, [Batch("mood", rows, "mood.csv")], "silent")
    ingest(lake, [Batch("mood", rows, "mood.csv")], "silent", received_at=START + 2 * DAY)
    assert seen(lake, 2) == [("s-0", 1, 5.0)]
