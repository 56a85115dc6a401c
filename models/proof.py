"""What it takes for a gain to count as proven: an interval that holds what fitting again adds, from enough resamples."""

import math
from dataclasses import dataclass

# Resamples of subjects on which both were fitted again and a gain could be measured: fewer are too few for the ends of a
# 95 % interval.
FEWEST_REFITS = 200


@dataclass(frozen=True)
class Gain:
    """The model's gain in onset AUROC over the best simple rule, with the surest interval that there is.

    Args:
        value, low, high: missing where not estimable.
        refits: how many resamples gave a gain by models fitted on them; None where the interval is conditional on the
            fits.
    """

    value: float
    low: float
    high: float
    refits: int | None = None

    @property
    def is_estimable(self) -> bool:
        """Whether there is an interval at all."""
        return not math.isnan(self.low)

    @property
    def is_refitted(self) -> bool:
        """Whether enough resamples gave a gain for the interval to be one that holds what refitting adds."""
        return self.refits is not None and self.refits >= FEWEST_REFITS

    def is_proven(self, least: float) -> bool:
        """Whether the gain is more than that, whoever else had been drawn and learnt from."""
        return self.is_refitted and self.low > least

    @property
    def how(self) -> str:
        """What the interval holds, in words."""
        if self.refits is None:
            return "conditional on the fitted models"
        return "refitted on resampled subjects" if self.is_refitted else f"refitted on {self.refits} resamples only"

    def lacks(self, least: float) -> str:
        """What keeps a gain whose interval is high enough from being proven, in a sentence; empty where nothing does."""
        if self.is_refitted or self.low <= least:
            return ""
        if self.refits is None:
            return "A gain counts as proven only where models were refitted; set `training: refits:`."
        return f"A gain counts as proven only from {FEWEST_REFITS} resamples that models could be fitted and tested on."
