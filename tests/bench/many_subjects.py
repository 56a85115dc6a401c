"""A home of many subjects with a past, a champion, and a last night's minutes as a vendor sends them: for `test_night_speed.py`."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from scipy.special import expit

from features.tables import TABLES
from models import risk
from pipelines import engineering
from pipelines.ingestion import ingest_source
from pipelines.installation import Installation
from pipelines.release import ledger
from pipelines.release.registry import CHAMPION, model_name
from pipelines.sections import FileSource
from pipelines.settings import load_settings
from tests.pipelines.small_registry import train

ROOT = Path(__file__).parents[2]
NIGHT_BEFORE, NIGHT, NIGHT_AFTER = "2026-06-30", "2026-07-01", "2026-07-02"
MINUTES = 1440
# So many subjects in a file of minutes.
PER_FILE = 1000
# The local day before the night, in Berlin.
LAST_DAY = np.datetime64("2026-06-29T22:00", "m")
MAPPINGS = {
    "people": """
  - path: people.parquet
    table: subjects
    columns: {subject_id: id, site: clinic, sex: sex, age_band: ages, enrolled_on: since, received_at: told}
  - path: events.parquet
    table: events
    columns: {subject_id: id, occurred_at: at, kind: kind, received_at: told}""",
    "past": """
  - path: days-*.parquet
    table: wearable_days
    columns: {subject_id: id, local_date: day, device_id: device}
    melt:
      into: metric
      columns: {steps: steps, resting_heart_rate: {column: bpm, unit: bpm}}
  - path: nights-*.parquet
    table: sleep
    columns:
      subject_id: id
      onset_at: asleep
      offset_at: awake
      minutes_asleep: {column: minutes, unit: min}
      device_id: device
  - path: answers-*.parquet
    table: mood
    columns: {subject_id: id, answered_at: at}
    melt: {into: item, columns: {mood: {column: mood, scale: [0, 10]}}}""",
    "minutes": """
  - path: minutes-*.parquet
    table: wearable
    columns: {subject_id: id, minute_at: time, steps: steps, heart_rate: {column: bpm, unit: bpm}, device_id: device}""",
}


def declare(home: Path, *sources: str, dsn: str | None = None) -> Installation:
    """The installation of a home with the project's own configuration, whose sources are these folders of files.

    With a connection string every delivery goes to that database, too.
    """
    content = yaml.safe_load((ROOT / "foretide.yaml").read_text())
    content["sources"] = [{"format": "table", "path": f"{name}/", "mapping": f"{name}.yaml"} for name in sources]
    if dsn is not None:
        content["delivery"]["postgres"] = {"dsn": dsn}
    (home / "foretide.yaml").write_text(yaml.safe_dump(content))
    return Installation(load_settings(home / "foretide.yaml"), now=datetime.now(UTC))


def make_home(home: Path, subjects: int, days: int) -> Installation:
    """A home with mappings and files of everything but minutes."""
    for name in MAPPINGS:
        (home / name).mkdir(parents=True)
    shutil.copy(ROOT / "dagster.yaml", home)
    for name, files in MAPPINGS.items():
        (home / f"{name}.yaml").write_text(
            f"source: band\ntime_zone: Europe/Berlin\nreceived: end_of_local_day\nfiles:{files}\n"
        )
    write_people(home / "people", subjects, days)
    for start in range(0, subjects, 10 * PER_FILE):
        write_past(home / "past", range(start, min(start + 10 * PER_FILE, subjects)), days)
    return declare(home, "people", "past")


def ids(subjects: range, prefix: str = "p") -> pa.Array:
    return pa.array([f"{prefix}-{number:06}" for number in subjects])


def first_day(days: int) -> np.datetime64:
    """The day on which everybody's past begins; it ends on the day before the night before."""
    return np.datetime64(NIGHT_BEFORE) - days


def write_people(folder: Path, subjects: int, days: int) -> None:
    """Everybody's enrolment, and events of every thirtieth."""
    rng, number = np.random.default_rng(1), np.arange(subjects)
    since = first_day(days)
    told = pa.array(np.repeat(since.astype("datetime64[us]"), subjects), pa.timestamp("us", tz="UTC"))
    pq.write_table(
        pa.table({
            "id": ids(range(subjects)),
            "clinic": pa.array(["north", "east", "west"]).take(pa.array(number % 3)),
            "sex": pa.array(["F", "M"]).take(pa.array(number % 2)),
            "ages": pa.array(["18-29", "30-44", "45-59", "60-74"]).take(pa.array(number % 4)),
            "since": pa.array(np.repeat(since, subjects)),
            "told": told,
        }),
        folder / "people.parquet",
    )  # fmt: skip
    who = number[::30]
    at = (since + rng.integers(1, days, len(who))).astype("datetime64[us]") + np.timedelta64(12, "h")
    of_events = {
        "id": ids(range(subjects)).take(pa.array(who)),
        "at": pa.array(at, pa.timestamp("us", tz="UTC")),
        "kind": pa.array(["emergency"] * len(who)),
        "told": pa.array(at + np.timedelta64(1, "D"), pa.timestamp("us", tz="UTC")),
    }
    pq.write_table(pa.table(of_events), folder / "events.parquet")


def write_past(folder: Path, subjects: range, days: int) -> None:
    """Daily steps and pulse, nights, and a mood every other day of some subjects."""
    rng = np.random.default_rng(subjects.start)
    count, who = len(subjects) * days, np.repeat(np.arange(len(subjects)), days)
    level = np.repeat(rng.normal(0, 1, len(subjects)), days)
    day = np.tile(first_day(days) + np.arange(days), len(subjects))
    id_, device = ids(subjects).take(pa.array(who)), ids(subjects, "band").take(pa.array(who))
    steps = np.maximum(0, 7000 + 2000 * level + rng.normal(0, 2500, count)).astype(np.int32)
    bpm = (62 + 4 * level + rng.normal(0, 2, count)).astype(np.int32)
    pq.write_table(
        pa.table({"id": id_, "day": pa.array(day), "steps": pa.array(steps), "bpm": pa.array(bpm), "device": device}),
        folder / f"days-{subjects.start:06}.parquet",
    )
    asleep = day.astype("datetime64[us]") - np.timedelta64(90, "m") + rng.integers(0, 90, count).astype("m8[m]")
    minutes = (400 + 25 * level + rng.normal(0, 45, count)).clip(180, 600).astype(np.int32)
    awake = asleep + (minutes + 25).astype("m8[m]")
    nights = {
        "id": id_, "asleep": pa.array(asleep, pa.timestamp("us", tz="UTC")),
        "awake": pa.array(awake, pa.timestamp("us", tz="UTC")), "minutes": pa.array(minutes), "device": device,
    }  # fmt: skip
    pq.write_table(pa.table(nights), folder / f"nights-{subjects.start:06}.parquet")
    asked = pa.array(np.arange(count) % 2 == 0)
    at = day.astype("datetime64[us]") + np.timedelta64(17, "h") + rng.integers(0, 120, count).astype("m8[m]")
    mood = np.rint(6 - level + rng.normal(0, 1.5, count)).clip(0, 10)
    answers = pa.table({"id": id_, "at": pa.array(at, pa.timestamp("us", tz="UTC")), "mood": pa.array(mood)})
    pq.write_table(answers.filter(asked), folder / f"answers-{subjects.start:06}.parquet")


def write_minutes(folder: Path, subjects: int, begin: np.datetime64 = LAST_DAY) -> int:
    """Every minute of a day of everybody, some subjects a file; how many minutes they are."""
    for start in range(0, subjects, PER_FILE):
        some = range(start, min(start + PER_FILE, subjects))
        rng, count = np.random.default_rng(start), len(some) * MINUTES
        who, minute = np.repeat(np.arange(len(some)), MINUTES), np.tile(np.arange(MINUTES), len(some))
        hour = (minute // 60 + int(begin.astype(int)) // 60 + 2) % 24
        is_awake = (hour >= 7) & (hour < 23)
        steps = rng.poisson(9, count) * (is_awake & (rng.random(count) < 0.3))
        bpm = 60 + 8 * is_awake + rng.normal(0, 5, count)
        rows = {
            "id": ids(some).take(pa.array(who)),
            "time": pa.array((begin + minute).astype("datetime64[us]"), pa.timestamp("us", tz="UTC")),
            "steps": pa.array(steps.astype(np.int32)),
            "bpm": pa.array(bpm.astype(np.int32)),
            "device": ids(some, "band").take(pa.array(who)),
        }
        pq.write_table(pa.table(rows), folder / f"minutes-{start:06}.parquet")
    return subjects * MINUTES


def take_in(installation: Installation, name: str) -> int:
    """Ingest a folder of the home; how many rows were added."""
    home = installation.settings.home
    source = FileSource(format="table", path=home / name, mapping=home / f"{name}.yaml")
    report = ingest_source(installation, source, None)
    return sum(report.count(table, "appended") for table in TABLES)


def learn(folder: Path, subjects: int, days: int) -> risk.HazardModel:
    """A model of the size that the default configuration makes, with intervals, learnt from one night of a few subjects.

    Whether somebody has an event follows from some features by the throw of a die, so that scores differ.
    """
    made = make_home(folder, subjects, days)
    write_minutes(folder / "minutes", subjects)
    for name in ("people", "past", "minutes"):
        take_in(made, name)
    engineering.night_matrices(made, NIGHT)
    matrix = made.lake.load("night_matrix_crisis")
    features = made.settings.features_on()
    rng, known = np.random.default_rng(1), matrix[list(features)].to_numpy(float)
    standard = np.nan_to_num((known - np.nanmean(known, axis=0)) / np.nanstd(known, axis=0))
    logit = standard @ rng.normal(0, 0.2, len(features)) - 2
    has_event = rng.random(len(matrix)) < expit(logit)
    labels = pd.DataFrame({
        "subject_id": matrix["subject_id"], "outcome": "crisis", "task": "onset", "is_masked": False, "followed_days": 28,
        "days_to_event": np.where(has_event, rng.integers(0, 28, len(matrix)), np.nan),
    })  # fmt: skip
    return risk.fit(
        matrix,
        labels,
        (7, 14, 28),
        tuple(features),
        "boosted_trees",
        1,
        name="boosted",
        with_intervals=True,
        growth=made.settings.training.model.growth(),
    )


def make_champion(installation: Installation, model: risk.HazardModel, folder: Path) -> None:
    """Register a model and put it on record as what serves."""
    risk.save(model, folder)
    name = model_name("crisis")
    version = train(installation.registry, folder, name)
    entry = ledger.Entry(ledger.PROMOTION, name, None, version.version, "bench", "", ())
    ledger.record(installation.audit_log, entry, None)
    installation.registry.set_alias(version, CHAMPION)
