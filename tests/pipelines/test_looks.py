"""The ledger of looks at test labels, on a real audit log; that each command fills it, its own tests show."""

from types import SimpleNamespace

import pandas as pd
import pytest

from pipelines.audit_log import AuditLog
from pipelines.training import looks, provenance
from tests.pipelines.small_job import ROOT


def look(log: AuditLog, outcome: str, configurations: int, basis: str = "b") -> None:
    """One look, as a command leaves it behind."""
    log.append(
        looks.KIND, {"what": "evaluation", "outcome": outcome, "configurations": configurations, "basis": basis}, None
    )


def test_looks_and_configurations_of_an_outcome_add_up(tmp_path):
    """Two looks of 1 and 27 are 28 configurations; those at other labels do not count."""
    log = AuditLog(tmp_path / "audit")
    for number, (outcome, configurations) in enumerate((("crisis", 1), ("relapse", 5), ("crisis", 27))):
        look(log, outcome, configurations, basis=str(number))
    assert looks.of(log, "crisis") == looks.Looks(2, 28)
    assert looks.sentence(log, "crisis") == "Test labels of crisis were looked at 2 times, with 28 configurations."
    assert looks.sentence(log, "relapse").endswith("looked at once, with 5 configurations.")


@pytest.fixture
def installation(tmp_path, monkeypatch) -> SimpleNamespace:
    """As much of an installation as the ledger reads, and the basis of a night."""
    monkeypatch.setattr(looks, "basis", lambda _, night: f"basis of {night}")
    monkeypatch.setattr(
        looks.engineering, "cohort", lambda *_: SimpleNamespace(known_at=pd.Timestamp("2026-07-01", tz="UTC"))
    )
    return SimpleNamespace(audit_log=AuditLog(tmp_path / "audit"))


def test_a_look_that_takes_several_calls_is_one_of_all_its_configurations(installation):
    """Told after 6, then 12, then 12 again: 12 configurations in one look; on other data it is another."""
    for tried in (6, 12, 12, 6):
        looks.record(installation, "2026-07-01", "crisis", "tuning", tried)
    assert looks.of(installation.audit_log, "crisis") == looks.Looks(1, 12)
    looks.record(installation, "2026-07-02", "crisis", "tuning", 6)
    looks.record(installation, "2026-07-02", "crisis", "evaluation", 1)
    assert looks.of(installation.audit_log, "crisis") == looks.Looks(3, 19)


def test_edited_code_is_other_code_committed_or_not(tmp_path):
    """A byte of a module, or its name, changes the version; what is no module does not."""

    def version() -> str:
        return provenance.source_hash.__wrapped__(tmp_path)

    (tmp_path / "models" / "deep").mkdir(parents=True)
    (tmp_path / "models" / "deep" / "risk.py").write_text("x = 1\n")
    before = version()
    (tmp_path / "models" / "notes.txt").write_text("no code")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_risk.py").write_text("y = 1\n")
    assert version() == before
    (tmp_path / "models" / "deep" / "risk.py").write_text("x = 2\n")
    edited = version()
    (tmp_path / "models" / "deep" / "risk.py").rename(tmp_path / "models" / "risk.py")
    assert len({before, edited, version()}) == 3
    assert provenance.code_version().endswith(f"+{provenance.source_hash(ROOT)}")
