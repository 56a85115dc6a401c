"""Which predictor earned being served: the model where its gain is proven, else the best simple rule that may serve."""

import pandas as pd

from models.baselines import MODEL, called
from models.errors import ModelsError
from models.evaluation import GAIN, at_headline, baselines, best_baseline
from models.fairness.verdicts import POWER_FACTOR
from models.policy import Policy, calibration
from models.proof import Gain
from models.refitting import REFITS, REFITTED_GAIN

# Of a normal distribution's 95 % interval, in standard deviations.
WIDTH = 3.92


def candidate(rows: pd.DataFrame, split: str, horizon_days: int, policy: Policy) -> tuple[str, str]:
    """Which predictor earned being served, and the sentence that says why.

    Where the model's gain is not proven, the best simple rule serves; but not one whose calibration is proven to lie outside
    the policy while that of a lesser rule is not: a night without any score would help nobody.

    Args:
        rows: tidy result rows of one outcome.
        split, horizon_days: what headlines.

    Raises:
        ModelsError: the headline metric was not estimable.
    """
    gain = gain_at(rows, split, horizon_days)
    if gain is None:
        raise ModelsError(
            "Too few episodes to evaluate a model at all. Gather more data; `foretide doctor` shows the lake."
        )
    best, least = best_baseline(rows, split, horizon_days), policy.min_gain_low
    told = f"{_figure(gain)} onset AUROC against “{called(best)}”, horizon {horizon_days} d"
    if gain.is_estimable:
        provable = POWER_FACTOR * (gain.high - gain.low) / WIDTH
        told += f"; {provable:.3f} or more {'shows' if gain.refits is None else 'is proven'} four times out of five"
    by = f" by more than {least:g}" if least else ""
    if gain.is_proven(least):
        return MODEL, f"The model beats the best simple rule{by}: {told}, {gain.how}."
    rule = _rule(rows, split, horizon_days, policy)
    which = (
        "the rule"
        if rule == best
        else f"“{called(rule)}”, the best rule whose calibration the release policy lets pass,"
    )
    so = f"The model is not proven better than the best simple rule{by}, so {which} serves: {told}, {gain.how}."
    return rule, f"{so} {gain.lacks(least)}".strip()


def _rule(rows: pd.DataFrame, split: str, horizon_days: int, policy: Policy) -> str:
    """The best simple rule that is calibrated as the policy asks; the best of all where none is."""
    headline, ranked = at_headline(rows, split, horizon_days), baselines(rows, split, horizon_days)
    may_serve = (name for name in ranked if all(of.is_kept for of in calibration(headline, name, policy)))
    return next(may_serve, ranked[0])


def gain_at(rows: pd.DataFrame, split: str, horizon_days: int) -> Gain | None:
    """The model's gain where it headlines, with the interval that holds what refitting adds if there is one.

    Args:
        rows: tidy result rows of one outcome.
    """
    at = at_headline(rows, split, horizon_days)
    refitted = at[at["metric"] == REFITTED_GAIN]
    found = at[(at["metric"] == GAIN) & (at["model"] == MODEL)] if refitted.empty else refitted
    if found.empty:
        return None
    counted = at.loc[at["metric"] == REFITS, "value"]
    value, low, high = (float(found[name].iloc[0]) for name in ("value", "low", "high"))
    return Gain(value, low, high, None if refitted.empty else int(counted.sum()))


def _figure(gain: Gain) -> str:
    interval = f"{gain.low:+.3f} to {gain.high:+.3f}" if gain.is_estimable else "no interval could be estimated"
    return f"{gain.value:+.3f} ({interval})"
