"""What counts as the same pseudonym: spreadsheets turn `007` into `7`, and people write `A_1` for `a-1`."""

import hmac
import re
import unicodedata

LONGEST = 64


def plain(subject_id: str) -> str:
    """An id without what gets lost or changed on the way: case, blanks, leading zeros, kind of separator."""
    text = unicodedata.normalize("NFKC", subject_id).strip().casefold()
    text = re.sub(r"^(\d+)\.0+$", r"\1", text)
    text = re.sub(r"[\s_\-.]+", "-", text)
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def keyed_hash(key: bytes, subject_id: str) -> str:
    """What stands for a subject where no id may lie: the same for each spelling, and of no use to who lacks the key."""
    return hmac.digest(key, plain(subject_id).encode(), "sha256").hex()
