"""The ledger of promotions for a terminal: a narrow row per change; `--json` has its reasons and hashes in full."""

import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime

from pipelines.release.ledger import ROLLBACK, Entry
from pipelines.reports import words

# So that a row of short names fits into 120 columns.
WRAPPED = 28
# As many letters of a hash tell it from the others of a ledger.
SHORT = 8


def table(entries: Iterable[Entry]) -> list[dict[str, object]]:
    """Who made which version champion, when, instead of which, by what decision, under which policy, on which report."""
    return [
        {
            "when (UTC)": _minute(entry.written_at), "what": entry.kind, "model": entry.model, "from": entry.before, "to": entry.after,
            "by": _wrapped(entry.by, WRAPPED // 2), "decision": _wrapped(_decision(entry), WRAPPED),
            "policy": entry.policy[:SHORT] or words.DASH, "report": entry.report[:SHORT] or words.DASH,
        }
        for entry in entries
    ]  # fmt: skip


def _decision(entry: Entry) -> str:
    if entry.kind == ROLLBACK:
        return f"taken back: “{'; '.join(entry.reasons)}”"
    return f"override: “{entry.override}”" if entry.override else "within the policy"


def _minute(instant: str) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(UTC):%Y-%m-%d %H:%M}"


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width))
