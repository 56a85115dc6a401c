"""How long after enrolment features cannot have their values yet: who learns from those days learns who is new."""

import re
from collections.abc import Iterable

from features import pattern_past
from features.catalog import PATTERNS
from features.feature import feature_name

# A week's worth of valid days, and some to miss.
WARM_UP_DAYS = 10
# Days of the earlier windows that each pattern against its own past looks at.
PATTERN_PASTS = {feature_name(told.name, "z", window): window * pattern_past.n_earlier(window)
                 for pattern in PATTERNS for told in pattern.features for window in pattern_past.windows(pattern)}  # fmt: skip


def warm_up_days(names: Iterable[str]) -> int:
    """Days after enrolment in which some of the features rest on less time than they name, or cannot be had.

    Who learns from those days learns who is new. A window is full when enrolment is as long; one against the past before
    it, or the halves of an early warning, takes some days more. Of how many windows a pattern's own past consists shows in
    the z itself, so that it needs them all. Newest values and history rest on no window.
    """
    longest = WARM_UP_DAYS
    for name in names:
        found = re.search(r"_([0-9]+)d(?:_[a-z]+)?$", name)
        if found and not re.search(r"^(history|tenure)_|_(last|change)_[0-9]+d(_[a-z]+)?$", name):
            is_compared = re.search(r"_(z|shift)_[0-9]+d(_[a-z]+)?$|^own_past_distance_[0-9]|^early_warning_", name)
            more = WARM_UP_DAYS if is_compared else 0
            longest = max(longest, int(found[1]) + PATTERN_PASTS.get(name, more))
    return longest
