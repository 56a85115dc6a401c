"""What is tried again by itself: what may pass. A refusal does not: it would be the same, and somebody must act."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import RetryRequested
from sqlalchemy.exc import OperationalError

TRIES, WAIT_S = 2, 30
# A share that is away for a moment, a device that is busy. A full disk or a missing file does not pass by waiting.
PASSING = {errno.EAGAIN, errno.EBUSY, errno.EIO, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.ECONNRESET,
           errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN}  # fmt: skip


@contextmanager
def tried_again() -> Iterator[None]:
    """Have the step tried again, twice, where what it met may pass: a source that cannot be read, a registry that is locked."""
    try:
        yield
    except Exception as error:
        if not may_pass(error):
            raise
        raise RetryRequested(max_retries=TRIES, seconds_to_wait=WAIT_S) from error


def may_pass(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, is of a kind that waiting cures."""
    while error is not None:
        if isinstance(error, OperationalError) or (isinstance(error, OSError) and error.errno in PASSING):
            return True
        error = error.__cause__
    return False
