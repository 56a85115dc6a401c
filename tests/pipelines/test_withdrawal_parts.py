"""The parts of a withdrawal: tombstones, models that are flagged, deliveries without Parquet, files put anew."""

import dataclasses
import json
import shutil
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from markupsafe import escape

from pipelines.consent import erasure, models, names, notice, presence
from pipelines.consent.tombstones import Tombstones
from pipelines.consent.withdrawal import withdraw
from pipelines.delivery import erasure as deliveries
from pipelines.delivery.publish import alone_in, current, publish, read_scores
from pipelines.delivery.verify import verify
from pipelines.errors import Fault
from pipelines.installation import Installation
from pipelines.lake import Lake
from pipelines.release import tracking
from pipelines.settings import settings_from
from tests.guarantees.installation_with_a_sentinel import SENTINEL, context, scored

INSTANT = pd.Timestamp("2026-06-10T00:00:00Z")


def test_tombstones_know_who_withdrew_and_name_nobody(tmp_path):
    """Ids are found among many, the folder holds no id, the key is for its owner only, setting one twice is once."""
    folder = tmp_path / "withdrawn"
    assert Tombstones(folder).withdrawn([SENTINEL]) == set()
    assert not folder.exists()
    for _ in range(2):
        Tombstones(folder).bury([SENTINEL], "2026-07-01", "2026-07-31")
    assert Tombstones(folder).withdrawn([f"s-{n}" for n in range(1000)] + [SENTINEL]) == {SENTINEL}
    assert len(Tombstones(folder).all) == 1
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    assert not any(SENTINEL.encode() in path.read_bytes() for path in folder.iterdir())


def test_tombstones_without_their_key_stop_everything(tmp_path):
    """Silence would let everybody back in."""
    Tombstones(tmp_path).bury([SENTINEL], "2026-07-01", "2026-07-31")
    (tmp_path / "key").unlink()
    with pytest.raises(Fault, match="key"):
        Tombstones(tmp_path).withdrawn(["s-1"])


@pytest.mark.parametrize(
    ("withdrawn", "others"),
    [("s2", {"S2", " s2 ", "s02", "s2\n"}), ("007", {"7", "7.0"}), ("A_1", {"a-1", "a\u20281"})],
)
def test_every_spelling_is_the_subject_that_withdrew(tmp_path, withdrawn, others):
    """Case, blanks, leading zeros and kinds of separators make nobody else; another id does."""
    Tombstones(tmp_path).bury([withdrawn], "2026-07-01", "2026-07-31")
    Tombstones(tmp_path).bury(others, "2026-07-01", "2026-07-31")
    found = Tombstones(tmp_path)
    assert len(found.all) == 1
    assert found.withdrawn({withdrawn, *others, "s20", "70", "A_2"}) == {withdrawn, *others}
    assert {found.find(name) for name in others} == {found.find(withdrawn)}


def test_all_spellings_that_are_here_are_erased_and_told_of(tmp_path):
    """Rows and deliveries under each spelling go, and consumers of any of them find the row that they hold."""
    made = Installation(
        settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7, 14]}}}, tmp_path)
    )
    names = {"ox-1": "Zebra_77", "ox-2": "zebra\n77"}
    made.lake.replace("labels", pd.DataFrame({"subject_id": [*names.values(), SENTINEL, "ox-3"]}))
    of = context("2026-06-30", "a")
    root = made.settings.deliveries_folder
    held = read_scores(publish(root, scored(of).assign(subject_id=lambda r: r["subject_id"].replace(names)), of))
    done = withdraw(made, ["zebra 77"], date(2026, 7, 1))
    assert done.rows == {"derived/labels": 3}
    assert len(done.tokens) == 1
    assert made.lake.load("labels")["subject_id"].tolist() == ["ox-3"]
    rows = read_scores(current(root, pd.Timestamp("2026-06-30")))
    is_notice = rows["status"] == "consent_withdrawn"
    assert rows.loc[~is_notice, "subject_id"].unique().tolist() == ["ox-3"]
    assert set(rows.loc[is_notice, "score_id"]) == set(held.loc[held["subject_id"] != "ox-3", "score_id"])
    assert [verify(folder).faults for folder in deliveries.folders(root)] == [(), ()]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'["a", {}]', b'{"tombstones": "a", "files": {}}', b"\xff"])
def test_a_damaged_memory_of_what_was_looked_through_counts_as_thrown_away(damage, tmp_path):
    """Every table is looked through again, and whoever withdrew and is back is found."""
    made = Installation(settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, tmp_path))
    made.lake.replace("labels", pd.DataFrame({"subject_id": [SENTINEL, "ox-3"]}))
    withdraw(made, ["ox-3"], date(2026, 7, 1))
    tombstones, noted = (
        Tombstones(made.settings.consent_folder),
        made.settings.state_folder / "withdrawals-checked.json",
    )
    assert noted.is_file()
    made.lake.replace("labels", pd.DataFrame({"subject_id": [SENTINEL, "ox-3"]}))
    presence.remember(made, tombstones)
    assert presence.withdrawn_here(made, tombstones) == set()
    noted.write_bytes(damage)
    assert presence.withdrawn_here(made, tombstones) == {"ox-3"}
    presence.remember(made, tombstones)
    assert presence.withdrawn_here(made, tombstones) == set()


def test_names_of_files_that_hold_the_id_are_replaced_in_every_record(tmp_path):
    """In quarantine, on record and on the page, in any spelling; other files keep their names, other rows stay."""
    made = Installation(settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, tmp_path))
    told = ["a <Zebra_77> & b.csv", "export-zebra 077.csv", "zebra-7.csv", "zebra-770.csv"]
    quarantine = made.lake.root / "quarantine"
    write_deltalake(str(quarantine), pa.table({"subject_id": ["ox-1", "ox-1", None, "ox-2"], "file": told}))
    night, page = tmp_path / ".state" / "data_nights" / "2026-06-01.json", made.settings.reports_folder / "data-1.html"
    for path, content in ((night, json.dumps({"refused": [{"files": told}]})), (page, str(escape(", ".join(told))))):
        path.parent.mkdir(parents=True)
        path.write_text(content)
    withdraw(made, [SENTINEL], date(2026, 7, 1))
    left = [names.NAMELESS, names.NAMELESS, *told[2:]]
    assert json.loads(night.read_text()) == {"refused": [{"files": left}]}
    assert page.read_text() == ", ".join(left)
    (file,) = DeltaTable(str(quarantine)).file_uris()
    assert duckdb.read_parquet(file).project("file").fetchall() == [(name,) for name in left]
    assert not any(b"ebra 077" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("formats", [("csv",), ("fhir",), ("csv", "fhir")])
def test_deliveries_in_any_format_are_erased(tmp_path, formats):
    """Without Parquet the subject is found and erased in the other formats, and the delivery verifies as erased."""
    of = dataclasses.replace(context("2026-06-30", "a"), formats=formats)
    folder = publish(tmp_path, scored(of), of)
    held = deliveries.rows_held(folder)
    assert held.to_dict("list") == scored(of)[deliveries.HELD].to_dict("list")
    with alone_in(tmp_path) as own:
        (erased,) = deliveries.erase_everywhere(tmp_path, {SENTINEL}, own)
    assert (erased.subjects, erased.rows) == (1, 2)
    assert not any(SENTINEL.encode() in path.read_bytes() for path in folder.iterdir())
    report = verify(folder)
    assert (report.faults, report.subjects_erased) == ((), 1)


def test_a_formula_for_an_id_is_found_in_csv(tmp_path):
    """An id that a spreadsheet would run is disarmed in CSV; it is the subject's all the same."""
    of = dataclasses.replace(context("2026-06-30", "a"), formats=("csv",))
    rows = scored(of).assign(subject_id=lambda r: r["subject_id"].replace({SENTINEL: "=1+2"}))
    folder = publish(tmp_path, rows, of)
    assert "'=1+2" in (folder / "scores.csv").read_text()
    with alone_in(tmp_path) as own:
        assert len(deliveries.erase_everywhere(tmp_path, {"=1+2"}, own)) == 1
    assert "=1+2" not in (folder / "scores.csv").read_text()


def test_without_parquet_the_notice_is_made_of_the_last_scores(tmp_path):
    """Typed rows of the newest run serve as well; without any, the notice is refused and somebody must be told."""
    of = dataclasses.replace(context("2026-06-30", "a"), formats=("csv", "fhir"))
    publish(tmp_path, scored(of), of)
    shutil.copytree(tmp_path, tmp_path.with_name("copy"))
    folder = notice.publish_notice(tmp_path, {SENTINEL: "token"}, scored(of))
    assert "consent_withdrawn" in (folder / "scores.csv").read_text()
    assert json.loads((folder / "manifest.json").read_text())["withdrawn"] == ["token"]
    with pytest.raises(Exception, match=r"scores\.parquet"):
        notice.publish_notice(tmp_path.with_name("copy"), {SENTINEL: "token"}, None)


def test_a_subject_of_older_nights_only_is_told_of_too(tmp_path):
    """Off the newest roster, the notice points to the newest row that a consumer holds, for every horizon."""
    old, new = context("2026-06-29", "a"), dataclasses.replace(context("2026-06-30", "b"), roster_size=3)
    held = read_scores(publish(tmp_path, scored(old), old)).query("subject_id == @SENTINEL")
    publish(tmp_path, scored(new).query("subject_id != @SENTINEL").reset_index(drop=True), new)
    rows = read_scores(notice.publish_notice(tmp_path, {SENTINEL: "token"}, None))
    assert set(rows.loc[rows["status"] == "consent_withdrawn", "score_id"]) == set(held["score_id"])


def test_models_that_may_have_seen_the_subject_are_flagged_until_a_date(tmp_path):
    """Versions trained on what was known at or after the first receipt; an earlier date stands; others are left alone."""
    made = Installation(settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, tmp_path))
    assert models.flagged(made) == []
    client, _ = tracking.open_store(made.settings.tracking_uri, made.settings.artifacts_folder)
    client.create_registered_model("foretide-crisis")
    for known_at in ("2026-06-09T23:00:00+00:00", "2026-06-10T00:00:00+00:00", "2026-07-01T00:00:00+00:00"):
        client.create_model_version("foretide-crisis", (tmp_path / "m").as_uri(), tags={"known_at": known_at})
    client.set_registered_model_alias("foretide-crisis", "champion", "3")
    models.flag(made, INSTANT, "2026-08-01")
    models.flag(made, INSTANT, "2026-09-01")
    assert [(m.version, m.retrain_by, m.aliases) for m in models.flagged(made)] == [
        ("2", "2026-08-01", ""), ("3", "2026-08-01", "champion")]  # fmt: skip


def test_no_log_entry_ever_holds_the_id_and_others_keep_their_order(tmp_path):
    """Before anything is scrubbed the log is already free of it; rows of other subjects stand as they stood."""
    lake = Lake(tmp_path / "lake")
    table = lake.root / "derived" / "labels"
    rows = pa.table({"subject_id": ["b", SENTINEL, "a", None] * 3, "n": list(range(12))})
    write_deltalake(str(table), rows)
    table.with_suffix(".version").touch()
    with lake.connection() as connection:
        assert erasure.erase_subjects(lake, {SENTINEL}, connection) == {"derived/labels": 3}
    log = b"".join(path.read_bytes() for path in sorted((table / "_delta_log").iterdir())[1:])
    assert SENTINEL.encode() not in log
    assert lake.load("labels")["n"].tolist() == [n for n in range(12) if n % 4 != 1]


def test_scrubbing_leaves_the_newest_version_only(tmp_path):
    """Old files, logs of a deletion elsewhere, orphans and torn writes of killed programs are gone."""
    lake = Lake(tmp_path / "lake")
    table = lake.root / "raw" / "mood"
    for _ in range(2):
        write_deltalake(str(table), pa.table({"subject_id": ["a", SENTINEL], "bucket": [1, 2]}), mode="append",
                        partition_by=["bucket"])  # fmt: skip
    DeltaTable(str(table)).delete(f"subject_id = '{SENTINEL}'")
    for stray in ("bucket=2/orphan.parquet", "bucket=2/torn.parquet#1", "_delta_log/.tmp1"):
        (table / stray).write_text(SENTINEL)
    erasure.scrub(table)
    assert not any(SENTINEL.encode() in path.read_bytes() for path in table.rglob("*") if path.is_file())
    assert len(DeltaTable(str(table)).file_uris()) == 2


def test_the_date_to_retrain_by_is_reckoned_from_the_withdrawal(tmp_path):
    """Not from the day on which the command was given."""
    content = {
        "outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}},
        "consent": {"retrain_within_days": 10},
    }
    made = Installation(settings_from(content, tmp_path))
    withdraw(made, [SENTINEL], date(2026, 6, 25))
    (tombstone,) = Tombstones(made.settings.consent_folder).all
    assert (tombstone.at, tombstone.retrain_by) == ("2026-06-25", "2026-07-05")
    assert Path(made.settings.consent_folder) == tmp_path / ".withdrawn"
