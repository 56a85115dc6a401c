"""Linear algebra on one thread: several sum in another order, which shows in the last bits of a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from threadpoolctl import threadpool_limits

_LOCK = Lock()
_ASKING: list[threadpool_limits] = []


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold the linear algebra to one thread until the last of all that asked for it is done.

    The limit is the process's, and fits run side by side: each by itself would give back what another just took away.
    """
    with _LOCK:
        _ASKING.append(threadpool_limits(1, user_api="blas"))
    try:
        yield
    finally:
        with _LOCK:
            given = _ASKING.pop()
            if not _ASKING:
                # The first of them, which found the limits as they were.
                given.restore_original_limits()
