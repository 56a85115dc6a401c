"""The two ways in which figures of two sides are compared: equal, or apart by as much as is on the page."""

from typing import Any

import pytest


def same(theirs: Any) -> Any:
    """Equal to the tool's figures to 1e-6."""
    return pytest.approx(theirs, rel=1e-6, abs=1e-9, nan_ok=True)


def shown(theirs: float, ours: float) -> Any:
    """A tool's figure and ours, as `docs/deviations.md` shows them: to four decimals."""
    return pytest.approx((theirs, ours), rel=0, abs=6e-5, nan_ok=True)
