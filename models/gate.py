"""The gate: whether what is to serve keeps the release policy, rule by rule."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models import controls
from models.baselines import LEARNT, MODEL, called
from models.candidacy import gain_at
from models.contest import Contest, Standing
from models.evaluation import at_headline
from models.fairness.verdicts import Counted
from models.policy import Policy, calibration

# The rule that nobody can answer for.
CONTROLS = "controls"
# The rule that time alone can mend.
SHADOW_NIGHTS = "shadow nights"


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
        return at_headline(self.rows, self.split, self.horizon_days)


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


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """May the challenger become champion?"""
    first, last = (
        (_controls, _estimable, _data, _gain, _untouched, _no_worse, _no_worse_calibrated),
        (_fairness, _shadowed),
    )
    rules = [rule(evidence, policy) for rule in first] + _calibration(evidence, policy)
    rules += [rule(evidence, policy) for rule in last if rule is not _shadowed or policy.shadow_nights]
    return Decision(tuple(rules))


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
    """The statistical controls try what learns from streams: a simple rule can serve a small site without them."""
    name, rows = "estimable controls", evidence.controls
    unknown = [] if rows is None else sorted(rows.loc[rows["figure"].isna(), "control"])
    needed = [of for of in unknown if evidence.served in LEARNT or of not in controls.STATISTICAL]
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
        return Rule(name, True, "there is no other champion to be compared with")
    champion = f"“{called(contest.champion)}”"
    if contest.standing is Standing.ALTERED:
        told = f"the champion, {champion}, is {contest.standing.value}: restore them, roll back, or let a person answer for the next"
        return Rule(name, False, told)
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


def _no_worse_calibrated(evidence: Evidence, policy: Policy) -> Rule:
    """Ranks alone do not show risks that are all too high: whoever's squared errors are proven larger holds back."""
    name, contest = "champion's Brier score", evidence.contest
    if contest is None or contest.standing is not Standing.COMPARED:
        return Rule(name, True, "there is no champion's predictor to compare Brier scores with")
    value, low, high = contest.brier
    champion = f"“{called(contest.champion)}”"
    if np.isnan(low):
        told = f"the Brier score of the champion's predictor, {champion}, could not be compared with"
        return Rule(name, False, told)
    told = f"Brier score against the champion's predictor, {champion}: {value:+.4f} ({low:+.4f} to {high:+.4f})"
    return Rule(name, low <= 0, f"{told}, {'not ' if low <= 0 else ''}proven worse")


def _calibration(evidence: Evidence, policy: Policy) -> list[Rule]:
    return [Rule(of.name, of.is_kept, of.told) for of in calibration(evidence.headline, evidence.served, policy)]


def _fairness(evidence: Evidence, policy: Policy) -> Rule:
    """Insufficient evidence holds back where the declared size is met, and no simple rule: a small site keeps its rule."""
    found = evidence.fairness
    is_against = (found.fails > 0 and policy.block_on_fairness_fail) or (found.open > 0 and evidence.served in LEARNT)
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
