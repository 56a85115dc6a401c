"""The ledger of looks at test labels, on a real audit log."""

from pipelines.audit_log import AuditLog
from pipelines.training import looks


def look(log: AuditLog, outcome: str, configurations: int) -> None:
    """One look, as a command leaves it behind."""
    log.append(
        looks.KIND, {"what": "evaluation", "outcome": outcome, "configurations": configurations, "basis": "b"}, None
    )


def test_looks_and_configurations_of_an_outcome_add_up(tmp_path):
    """Two looks of 1 and 27 are 28 configurations; those at other labels do not count."""
    log = AuditLog(tmp_path / "audit")
    for outcome, configurations in (("crisis", 1), ("relapse", 5), ("crisis", 27)):
        look(log, outcome, configurations)
    assert looks.of(log, "crisis") == looks.Looks(2, 28)
    assert looks.sentence(log, "crisis") == "Test labels of crisis were looked at 2 times, with 28 configurations."
    assert looks.sentence(log, "relapse").endswith("looked at once, with 5 configurations.")
