"""The tokens by which the audit log and the ledger of releases speak of subjects, and the only link between the two.

A token is random. Which subject it stands for is told by `subjects.json` alone, and there only to who has an id to ask
about: ids are kept as keyed hashes. Taking a line out of it leaves a token that stands for nobody, in the ledger for good.
"""

import json
import secrets
from collections.abc import Collection
from pathlib import Path

from pipelines import durable
from pipelines.errors import Fault, Refused
from pipelines.pseudonyms import keyed_hash

TOKEN_BYTES = 16
KEY_NAME, LINKS_NAME = "key", "subjects.json"


class Tokens:
    """The link between subjects and tokens in a folder; one that is not there links nobody.

    An installation has one, in the folder of its ledger of releases; a scores file has its own beside it.
    """

    def __init__(self, folder: Path) -> None:
        self._key_path, self._path = folder / KEY_NAME, folder / LINKS_NAME

    def of(self, ids: Collection[str]) -> dict[str, str]:
        """The token of each subject, a new one for who has none; `keep` before anything speaks of them.

        Raises:
            Refused: two ids are spelled so alike that they would be one subject.
        """
        key, links = self._key(), self._links()
        hashes = {name: keyed_hash(key, name) for name in ids}
        alike = len(hashes) - len(set(hashes.values()))
        if alike:
            raise Refused(
                f"{alike} of the subjects' ids differ from another only in case, blanks, leading zeros or separators, so that "
                "nobody can tell whether they are one subject. Give each subject one id that is unlike the others."
            )
        return {name: links.get(found) or secrets.token_hex(TOKEN_BYTES) for name, found in hashes.items()}

    def one(self, subject_id: str) -> str:
        """The token of one subject, linked when this returns."""
        told = self.of([subject_id])
        self.keep(told)
        return told[subject_id]

    def keep(self, tokens: dict[str, str]) -> None:
        """Link the subjects with their tokens; on disk when this returns."""
        key = self._key()
        self._write({**self._links(), **{keyed_hash(key, name): token for name, token in tokens.items()}})

    def forget(self, ids: Collection[str]) -> int:
        """Destroy the link of the subjects, however their ids are spelled; how many were linked."""
        # What a killed command was writing may hold a link that the file itself never had.
        self._path.with_name(f".{self._path.name}.partial").unlink(missing_ok=True)
        links = self._links()
        if not links:
            return 0
        key = self._key()
        gone = {keyed_hash(key, name) for name in ids} & links.keys()
        if gone:
            self._write({name: token for name, token in links.items() if name not in gone})
        return len(gone)

    def _links(self) -> dict[str, str]:
        if not self._path.is_file():
            return {}
        try:
            return dict(json.loads(self._path.read_bytes()))
        except ValueError as error:
            raise Fault(f"`{LINKS_NAME}` of the ledger's tokens is damaged. Restore it from a backup.") from error

    def _write(self, links: dict[str, str]) -> None:
        # By hash, so that the order in which subjects came is not told.
        durable.replace(self._path, (json.dumps(dict(sorted(links.items()))) + "\n").encode())

    def _key(self) -> bytes:
        if self._key_path.is_file():
            return self._key_path.read_bytes()
        if self._path.is_file():
            raise Fault(
                f"The key of the ledger's tokens in `{self._path.parent.name}` is gone, so nobody can tell by whom releases differ, "
                f"nor whose score was asked about. Restore the file `{KEY_NAME}`, or release nothing more of this cohort."
            )
        durable.new_key(self._key_path)
        return self._key_path.read_bytes()
