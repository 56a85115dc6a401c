"""Pseudonyms and shifts from a sender's secret key: the same key and id give the same result, and nobody else can."""

import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import Refused

KEY_BYTES = 32
# Fewer different bytes than this are no random key, but a word or a file of zeros.
DIFFERENT_BYTES = 8
# 80 bits: among a billion subjects two alike are still unlikely.
PSEUDONYM_DIGITS = 20
LONGEST_SHIFT_WEEKS = 26


@dataclass(frozen=True)
class Key:
    """A sender's secret; whoever has it can tell who a pseudonym is, so it stays with the sender."""

    secret: bytes

    def pseudonym(self, kind: str, identity: str) -> str:
        """The name under which a subject (`s`) or device (`d`) is told."""
        return f"{kind}-{self._digest(kind, identity)[:PSEUDONYM_DIGITS]}"

    def shift_weeks(self, identity: str) -> int:
        """By how many whole weeks all dates of a subject are moved back: 1 to 26, the same in every file."""
        return 1 + int(self._digest("shift", identity), 16) % LONGEST_SHIFT_WEEKS

    def _digest(self, purpose: str, identity: str) -> str:
        return hmac.new(self.secret, f"{purpose}\0{identity}".encode(), hashlib.sha256).hexdigest()


def new_key(path: Path) -> None:
    """Write a fresh key that only its owner can read.

    Raises:
        Refused: the file exists; a key that is lost or replaced cannot be had again, nor its pseudonyms.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    except FileExistsError:
        raise Refused(f"The key file `{path.name}` exists already. Leave out --new-key to use it.") from None
    except OSError:
        raise Refused(
            f"The key file `{path.name}` cannot be written there. Name a file in an existing folder."
        ) from None
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(secrets.token_bytes(KEY_BYTES))
        handle.flush()
        os.fsync(handle.fileno())


def read_key(path: Path) -> Key:
    """The key in a file.

    Raises:
        Refused: there is none, others may read it, or it is no random key.
    """
    try:
        mode, secret = path.stat().st_mode, path.read_bytes()
    except OSError:
        raise Refused(
            f"There is no readable key file `{path.name}`. Make one with --new-key, once, and keep it."
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Refused(
            f"Others may read the key file `{path.name}`. Run `chmod 600` on it; if they did, make a new key."
        )
    if len(secret) < KEY_BYTES or len(set(secret)) < DIFFERENT_BYTES:
        raise Refused(f"The key file `{path.name}` holds no {KEY_BYTES} random bytes. Make one with --new-key.")
    return Key(secret)
