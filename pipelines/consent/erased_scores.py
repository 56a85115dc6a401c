"""Scores that were erased with their subjects, as keyed hashes: so that `explain` says *erased*, and not *unknown*.

A `score_id` is a hash of a run and a subject's id: whoever has a list of ids could find out whom a bare one was about. The
key is that of the tombstones, beside which the hashes lie; with it, only whether a given score is among them.
"""

import hmac
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from pipelines import durable
from pipelines.consent.tombstones import Tombstones

# Half a sha256: enough that no score of any installation is taken for another.
HASH_LENGTH = 32
NAME = "erased-scores"


class ErasedScores:
    """The erased scores on record in the folder of the tombstones; a folder that is not there holds none."""

    def __init__(self, folder: Path) -> None:
        self._tombstones = Tombstones(folder)
        self._path = folder / NAME

    @cached_property
    def _known(self) -> set[str]:
        return set(self._path.read_text(encoding="ascii").split()) if self._path.is_file() else set()

    def remember(self, score_ids: Iterable[str]) -> None:
        """Put scores on record that are about to be erased; on disk when this returns, and nothing of a part of them."""
        fresh = {self._hash(score_id) for score_id in score_ids} - self._known
        if fresh:
            # By hash, so that the order in which they were erased is not told.
            durable.replace(self._path, "".join(f"{line}\n" for line in sorted(self._known | fresh)).encode())
            self.__dict__.pop("_known")

    def has(self, score_id: str) -> bool:
        """Whether the score was erased with its subject."""
        return bool(self._known) and self._hash(score_id) in self._known

    def _hash(self, score_id: str) -> str:
        # Another use of the key than for ids: its hashes must not meet theirs.
        return hmac.digest(self._tombstones.key(), f"score {score_id}".encode(), "sha256").hex()[:HASH_LENGTH]
