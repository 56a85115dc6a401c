"""What errors tell of a disk that takes no more, or fails: each library says so in its own way."""

import errno

FULL, FAILS = "The disk is full.", "The disk is full, or fails."
FULL_NUMBERS = (errno.ENOSPC, errno.EDQUOT)
# A file system that met a bad block is read-only from then on.
FAILS_NUMBERS = (errno.EIO, errno.EROFS)
FULL_WORDS = ("No space left on device", "disk is full", "os error 28")
# SQLite's, of a page that could be written in part only.
FAILS_WORDS = ("disk I/O error",)


def told_by(error: BaseException) -> str | None:
    """What an error, or what it came from, tells of the disk, in a sentence; None if nothing."""
    those = _with_causes(error)
    if any(_is_of_the_system(one, FULL_NUMBERS) or _says(one, FULL_WORDS) for one in those):
        return FULL
    fails = any(_is_of_the_system(one, FAILS_NUMBERS) or _says(one, FAILS_WORDS) for one in those)
    return FAILS if fails else None


def _is_of_the_system(error: BaseException, numbers: tuple[int, ...]) -> bool:
    return isinstance(error, OSError) and error.errno in numbers


def _says(error: BaseException, those: tuple[str, ...]) -> bool:
    return any(words in str(error) for words in those)


def _with_causes(error: BaseException) -> list[BaseException]:
    """An error and what it came from; libraries that raise an error again within its own handler make circles of them."""
    found: list[BaseException] = []
    while error is not None and not any(error is one for one in found):
        found.append(error)
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return found
