"""Tombstones: who withdrew, as keyed hashes, so that an old export or a restored backup cannot bring a subject back.

What is hashed is the plain form of an id (`pipelines.pseudonyms`): every spelling of it is the subject that withdrew.

They lie apart from the state, which a backup would restore to before the withdrawal. Without the key beside them
nobody can find out whom they stand for by trying ids; with it, only whether a given id is among them.
"""

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from pipelines import durable
from pipelines.errors import Fault
from pipelines.pseudonyms import keyed_hash

TOKEN_BYTES = 16


@dataclass(frozen=True)
class Tombstone:
    """One withdrawal: the keyed hash of the subject's plain id, and the random token by which logs speak of it.

    `at` is when consent was withdrawn, `retrain_by` the date by which models trained on the subject are to be replaced.
    """

    subject: str
    token: str
    at: str
    retrain_by: str


class Tombstones:
    """The tombstones in a folder; a folder that is not there holds none."""

    def __init__(self, folder: Path) -> None:
        self._key_path = folder / "key"
        self._path = folder / "tombstones.jsonl"

    @cached_property
    def all(self) -> list[Tombstone]:
        """Every tombstone, oldest first; a line that a kill cut off stands for nothing, its withdrawal never began."""
        if not self._path.is_file():
            return []
        whole = self._path.read_text(encoding="ascii").rpartition("\n")[0]
        return [Tombstone(**json.loads(line)) for line in whole.splitlines()]

    def withdrawn(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids whose subjects withdrew, as they are spelled here."""
        if not self.all:
            return set()
        known = {tombstone.subject for tombstone in self.all}
        key = self.key()
        return {name for name in ids if keyed_hash(key, name) in known}

    def find(self, subject_id: str) -> Tombstone | None:
        """The subject's tombstone, if there is one."""
        if not self.all:
            return None
        sought = keyed_hash(self.key(), subject_id)
        return next((tombstone for tombstone in self.all if tombstone.subject == sought), None)

    def bury(self, ids: Iterable[str], at: str, retrain_by: str) -> None:
        """Set a tombstone for each subject that has none; it is on disk when this returns."""
        key = self.key()
        known = {tombstone.subject for tombstone in self.all}
        subjects = dict.fromkeys(keyed_hash(key, name) for name in ids)
        fresh = [Tombstone(subject, secrets.token_hex(TOKEN_BYTES), at, retrain_by)
                 for subject in subjects if subject not in known]  # fmt: skip
        lines = "".join(json.dumps(asdict(tombstone)) + "\n" for tombstone in [*self.all, *fresh])
        durable.replace(self._path, lines.encode())
        self.__dict__.pop("all")

    def key(self) -> bytes:
        """The key of the hashes, made where there is none yet.

        Raises:
            Fault: it is gone, though tombstones are there.
        """
        if self._key_path.is_file():
            return self._key_path.read_bytes()
        if self.all:
            raise Fault(
                f"The key of the tombstones in `{self._key_path.parent.name}` is gone, so nobody can tell who withdrew. "
                "Restore the file `key`, or move the folder away and withdraw everybody again."
            )
        durable.new_key(self._key_path)
        return self._key_path.read_bytes()
