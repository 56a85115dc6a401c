"""The audit log: nothing in it can be changed without being found."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.audit_log import CURE, AuditLog
from pipelines.errors import Fault

AT = pd.Timestamp("2026-06-30T01:00:00Z")


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    """A log with four entries."""
    made = AuditLog(tmp_path / "audit")
    for number in range(4):
        made.append("delivery", {"rows": number}, AT)
    return made


def test_entries_are_kept_in_order_and_the_chain_is_whole(log):
    """What was recorded is read back in order, and an untouched log has no fault."""
    assert [entry["details"]["rows"] for entry in log.entries()] == [0, 1, 2, 3]
    assert [entry["at"] for entry in log.entries()] == ["2026-06-30T01:00:00+00:00"] * 4
    assert log.verify() == []
    assert AuditLog.is_at(log.folder)
    assert not AuditLog.is_at(log.folder.parent)


def test_an_empty_log_has_no_fault(tmp_path):
    """A log to which nothing was ever written is whole."""
    assert AuditLog(tmp_path / "audit").verify() == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_flipped_byte_is_found(log, data):
    """Whatever single byte of the log is changed, verification finds it."""
    whole = log.path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    altered = bytearray(whole)
    altered[at] ^= 1 << data.draw(st.integers(0, 7))
    log.path.write_bytes(bytes(altered))
    assert log.verify()
    log.path.write_bytes(whole)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(share=st.floats(0, 0.999))
def test_any_truncation_is_found(log, share):
    """However much is cut off the end, down to one byte or the last entry alone, verification finds it."""
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[: int(share * len(whole))])
    assert log.verify()
    log.path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert log.verify()
    log.path.write_bytes(whole)


def test_who_reads_an_entry_that_is_no_json_is_told_what_to_do(log):
    """A byte was flipped: a fault in the words of the verification, with the cure, and no error of the JSON reader."""
    log.path.write_bytes(log.path.read_bytes().replace(b'"kind":', b'"kind";', 1))
    with pytest.raises(Fault) as raised:
        log.entries()
    assert [str(raised.value)] == log.verify()
    assert CURE in str(raised.value)


def test_an_edit_that_means_the_same_is_found(log):
    """A space put between two tokens changes no meaning for a JSON reader, and is found all the same."""
    log.path.write_bytes(log.path.read_bytes().replace(b'"kind":', b'"kind": ', 1))
    assert "Entry 1" in log.verify()[0]


def test_removed_and_reordered_entries_are_found(log):
    """An entry taken out of the middle, or two that changed places, are found."""
    first, second, third, fourth = log.path.read_bytes().splitlines(keepends=True)
    for lines in ([first, third, fourth], [first, third, second, fourth], [second, third, fourth]):
        log.path.write_bytes(b"".join(lines))
        assert log.verify()


def test_a_forged_entry_that_chains_correctly_is_found(log):
    """An entry chained by someone who did not move the head is found, and so is a log without its head."""
    whole = log.path.read_bytes()
    head = log.head_path.read_bytes()
    log.append("promotion", {"version": 9}, AT)
    log.head_path.write_bytes(head)
    assert log.verify()
    log.path.write_bytes(whole)
    log.head_path.unlink()
    assert log.verify()


def test_a_damaged_log_takes_no_more_entries(log):
    """Nothing is chained to a damaged log, so that the damage cannot be buried."""
    log.path.write_bytes(log.path.read_bytes().replace(b'"rows":2', b'"rows":7'))
    with pytest.raises(Fault, match="damaged"):
        log.append("delivery", {"rows": 5}, AT)


@pytest.mark.parametrize("written", ["nothing", "half", "all"])
def test_a_kill_between_announcing_and_finishing_is_healed(log, written):
    """An entry announced before a kill counts as no fault, and the next append finishes it first."""
    before, head = log.path.read_bytes(), log.head_path.read_bytes()
    log.append("delivery", {"rows": 4}, AT)
    line = log.path.read_bytes()[len(before) :]
    log.pending_path.write_bytes(line)
    log.head_path.write_bytes(head)
    log.path.write_bytes(before + {"nothing": b"", "half": line[:20], "all": line}[written])
    assert log.verify() == []
    log.append("delivery", {"rows": 5}, AT)
    assert [entry["details"]["rows"] for entry in log.entries()] == [0, 1, 2, 3, 4, 5]
    assert log.verify() == []


def test_details_must_not_name_a_subject(log):
    """A record that would name a subject is not taken."""
    with pytest.raises(ValueError, match="subject"):
        log.append("access", {"subject_id": "s-1"}, AT)
    assert "s-1" not in json.dumps(log.entries())


@pytest.mark.parametrize("cut", range(4))
def test_a_log_cut_off_at_a_whole_entry_is_found_by_the_head_kept_apart(log, cut):
    """Down to an empty file, or none at all, a log that is a valid chain by itself is not the one that the head knows."""
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:cut]))
    assert "cut off" in log.verify()[0]
    log.path.unlink()
    assert AuditLog.is_at(log.folder)
    assert "cut off" in log.verify()[0]


def test_a_log_made_anew_from_the_start_is_found(log, tmp_path):
    """Another history of as many entries, chained correctly, does not end with the hash that the head has."""
    other = AuditLog(tmp_path / "other")
    for number in range(4):
        other.append("delivery", {"rows": number + 1}, AT)
    log.path.write_bytes(other.path.read_bytes())
    assert log.verify()


def test_a_log_replaced_with_its_head_is_found_only_by_a_copy_of_the_head(log, tmp_path):
    """Who can write to both can write another history, which docs/audit-log.md says; a head noted elsewhere tells."""
    noted = json.loads(log.head_path.read_bytes())
    other = AuditLog(tmp_path / "other")
    for number in range(5):
        other.append("delivery", {"rows": number + 1}, AT)
    log.path.write_bytes(other.path.read_bytes())
    log.head_path.write_bytes(other.head_path.read_bytes())
    assert log.verify() == []
    assert log.entries()[noted["number"] - 1]["hash"] != noted["hash"]
