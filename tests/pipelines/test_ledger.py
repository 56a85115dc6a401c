"""The ledger of promotions: what served before what, also after rollbacks, kills and aliases moved by hand."""

from pathlib import Path

import pytest

from pipelines.audit_log import AuditLog
from pipelines.cli.answer import Answer, give
from pipelines.release import ledger
from pipelines.release.ledger import PROMOTION, ROLLBACK, Entry
from pipelines.release.registry import ModelVersion
from pipelines.reports import changes

NAME = "foretide-crisis"


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    """An audit log with other things in it, too."""
    made = AuditLog(tmp_path / "audit")
    made.append("training", {"model": NAME, "version": "1"}, None)
    return made


def write(log: AuditLog, kind: str, before: str | None, after: str, override: str = "") -> None:
    """One entry of the ledger."""
    ledger.record(
        log, Entry(kind, NAME, before, after, "A. Clinician", "p1", ("it is calibrated",), "r1", override), None
    )


def version(number: str) -> ModelVersion:
    """A version of the model."""
    return ModelVersion(NAME, number, "", "")


def test_the_ledger_says_who_when_from_to_by_which_policy_on_which_report(log):
    """Every entry comes back as it was written, with the hour, in a table without other entries of the audit log."""
    write(log, PROMOTION, None, "1")
    write(log, ROLLBACK, "1", "0", "")
    first, second = ledger.table(log)
    assert first == {
        "when": first["when"], "what": "promotion", "model": NAME, "from": None, "to": "1", "by": "A. Clinician",
        "policy": "p1", "report": "r1", "override": "", "reasons": "it is calibrated",
    }  # fmt: skip
    assert str(first["when"]).startswith("20")
    assert (second["what"], second["from"], second["to"]) == ("rollback", "1", "0")
    assert log.verify() == []


def test_for_people_the_ledger_fits_on_a_screen_and_keeps_everything_that_matters(log, capsys):
    """Who, when, from, to, decision and short hashes within 120 columns, however long a reason; brackets are text."""
    reason = "The board [of the site] accepts it until autumn, and asks for [/another] look at it by then"
    for kind, override in ((PROMOTION, ""), (PROMOTION, reason), (ROLLBACK, "")):
        told = (reason,) if kind == ROLLBACK else ("calibration slope 0.92 lies within 0.7 to 1.4",) * 9
        ledger.record(
            log, Entry(kind, NAME, "11", "12", "A. Clinician-Longname", "c0ffee99aabb", told, "f" * 64, override), None
        )
    rows = changes.table(ledger.entries(log))
    assert [row["decision"].replace("\n", " ") for row in rows] == [
        "within the policy", f"override: “{reason}”", f"taken back: “{reason}”",
    ]  # fmt: skip
    give(Answer("promotions", rows), as_json=False)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 120
    for told in ("11", "12", "[/another]", "c0ffee99 ", "ffffffff", str(rows[0]["when (UTC)"])):
        assert told in printed
    assert "A. Clinician-" in printed


def test_what_served_before_is_never_what_was_taken_back(log):
    """After 1, 2, 3 and a rollback from 3, before 2 comes 1, before 1 nothing, and before a new 4 comes 2."""
    for before, after in ((None, "1"), ("1", "2"), ("2", "3")):
        write(log, PROMOTION, before, after)
    assert ledger.before(log, version("3")) == "2"
    write(log, ROLLBACK, "3", "2")
    assert [ledger.before(log, version(number)) for number in ("2", "1")] == ["1", None]
    write(log, PROMOTION, "2", "4")
    assert ledger.before(log, version("4")) == "2"


def test_before_a_champion_that_nobody_promoted_comes_the_last_on_record(log):
    """An alias moved by hand is taken back to what the ledger knows; where it knows nothing there is nothing."""
    assert ledger.before(log, version("7")) is None
    write(log, PROMOTION, None, "1")
    assert ledger.before(log, version("7")) == "1"


def test_only_what_the_ledger_says_is_released(log):
    """The last entry's version, or the one before while its promotion was cut off; never one taken back."""
    assert not ledger.is_released(log, version("1"))
    write(log, PROMOTION, None, "1")
    write(log, PROMOTION, "1", "2")
    assert [ledger.is_released(log, version(number)) for number in ("1", "2", "3")] == [True, True, False]
    write(log, ROLLBACK, "2", "1")
    assert [ledger.is_released(log, version(number)) for number in ("1", "2")] == [True, False]


def test_an_override_stays_with_its_version(log):
    """It is told of the version for as long as that serves, also when a rollback brings it back."""
    write(log, PROMOTION, None, "1", "Nothing else is there.")
    write(log, PROMOTION, "1", "2")
    assert ledger.override_of(log, version("2")) is None
    write(log, ROLLBACK, "2", "1")
    (told,) = ledger.overrides(log, [version("1"), version("2")])
    assert "version 1 serves outside the release policy, on the word of A. Clinician" in told


def test_entries_of_earlier_code_are_read(log):
    """Promotions that were recorded without report and override are part of the ledger."""
    log.append("promotion", {"model": NAME, "from": None, "to": "1", "policy": "p", "reasons": ["r"]}, None)
    assert [entry.after for entry in ledger.entries(log, NAME)] == ["1"]
    assert ledger.entries(log, "foretide-other") == []
