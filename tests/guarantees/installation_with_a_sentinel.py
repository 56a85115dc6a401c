"""A small installation with a subject whose id and values are seen nowhere else, and a search for every byte of them."""

import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import pandas as pd

from pipelines.data_nights import take_stock
from pipelines.delivery.contract import DeliveryContext
from pipelines.delivery.publish import publish
from pipelines.delivery.rows import build
from pipelines.installation import Installation
from pipelines.lake import Lake
from pipelines.night import report_data
from pipelines.release import shadow
from pipelines.settings import load_settings

ROOT = Path(__file__).parents[2]
FORETIDE = Path(sys.executable).with_name("foretide")
SENTINEL = "zebra-77"
# How a spreadsheet, a colleague or another system may write it.
SPELLINGS = ("ZEBRA_77", "Zebra 077", " zebra-77")
OTHERS = ("ox-1", "ox-2", "ox-3")
# Of the subject alone: id, minutes asleep, a device, the minutes asleep of a row in quarantine.
TEXTS = (SENTINEL, *SPELLINGS, "431.77", "quagga", "4017.93")
NUMBERS = (431.77, 4017.93)
BEATS = 203
NIGHT = "2026-06-30"
# A line of too many fields: its subject is not known, its file's name tells.
NO_ROW = f"{SENTINEL},2026-06-07 23:00,1,2,3,4,5,6\n"
RECEIVED = ("--received-at", "2026-06-10T00:00:00+00:00")
LATER = ("--received-at", "2026-06-11T00:00:00+00:00")
CONFIGURATION = """
outcomes:
  crisis: {events: [panic], horizons_days: [7, 14]}
consent: {retrain_within_days: 30}
"""
MAPPING = """
source: study
time_zone: Europe/Berlin
files:
  - {path: subjects.csv, table: subjects, columns: {subject_id: id, enrolled_on: since}}
  - path: sleep.csv
    table: sleep
    columns: {subject_id: id, onset_at: bed, offset_at: up, minutes_asleep: {column: asleep, unit: min}, device_id: device}
  - path: nights/*.csv
    table: sleep
    columns: {subject_id: id, onset_at: bed, offset_at: up, minutes_asleep: {column: asleep, unit: min}, device_id: device}
  - path: minutes.csv
    table: wearable
    columns: {subject_id: id, minute_at: at, heart_rate: {column: beats, unit: /min}}
  - path: verdicts.csv
    table: feedback
    columns: {subject_id: id, given_at: at, verdict: verdict, outcome: outcome}
  - {path: actions.csv, table: interventions, columns: {subject_id: id, done_at: at, kind: {value: call}}}
"""


def make_home(folder: Path) -> Path:
    """Everything in which rows of the subject can be: raw tables, quarantine, derived tables, leftovers, deliveries."""
    write_export(folder / "export")
    (folder / "foretide.yaml").write_text(CONFIGURATION)
    (folder / "mapping.yaml").write_text(MAPPING)
    (folder / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    done = take_in(folder, RECEIVED)
    assert done.returncode == 0, done.stderr
    state = folder / ".state"
    write_data_page(folder)
    lake = Lake(state / "lake")
    lake.replace("labels_crisis", pd.DataFrame({"subject_id": [*OTHERS, SENTINEL] * 2, "label": [0.0, 1.0] * 4}))
    lake.replace("results", pd.DataFrame({"metric": ["auroc"], "value": [0.7]}))
    for night in ("2026-06-29", NIGHT, NIGHT):
        shadow.store(lake, in_shadow(night))
    (lake.root / "staging").mkdir(exist_ok=True)
    (lake.root / "staging" / "left.parquet").write_text(SENTINEL)
    for night, content in (("2026-06-28", "a"), ("2026-06-29", "b"), ("2026-06-29", "c"), ("2026-06-30", "d")):
        of = context(night, content)
        publish(state / "deliveries", scored(of), of)
    (state / "deliveries" / "2026-06-28" / ".unfinished-x").mkdir()
    (state / "deliveries" / "2026-06-28" / ".unfinished-x" / "scores.csv").write_text(SENTINEL)
    return folder


def write_data_page(folder: Path) -> None:
    """Put a night's data on record and on a page, with the files whose rows were refused."""
    installation = Installation(load_settings(folder / "foretide.yaml"))
    take_stock(installation, NIGHT)
    report_data(installation, NIGHT)


def write_export(folder: Path) -> None:
    """What the study sent: people, nights and minutes; some of the sentinel's nights break a rule.

    A file is named after the sentinel; of its lines one is sound, one breaks a rule, and one is not even a row.
    """
    (folder / "nights").mkdir(parents=True)
    everybody = (*OTHERS, SENTINEL)
    (folder / "nights" / f"{SENTINEL}.csv").write_text(
        f"id,bed,up,asleep,device\n{SENTINEL},2026-06-05 23:00,2026-06-06 07:00,431.77,quagga\n"
        f"{SENTINEL},2026-06-06 23:00,2026-06-07 07:00,4017.93,quagga\n{NO_ROW}"
    )
    (folder / "subjects.csv").write_text("id,since\n" + "".join(f"{name},2026-05-01\n" for name in everybody))
    nights = [f"{name},2026-06-0{d} 23:00,2026-06-0{d + 1} 07:00,4{d}0,ring\n" for name in OTHERS for d in (1, 2, 3)]
    nights += [f"{SENTINEL},2026-06-01 23:00,2026-06-02 07:00,431.77,quagga\n"]
    nights += [f"{SENTINEL},2026-06-03 23:00,2026-06-04 07:00,4017.93,quagga\n"]
    (folder / "sleep.csv").write_text("id,bed,up,asleep,device\n" + "".join(nights))
    minutes = [f"{name},2026-06-02 08:{m:02},{60 + m}\n" for name in OTHERS for m in range(30)]
    said = [f"{name},2026-06-05 09:00,acted,crisis\n" for name in everybody]
    (folder / "verdicts.csv").write_text("id,at,verdict,outcome\n" + "".join(said))
    (folder / "actions.csv").write_text("id,at\n" + "".join(f"{name},2026-06-05 10:00\n" for name in everybody))
    minutes += [f"{SENTINEL},2026-06-02 08:{m:02},{BEATS - m % 2}\n" for m in range(30)]
    (folder / "minutes.csv").write_text("id,at,beats\n" + "".join(minutes))


def context(night: str, content: str) -> DeliveryContext:
    """A night with this input content, about everybody."""
    as_of = pd.Timestamp(night).as_unit("us")
    known_at = pd.Timestamp(f"{night}T01:00:00Z").as_unit("us")
    return DeliveryContext(as_of, known_at, {"crisis": "m1"}, "p1", content, "0.1.0", len(OTHERS) + 1)


def scored(of: DeliveryContext) -> pd.DataFrame:
    """Its rows: everybody is scored for two horizons, the sentinel the highest."""
    names = [*OTHERS, SENTINEL]
    keys = pd.DataFrame({"subject_id": names, "outcome": "crisis"})
    standings = keys.assign(status="scored", reason_codes=[()] * 4, completeness=1.0, last_observation_at=of.known_at)
    scores = [keys.assign(horizon_days=h, probability=[0.1, 0.2, 0.3, 0.9], mean_risk_low=0.0, mean_risk_high=1.0)
              for h in (7, 14)]  # fmt: skip
    tiers = keys.assign(
        tier=["baseline", "baseline", "elevated", "high"],
        rank=[4, 3, 2, 1],
        alert=[None, None, None, "new"],
        action=None,
    )
    drivers = keys.assign(drivers=[(), (), ("short sleep",), ("little sleep, for long",)])
    return build(of, {"crisis": (7, 14)}, standings, pd.concat(scores, ignore_index=True), tiers, drivers)


def in_shadow(night: str) -> pd.DataFrame:
    """What a challenger said of everybody that night."""
    rows = pd.DataFrame(
        {"subject_id": [*OTHERS, SENTINEL], "status": "scored", "as_of_date": pd.Timestamp(night).date()}
    )
    return rows.assign(
        outcome="crisis", model_version="2", model_sha256="4a54", horizons_days=[[7, 14]] * 4, risks=[[0.1, 0.2]] * 4
    )


def foretide(home: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the real command in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FORETIDE_", "DAGSTER_HOME"))}
    return subprocess.run(
        [FORETIDE, *arguments], cwd=home, input=stdin, capture_output=True, text=True, check=False, env=clean
    )


def take_in(home: Path, received: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Ingest the study's export."""
    return foretide(home, "ingest", "table", "export", "--mapping", "mapping.yaml", *received, "--json")


def withdraw(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Withdraw the sentinel on 5 July."""
    return foretide(home, "withdraw", "--on", "2026-07-05", *arguments, stdin=f"{SENTINEL}\n")


def restore(before: Path, home: Path) -> None:
    """Put back the state of a copy, as an operator would: the tombstones lie elsewhere and stay."""
    shutil.rmtree(home / ".state")
    shutil.copytree(before / ".state", home / ".state")


def places_that_tell(home: Path) -> Counter[str]:
    """Where anything of the subject is below the state and the tombstones, by folder: raw bytes and decoded cells."""
    found: Counter[str] = Counter()
    for top in (home / ".state", home / ".withdrawn"):
        for path in sorted(p for p in top.rglob("*") if p.is_file()):
            if _tells(path):
                found["/".join(path.relative_to(home).parts[1:4])] += 1
    return found


def _tells(path: Path) -> bool:
    content = path.read_bytes()
    needles = [text.encode() for text in TEXTS] + [struct.pack("<d", number) for number in NUMBERS]
    needles += [text.encode("utf-16-le") for text in TEXTS]
    if any(needle in content or needle in path.name.encode() for needle in needles):
        return True
    if path.suffix == ".gz":
        return any(needle in gzip.decompress(content) for needle in needles)
    return path.suffix == ".parquet" and _cells_tell(path)


def _cells_tell(path: Path) -> bool:
    with duckdb.connect() as connection:
        rows = connection.sql(f"SELECT * FROM read_parquet('{path}', hive_partitioning = false)").df()
    cells = " ".join(rows.astype(str).to_csv(index=False).split())
    beats = rows["heart_rate"].isin([BEATS, BEATS - 1]).any() if "heart_rate" in rows else False
    return any(text in cells for text in TEXTS) or bool(beats)


def rows_of_others(home: Path) -> dict[str, list[str]]:
    """Every row of a raw, quarantined or derived table that is about somebody else, in one stable order."""
    lake = Lake(home / ".state" / "lake")
    found = {}
    with duckdb.connect() as connection:
        for log in sorted(lake.root.rglob("_delta_log")):
            files = [str(path) for path in log.parent.rglob("*.parquet") if "_delta_log" not in path.parts]
            if files:
                rows = connection.read_parquet(files, hive_partitioning=True, union_by_name=True).df()
                kept = rows[rows["subject_id"].isin(OTHERS)] if "subject_id" in rows else rows
                found[log.parent.relative_to(lake.root).as_posix()] = sorted(map(str, kept.to_dict("records")))
    return {name: rows for name, rows in found.items() if rows}


def audit_entries(home: Path) -> list[dict[str, object]]:
    """The withdrawals in the audit log."""
    lines = (home / ".state" / "audit" / "log.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["kind"] == "withdrawal"]
