"""The record of who or what did what: append-only JSON lines, each holding the hash of the one before.

The head, the last entry's hash and number, lies beside the log's folder and not in it, so that cutting off the end of
the log is found too. Entries hold counts, versions and hashes; never a subject.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines import durable, locks
from pipelines.errors import Fault
from pipelines.locks import Lock

LOG_NAME, LOCK_NAME = "log.jsonl", ".lock"
GENESIS = "0" * 64
CURE = "Compare with a backup."
UNREADABLE = f"The audit log or its head is not readable as JSON: it was altered. {CURE}"


class AuditLog:
    """The log in a folder: `append` to it, read its `entries`, `verify` its chain.

    An entry is announced in a pending file before it is written and the head is moved after, so that a kill between
    the two is told apart from tampering; the next append finishes it.
    """

    def __init__(self, folder: Path, fence: Callable[[], None] = locks.unfenced) -> None:
        self.folder = folder
        self._fence = fence
        self.path = folder / LOG_NAME
        self.head_path = folder.with_name(f"{folder.name}.head.json")
        self.pending_path = folder.with_name(f"{folder.name}.pending.jsonl")

    @staticmethod
    def is_at(folder: Path) -> bool:
        """Whether the folder holds an audit log, or is one whose file was taken away."""
        log = AuditLog(folder)
        return log.path.is_file() or log.head_path.is_file()

    def append(self, kind: str, details: Mapping[str, Any], at: datetime | None, by: str = "foretide") -> str:
        """Record that something was done; returns the entry's hash.

        Args:
            kind: ingest, training, promotion, delivery, ...
            details: what a later reader must know: counts, versions, hashes. Must be JSON, must not name a subject.
            at: the knowledge time it refers to; none where it has no single one. The wall clock is recorded beside
                it, here and nowhere else.
            by: who or what did it.

        Raises:
            Fault: the log is damaged, so that nothing can be chained to it.
            Refused: another run took this one's place.
        """
        if "subject_id" in details:
            raise ValueError("audit details must not name a subject; record a count instead")
        self.folder.mkdir(parents=True, exist_ok=True)
        with locks.in_turn(self.folder / LOCK_NAME, self._fence) as lock:
            for path in (self.pending_path, self.head_path):
                locks.sweep_partials(path)
            head = self._finish_pending(lock)
            entry = {
                "number": head["number"] + 1,
                "at": None if at is None else at.astimezone(UTC).isoformat(),
                "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "by": by,
                "kind": kind,
                "details": dict(details),
                "previous": head["hash"],
            }
            entry["hash"] = _hash(entry)
            lock.replace(self.pending_path, _line(entry))
            self._finish_pending(lock)
        return str(entry["hash"])

    def take_over(self) -> None:
        """Keep a superseded process from writing: its lock, and whatever it has open or ready, is at no path any more."""
        (self.folder / LOCK_NAME).unlink(missing_ok=True)
        for path in (self.pending_path, self.head_path):
            locks.sweep_partials(path)
        locks.renew(self.path)

    def entries(self) -> list[dict[str, Any]]:
        """Every entry, oldest first; an unfinished last line is left out.

        Raises:
            Fault: an entry is not JSON any more.
        """
        try:
            return [json.loads(line) for line in self._lines()[0]]
        except ValueError as error:
            raise Fault(UNREADABLE) from error

    def verify(self) -> list[str]:
        """Every fault of the chain, in words; none means that nothing was edited, removed, reordered or cut off."""
        lines, tail = self._lines()
        try:
            head, pending = self._head(), self._pending()
            faults = _chain_faults(lines)
        except (ValueError, KeyError, TypeError):
            return [UNREADABLE]
        return faults or _end_faults(head, lines, tail, pending)

    def refuse_damage(self) -> None:
        """Find out whether anything can be recorded, before it is done.

        Raises:
            Fault: the log is damaged, so that nothing can be chained to it.
        """
        faults = self.verify()
        if faults:
            raise Fault(f"Nothing can be recorded, for the audit log is damaged. {faults[0]}")

    def _lines(self) -> tuple[list[bytes], bytes]:
        """The whole lines, and what stands after the last of them."""
        *lines, tail = self.path.read_bytes().split(b"\n") if self.path.is_file() else [b""]
        return [line + b"\n" for line in lines], tail

    def _head(self) -> dict[str, Any]:
        if not self.head_path.is_file():
            return {"number": 0, "hash": GENESIS}
        head = json.loads(self.head_path.read_bytes())
        return {"number": int(head["number"]), "hash": str(head["hash"])}

    def _pending(self) -> dict[str, Any] | None:
        """The announced entry, unless the head has reached it already."""
        if not self.pending_path.is_file():
            return None
        pending: dict[str, Any] = json.loads(self.pending_path.read_bytes())
        return pending if pending["previous"] == self._head()["hash"] else None

    def _finish_pending(self, lock: Lock) -> dict[str, Any]:
        """Write what was announced but not finished, move the head, and return it."""
        self.refuse_damage()
        head, pending = self._head(), self._pending()
        if pending is not None:
            lines, tail = self._lines()
            if len(lines) == head["number"]:
                lock.append(self.path, _line(pending)[len(tail) :])
            durable.sync_folder(self.folder)
            head = {"number": pending["number"], "hash": pending["hash"]}
            lock.replace(self.head_path, (json.dumps(head) + "\n").encode())
        lock.check()
        self.pending_path.unlink(missing_ok=True)
        return head


def _chain_faults(lines: list[bytes]) -> list[str]:
    faults, previous = [], GENESIS
    for number, line in enumerate(lines, start=1):
        entry = json.loads(line)
        # The exact bytes are compared, so that a change which means the same to a JSON reader is found too.
        if entry["hash"] != _hash(entry) or _line(entry) != line:
            faults.append(f"Entry {number} of the audit log was edited. {CURE}")
        elif entry["number"] != number or entry["previous"] != previous:
            faults.append(f"Entry {number} of the audit log does not follow the one before it. {CURE}")
        previous = entry["hash"]
    return faults


def _end_faults(head: dict[str, Any], lines: list[bytes], tail: bytes, pending: dict[str, Any] | None) -> list[str]:
    """Whether the log ends where its head says; the one announced entry may lie beyond, whole or torn by a kill."""
    announced = b"" if pending is None else _line(pending)
    beyond = b"".join(lines[head["number"] :]) + tail
    if beyond not in (b"", announced) and not (beyond == tail and announced.startswith(tail)):
        return [f"The audit log has {len(lines)} entries, its head says {head['number']}: some were added. {CURE}"]
    end = json.loads(lines[head["number"] - 1])["hash"] if 0 < head["number"] <= len(lines) else GENESIS
    if len(lines) < head["number"] or end != head["hash"]:
        return [f"The audit log has {len(lines)} entries, its head says {head['number']}: some were cut off. {CURE}"]
    return []


def _hash(entry: Mapping[str, Any]) -> str:
    bare = {key: value for key, value in entry.items() if key != "hash"}
    return hashlib.sha256(_line(bare)).hexdigest()


def _line(entry: Mapping[str, Any]) -> bytes:
    return (json.dumps(entry, sort_keys=True, separators=(",", ":")) + "\n").encode()
