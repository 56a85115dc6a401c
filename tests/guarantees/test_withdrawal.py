"""Who withdraws consent is gone, from every byte within reach, and stays gone; consumers are told once; others keep all.

One installation with a sentinel subject is copied, and the real command withdraws the subject from it.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from pipelines.delivery.publish import current, read_scores
from tests.guarantees import installation_with_a_sentinel as made
from tests.guarantees.installation_with_a_sentinel import OTHERS, SENTINEL, foretide

NIGHT = pd.Timestamp("2026-06-30")


@dataclass
class Withdrawn:
    """The installation before and after the command, and what the command said."""

    before: Path
    after: Path
    answer: dict
    said: str


@pytest.fixture(scope="module")
def withdrawn(tmp_path_factory) -> Withdrawn:
    """The sentinel withdrew once."""
    folder = tmp_path_factory.mktemp("withdrawal")
    before = made.make_home(folder / "before")
    shutil.copytree(before, folder / "after")
    done = made.withdraw(folder / "after", "--json")
    assert done.returncode == 0, done.stderr
    return Withdrawn(before, folder / "after", json.loads(done.stdout), done.stdout + done.stderr)


@pytest.fixture
def home(withdrawn, tmp_path) -> Path:
    """A copy of the installation after the withdrawal, to do things to."""
    return Path(shutil.copytree(withdrawn.after, tmp_path / "home"))


def deliveries(home: Path) -> list[Path]:
    return sorted(path.parent for path in (home / ".state" / "deliveries").glob("*/*/manifest.json"))


def files(home: Path) -> dict[str, bytes]:
    """Content of every file that counts."""
    tops = (home / ".state", home / ".withdrawn")
    return {str(p): p.read_bytes() for top in tops for p in top.rglob("*") if p.is_file() and p.suffix != ".lock"}


def test_no_byte_of_the_subject_is_left_in_any_file(withdrawn):
    """Neither id nor values, raw or decoded, in tables, versions, logs, quarantine, leftovers or deliveries."""
    before = made.places_that_tell(withdrawn.before)
    for place in (
        "lake/raw/sleep",
        "lake/raw/wearable",
        "lake/raw/subjects",
        "lake/raw/feedback",
        "lake/raw/interventions",
        "lake/derived/labels_crisis",
        "lake/derived/shadow_scores",
        "deliveries/2026-06-28",
    ):
        assert any(name.startswith(place) for name in before), (place, before)
    assert any(name.startswith("lake/quarantine") for name in before)
    assert any(name.startswith("lake/staging") for name in before)
    assert made.places_that_tell(withdrawn.after) == {}


def test_the_answer_counts_by_place_and_says_what_is_out_of_reach(withdrawn):
    """Each table and delivery with its rows; backups, consumers and models named; no subject in it."""
    rows = {row["place"]: row["rows_erased"] for row in withdrawn.answer["rows"]}
    assert {"lake/raw/subjects": 1, "lake/raw/sleep": 2, "lake/raw/wearable": 30, "lake/quarantine": 2,
            "lake/derived/labels_crisis": 2, "lake/derived/shadow_scores": 2}.items() <= rows.items()  # fmt: skip
    assert [count for place, count in rows.items() if place.startswith("delivery ")] == [2, 2, 2, 2]
    assert all(word in " ".join(withdrawn.answer["beyond_reach"]) for word in ("backups", "consumers", "models"))
    assert not any(text in withdrawn.said for text in made.TEXTS)


def test_other_subjects_keep_every_row_to_the_bit(withdrawn):
    """Whatever is not about the subject reads the same before and after: lake tables and delivered files."""
    assert made.rows_of_others(withdrawn.after) == made.rows_of_others(withdrawn.before)
    for folder in deliveries(withdrawn.before):
        same = withdrawn.after / folder.relative_to(withdrawn.before)
        left = read_scores(folder).query("subject_id != @SENTINEL").reset_index(drop=True)
        pd.testing.assert_frame_equal(read_scores(same), left)
        for name in ("scores.csv", "risk_assessments.ndjson"):
            lines = (folder / name).read_bytes().splitlines()
            kept = [line for line in lines if SENTINEL.encode() not in line]
            assert (same / name).read_bytes().splitlines() == kept


def test_verify_says_erased_and_not_tampered(withdrawn):
    """Every delivery that held the subject is erased, exit 0; its manifest counts what went and keeps its former seal."""
    for folder in deliveries(withdrawn.before):
        same = withdrawn.after / folder.relative_to(withdrawn.before)
        done = foretide(withdrawn.after, "verify", str(same), "--json")
        assert (done.returncode, json.loads(done.stdout)["rows"][0]["state"]) == (0, "erased")
        now, former = (json.loads((f / "manifest.json").read_text()) for f in (same, folder))
        assert now["erased"] == [{"subjects": 1, "rows": 2, "manifest_sha256": former["manifest_sha256"]}]
        assert now["rows_by_status"] == {"scored": 6}


@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv", "risk_assessments.ndjson", "manifest.json"])
def test_tampering_with_an_erased_delivery_is_found(home, name):
    """Erased is no licence: a flipped bit in any file of it is a fault."""
    path = deliveries(home)[0] / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    done = foretide(home, "verify", str(path.parent), "--json")
    assert (done.returncode, json.loads(done.stdout)["rows"][0]["state"]) == (1, "fault")


def test_consumers_are_told_by_a_delivery_that_supersedes_the_newest(withdrawn):
    """It has everybody else's scores, a final notice by the score ids that consumers hold, and FHIR deletions."""
    former = current(withdrawn.before / ".state" / "deliveries", NIGHT)
    folder = current(withdrawn.after / ".state" / "deliveries", NIGHT)
    body = json.loads((folder / "manifest.json").read_text())
    assert body["supersedes"] == former.name
    rows, held = read_scores(folder), read_scores(former)
    notices, others = rows[rows["status"] == "consent_withdrawn"], rows[rows["status"] != "consent_withdrawn"]
    assert set(notices["score_id"]) == set(held.loc[held["subject_id"] == SENTINEL, "score_id"])
    assert notices["probability"].isna().all()
    assert set(notices["subject_id"]) == {f"withdrawn-{body['withdrawn'][0]}"}
    same = ["subject_id", "outcome", "horizon_days", "probability", "tier", "rank"]
    kept = held.loc[held["subject_id"].isin(OTHERS), same].reset_index(drop=True)
    pd.testing.assert_frame_equal(others[same].reset_index(drop=True), kept, check_dtype=False)
    bundles = [json.loads(line) for line in (folder / "deleted.ndjson").read_text().splitlines()]
    told = {entry["request"]["url"] for bundle in bundles for entry in bundle["entry"]}
    lines = [json.loads(line) for f in deliveries(withdrawn.before)
             for line in (f / "risk_assessments.ndjson").read_text().splitlines()]  # fmt: skip
    of_subject = [line["id"] for line in lines if line["subject"]["identifier"]["value"] == SENTINEL]
    assert told == {f"RiskAssessment/{name}" for name in of_subject}
    assert body["deleted"] == [{"type": "Bundle", "url": "deleted.ndjson", "count": 1}]
    assert foretide(withdrawn.after, "verify", str(folder)).returncode == 0


def test_the_audit_log_has_one_entry_with_counts_and_a_token(withdrawn):
    """What went is on record, by place; who it was is not."""
    (entry,) = made.audit_entries(withdrawn.after)
    assert entry["details"]["rows"]["raw/wearable"] == 30
    assert len(entry["details"]["deliveries"]) == 4
    assert len(entry["details"]["tokens"][0]) == 32
    assert foretide(withdrawn.after, "verify", str(withdrawn.after / ".state" / "audit")).returncode == 0


def test_withdrawing_again_changes_nothing(home):
    """The same command twice has the effect of once: no second notice, no second entry, not a byte."""
    before = files(home)
    done = made.withdraw(home, "--json")
    assert (done.returncode, json.loads(done.stdout)["rows"]) == (0, [])
    assert files(home) == before


@pytest.mark.parametrize("spelling", [SENTINEL, *made.SPELLINGS])
def test_an_old_export_brings_nothing_back(home, spelling):
    """Read again, however the id is written: the subject's rows are counted and dropped, not even quarantined."""
    for path in (home / "export").rglob("*.csv"):
        path.write_text(path.read_text().replace(f"{SENTINEL},", f"{spelling},"))
        path.rename(path.with_name(path.name.replace(SENTINEL, spelling)))
    with (home / "mapping.yaml").open("a") as mapping:
        mapping.write("# mended\n")
    done = made.take_in(home, made.LATER)
    assert done.returncode == 0, done.stdout
    counts = {row["table"]: row["withdrawn"] for row in json.loads(done.stdout)["rows"]}
    assert counts == {"subjects": 1, "sleep": 4, "wearable": 30, "feedback": 1, "interventions": 1}
    made.write_data_page(home)
    assert made.places_that_tell(home) == {}


def test_a_restored_copy_is_erased_again_before_anything_is_read(withdrawn, home):
    """The doctor says that the subject is back; the next command erases and records it; the copy ends as it was."""
    made.restore(withdrawn.before, home)
    doctor = foretide(home, "doctor", "--json")
    (finding,) = [row for row in json.loads(doctor.stdout)["rows"] if row["check"] == "consent"]
    assert finding["state"] == "fault"
    assert SENTINEL not in doctor.stdout
    assert made.take_in(home, made.RECEIVED).returncode == 0
    assert made.places_that_tell(home) == {}
    assert len(made.audit_entries(home)) == 1
    assert current(home / ".state" / "deliveries", NIGHT) is not None
    assert made.rows_of_others(home) == made.rows_of_others(withdrawn.before)


def test_a_single_old_delivery_that_is_restored_is_erased_without_a_second_notice(withdrawn, home):
    """Who was told once is not told again."""
    in_force = current(home / ".state" / "deliveries", NIGHT)
    old = deliveries(withdrawn.before)[0]
    place = home / old.relative_to(withdrawn.before)
    shutil.rmtree(place)
    shutil.copytree(old, place)
    assert made.take_in(home, made.RECEIVED).returncode == 0
    assert made.places_that_tell(home) == {}
    assert current(home / ".state" / "deliveries", NIGHT) == in_force


def test_a_damaged_delivery_loses_its_files_and_stays_a_fault(withdrawn, tmp_path):
    """What cannot be searched cannot be kept; sealing it anew would hide that it was altered."""
    home = Path(shutil.copytree(withdrawn.before, tmp_path / "home"))
    folder = deliveries(home)[0]
    path = folder / "scores.csv"
    path.write_bytes(path.read_bytes().replace(b"0.1", b"0.7"))
    assert made.withdraw(home).returncode == 0
    assert [p.name for p in folder.iterdir()] == ["manifest.json"]
    assert foretide(home, "verify", str(folder)).returncode == 1
    assert made.places_that_tell(home) == {}


@pytest.mark.parametrize("spelling", made.SPELLINGS)
def test_any_spelling_of_the_id_withdraws_the_subject(withdrawn, tmp_path, spelling):
    """Whoever asks need not know how the id was enrolled."""
    home = Path(shutil.copytree(withdrawn.before, tmp_path / "home"))
    done = foretide(home, "withdraw", "--json", stdin=f"{spelling}\r\n{SENTINEL}\r\n")
    assert json.loads(done.stdout)["withdrawn"] == 1
    assert made.places_that_tell(home) == {}


def test_an_unknown_id_is_said_to_be_nowhere(withdrawn, tmp_path):
    """A slip in writing the id must not pass for an erasure."""
    home = Path(shutil.copytree(withdrawn.before, tmp_path / "home"))
    done = foretide(home, "withdraw", stdin="zebra-7\n")
    assert done.returncode == 0
    assert "No rows were found" in done.stdout
    assert made.rows_of_others(home) == made.rows_of_others(withdrawn.before)


@pytest.mark.parametrize("stdin", ["", "\n \n"])
def test_without_an_id_on_standard_input_nothing_happens(withdrawn, stdin):
    """No id, no withdrawal: exit 2, and never an id as an argument."""
    assert foretide(withdrawn.after, "withdraw", stdin=stdin).returncode == 2
    assert foretide(withdrawn.after, "withdraw", SENTINEL, stdin="").returncode == 2
