"""The release policy: what is served, and whether it may be promoted."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models import controls
from models.baselines import MODEL, called
from models.contest import Contest, Standing
from models.errors import ModelsError
from models.evaluation import GAIN, best_baseline
from models.fairness.verdicts import POWER_FACTOR, Counted
from models.proof import Gain
from models.refitting import REFITS, REFITTED_GAIN

# Of a normal distribution's 95 % interval, in standard deviations.
WIDTH = 3.92
# The rule that nobody can answer for.
CONTROLS = "controls"
# The rule that time alone can mend.
SHADOW_NIGHTS = "shadow nights"


@dataclass(frozen=True)
class Policy:
    """Limits that a challenger must keep; the predetermined change control plan.

    `block_on_fairness_fail`: a comparison that fails holds anything back. `min_group_event_subjects`: in groups of so many,
    a comparison that cannot tell holds a model back; None: none does. A slope or an intercept, which may be so far from 0, is
    outside its limits when its whole interval is. Gain and margin are onset AUROC. `shadow_nights`: 0 asks for none.
    """

    min_gain_low: float
    non_inferiority_margin: float
    calibration_slope_low: float
    calibration_slope_high: float
    calibration_intercept_limit: float
    block_on_fairness_fail: bool
    min_subjects: int
    min_event_subjects: int
    min_group_event_subjects: int | None
    shadow_nights: int


@dataclass(frozen=True)
class Shadowed:
    """Nights on which the challenger scored beside the champion: those whose outcomes are known by now, and those still open."""

    known: int
    open: int


@dataclass(frozen=True)
class Evidence:
    """What is known of a challenger when it is to serve.

    Args:
        rows: tidy result rows of its outcome.
        served: its predictor.
        split, horizon_days: what headlines.
        n_subjects, n_event_subjects: in the headline's test rows.
        fairness: how the comparisons of the audit came out.
        controls: `control, figure, is_passed` and more; None where none were run.
        expected_controls: names of all that must have been run.
        is_tuned: whether the model's trees are grown as a search on these very people may have chosen.
        contest: against the champion; None where there is none yet.
        shadowed: nights on which it scored beside the champion.
    """

    rows: pd.DataFrame
    served: str
    split: str
    horizon_days: int
    n_subjects: int
    n_event_subjects: int
    fairness: Counted
    controls: pd.DataFrame | None
    expected_controls: tuple[str, ...]
    is_tuned: bool
    contest: Contest | None
    shadowed: Shadowed

    @property
    def headline(self) -> pd.DataFrame:
        """Result rows of what headlines."""
        rows = self.rows
        is_headline = (rows["task"] == "onset") & (rows["split"] == self.split)
        return rows[is_headline & (rows["horizon_days"] == self.horizon_days)]


@dataclass(frozen=True)
class Rule:
    """A rule of the policy as it turned out: kept or not, and the figure that says so."""

    name: str
    is_kept: bool
    told: str


@dataclass(frozen=True)
class Decision:
    """Whether the challenger is promoted, and every rule for and against; not where none was judged."""

    rules: tuple[Rule, ...]

    @property
    def is_promoted(self) -> bool:
        """Whether every rule is kept."""
        return bool(self.rules) and all(rule.is_kept for rule in self.rules)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What speaks against; where nothing does, what speaks for it."""
        if not self.rules:
            return ("no rule of the release policy was judged",)
        return tuple(rule.told for rule in self.rules if self.is_promoted or not rule.is_kept)


def candidate(rows: pd.DataFrame, split: str, horizon_days: int, min_gain_low: float) -> tuple[str, str]:
    """Which predictor earned being served, and the sentence that says why.

    Args:
        rows: tidy result rows of one outcome.
        split, horizon_days: what headlines.
        min_gain_low: of the policy: what the refitted interval of the model's gain must lie above.

    Raises:
        ModelsError: the headline metric was not estimable.
    """
    gain = gain_at(rows, split, horizon_days)
    if gain is None:
        raise ModelsError(
            "Too few episodes to evaluate a model at all. Gather more data; `foretide doctor` shows the lake."
        )
    rule = best_baseline(rows, split, horizon_days)
    told = f"{_figure(gain)} onset AUROC against “{called(rule)}”, horizon {horizon_days} d"
    if gain.is_estimable:
        provable = POWER_FACTOR * (gain.high - gain.low) / WIDTH
        told += f"; {provable:.3f} or more {'shows' if gain.refits is None else 'is proven'} four times out of five"
    by = f" by more than {min_gain_low:g}" if min_gain_low else ""
    if gain.is_proven(min_gain_low):
        return MODEL, f"The model beats the best simple rule{by}: {told}, {gain.how}."
    so = f"The model is not proven better than the best simple rule{by}, so the rule serves: {told}, {gain.how}."
    return rule, f"{so} {gain.lacks(min_gain_low)}".strip()


def gain_at(rows: pd.DataFrame, split: str, horizon_days: int) -> Gain | None:
    """The model's gain where it headlines, with the interval that holds what refitting adds if there is one.

    Args:
        rows: tidy result rows of one outcome.
    """
    at = rows[(rows["task"] == "onset") & (rows["split"] == split) & (rows["horizon_days"] == horizon_days)]
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


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """May the challenger become champion?"""
    rules = [_controls, _estimable, _data, _gain, _untouched, _no_worse, _slope, _intercept, _fairness]
    rules += [_shadowed] if policy.shadow_nights else []
    return Decision(tuple(rule(evidence, policy) for rule in rules))


def _controls(evidence: Evidence, policy: Policy) -> Rule:
    """Every control that is expected was run and passed: one that is missing or without a verdict is no pass."""
    rows = evidence.controls
    if rows is None or rows.empty:
        return Rule(CONTROLS, False, "no controls were run on this training")
    known = set(rows["control"])
    lacking = controls.not_passed(rows, evidence.expected_controls)
    if lacking:
        named = ", ".join(name if name in known else f"{name} (not run)" for name in lacking)
        return Rule(CONTROLS, False, f"controls that did not pass, so that no figure can be trusted: {named}")
    return Rule(CONTROLS, True, f"no control failed of {len(rows)}")


def _estimable(evidence: Evidence, policy: Policy) -> Rule:
    """The statistical controls try the model alone: a simple rule can serve a small site without them."""
    name, rows = "estimable controls", evidence.controls
    unknown = [] if rows is None else sorted(rows.loc[rows["figure"].isna(), "control"])
    needed = [of for of in unknown if evidence.served == MODEL or of not in controls.STATISTICAL]
    if needed:
        return Rule(name, False, f"controls that could not be estimated, so that they say nothing: {', '.join(needed)}")
    if unknown:
        told = f"controls of the model, which is not to serve, that could not be estimated: {', '.join(unknown)}"
        return Rule(name, True, told)
    return Rule(name, True, "every control could be estimated")


def _data(evidence: Evidence, policy: Policy) -> Rule:
    is_kept = (
        evidence.n_subjects >= policy.min_subjects and evidence.n_event_subjects >= policy.min_event_subjects
    )  # fmt: skip
    told = f"tested on {evidence.n_subjects} subjects, {evidence.n_event_subjects} of them with an event"
    least = f"at least {policy.min_subjects} and {policy.min_event_subjects} are asked for"
    return Rule("data", is_kept, told if is_kept else f"{told}; {least}")


def _gain(evidence: Evidence, policy: Policy) -> Rule:
    if evidence.served != MODEL:
        return Rule("gain", True, "a simple rule is to serve, which needs no gain")
    gain = gain_at(evidence.rows, evidence.split, evidence.horizon_days)
    if gain is None or not gain.is_estimable:
        return Rule("gain", False, "gain over the best simple rule could not be estimated")
    is_kept = gain.is_proven(policy.min_gain_low)
    verb = "is proven" if is_kept else "is not proven"
    told = f"a gain of more than {policy.min_gain_low:g} over the best simple rule {verb}: at least {gain.low:+.3f}, {gain.how}"
    lacks = gain.lacks(policy.min_gain_low).rstrip(".")
    return Rule("gain", is_kept, f"{told} ({lacks})" if lacks else told)


def _untouched(evidence: Evidence, policy: Policy) -> Rule:
    """A gain proves nothing of trees that were chosen by the very people it is measured on."""
    name = "tuning"
    if evidence.served != MODEL:
        return Rule(name, True, "a simple rule is to serve, which nothing was tuned of")
    if evidence.is_tuned:
        return Rule(
            name, False, "trees are grown otherwise than by default, and a search on these very people was made: the gain is no "
            "test of a choice that they made",
        )  # fmt: skip
    return Rule(name, True, "no search on these people chose how trees are grown")


def _no_worse(evidence: Evidence, policy: Policy) -> Rule:
    """A model must be proven not to be much worse than the champion; a simple rule only not be proven worse.

    For a champion keeps its place against a simple rule as a challenger gains its own: by a gain that is proven.
    """
    name, contest = "champion", evidence.contest
    if contest is None:
        return Rule(name, True, "there is no champion yet to be compared with")
    champion = f"“{called(contest.champion)}”"
    if contest.standing is not Standing.COMPARED:
        return Rule(name, True, f"the champion's predictor, {champion}, is {contest.standing.value}")
    told = f"onset AUROC against the champion's predictor, {champion}: {contest.value:+.3f}"
    told = f"{told} ({contest.low:+.3f} to {contest.high:+.3f}, conditional on the fitted models)"
    if np.isnan(contest.low):
        return Rule(name, False, f"the champion's predictor, {champion}, could not be compared with")
    if evidence.served == MODEL:
        is_kept = contest.low > -policy.non_inferiority_margin
        verb = "not worse" if is_kept else "not proven not to be worse"
        return Rule(name, is_kept, f"{told}, {verb} by {policy.non_inferiority_margin:g} or more")
    is_kept = contest.high >= -policy.min_gain_low
    return Rule(name, is_kept, f"{told}, the champion {'is not' if is_kept else 'is'} proven better")


def _slope(evidence: Evidence, policy: Policy) -> Rule:
    """Whether risks may be spread as far as they should be: with few events only a slope proven wrong blocks."""
    return _within(evidence, "calibration slope", policy.calibration_slope_low, policy.calibration_slope_high)


def _intercept(evidence: Evidence, policy: Policy) -> Rule:
    """Whether the mean risk may be right, in the same way."""
    limit = policy.calibration_intercept_limit
    return _within(evidence, "calibration intercept", -limit, limit)


def _within(evidence: Evidence, name: str, least: float, most: float) -> Rule:
    value, low, high = _calibrated(evidence.headline, evidence.served, name.replace(" ", "_"))
    if np.isnan(value):
        return Rule(name, False, f"{name} could not be estimated")
    is_kept, is_inside = low <= most and high >= least, least <= low and high <= most
    verb = "lies within" if is_inside else "is not proven to lie outside" if is_kept else "lies outside"
    return Rule(name, is_kept, f"{name} {value:.2f} ({low:.2f} to {high:.2f}) {verb} {least:g} to {most:g}")


def _fairness(evidence: Evidence, policy: Policy) -> Rule:
    """Insufficient evidence holds back where the declared size is met, and a model only: a small site keeps its rule."""
    found = evidence.fairness
    is_against = (found.fails > 0 and policy.block_on_fairness_fail) or (found.open > 0 and evidence.served == MODEL)
    return Rule("fairness", not is_against, f"fairness comparisons: {found.told}")


def _shadowed(evidence: Evidence, policy: Policy) -> Rule:
    """Whoever comes first, or in place of what cannot score a night, has nothing to be a shadow of."""
    name, contest, found = SHADOW_NIGHTS, evidence.contest, evidence.shadowed
    if contest is None or contest.standing in (Standing.ALTERED, Standing.GONE):
        return Rule(name, True, "nothing serves that it could have scored beside")
    nights = f"{found.known} night{'' if found.known == 1 else 's'}"
    told = f"scored beside the champion on {nights} whose outcomes are known, of {policy.shadow_nights} asked for"
    more = f"; those of {found.open} more are not known yet" if found.open else ""
    return Rule(name, found.known >= policy.shadow_nights, f"{told}{more}")


def _calibrated(rows: pd.DataFrame, served: str, metric: str) -> tuple[float, float, float]:
    found = rows[(rows["metric"] == metric) & (rows["model"] == served)]
    if found.empty:
        return float("nan"), float("nan"), float("nan")
    value, low, high = (float(found[name].iloc[0]) for name in ("value", "low", "high"))
    return (value, value, value) if np.isnan(low) else (value, low, high)
