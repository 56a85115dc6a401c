"""How much of what a pattern counts there is: of the days, hours or pairs that there was time for since enrolment.

A pattern hands in the count that its own least data are held against, so that both always agree.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from features.measures import HAS_DATA, WINDOWS, Pattern, PatternFeature, Values

Counts = NDArray[np.int64]


def share(n: Counts, observable: Counts, per_day: int = 1, less: int = 0) -> Values:
    """What there is as a share of what the days since enrolment leave room for; days before it may help, never above 1.

    Args:
        n: days, hours or pairs that count, by row.
        observable: days of the window since enrolment; on the day itself one is expected, and nothing is 0.
        per_day: how many there can be a day.
        less: by how many days there can be fewer: 1 for pairs of successive days.
    """
    room = per_day * np.maximum(observable - less, 1)
    found: Values = np.minimum(n / room, 1.0)
    return found


def coverage(
    of: str, columns: tuple[str, ...], count: Callable[[Values], Counts], counted: str, words: str,
    per_day: int = 1, less: int = 0, windows: tuple[int, ...] = tuple(WINDOWS),
) -> Pattern:  # fmt: skip
    """The pattern `<of>_coverage`, off by default.

    Args:
        of: the pattern or family whose coverage it is.
        columns: those of the pattern.
        count: from values as the pattern gets them, of shape (n_rows, n_days, n_columns), to how many count, (n_rows,).
        counted: what counts, in words.
        per_day: as in `share`.
        less: as in `share`.
    """

    def compute(values: Values) -> tuple[Values]:
        return (share(count(values[:, :, :-1]), np.isfinite(values[:, :, -1]).sum(axis=1), per_day, less),)

    days = f"days since enrolment{f' less {less}' if less else ''}"
    room = f"{per_day} x {days}" if per_day > 1 else days
    figure = PatternFeature(
        f"{of}_coverage", "share", words, f"{counted} / {room}, at most 1", "Foretide", "1 day since enrolment"
    )
    return Pattern((*columns, HAS_DATA), compute, (figure,), windows, has_own_past=False)
