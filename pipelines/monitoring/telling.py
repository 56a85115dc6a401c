"""Signals in words that a clinician understands: what changed, since when, in whom; one sentence for what belongs together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.fairness.groups import EVERYBODY
from models.monitoring.limits import Chart
from models.monitoring.series import LEVEL
from models.monitoring.signals import CALIBRATION, DECAY, DRIFT, MISSINGNESS, ORDER, SCORES, VOLUME, Signal
from pipelines import night_status, notices
from pipelines.installation import Installation
from pipelines.monitoring.published import SCORED
from pipelines.monitoring.record import NightRecord
from pipelines.reports import words

TITLES = {
    DRIFT: "What is measured has changed",
    MISSINGNESS: "More or less is missing than usual",
    SCORES: "Scores have shifted",
    ORDER: "Scores put people in quite another order",
    VOLUME: "There are more or fewer alerts than usual",
    DECAY: "Past scores turned out worse than promised",
}
HEADINGS = {
    DRIFT: "What is measured", MISSINGNESS: "What is missing, and who has a score", SCORES: "Scores", VOLUME: "Alerts",
}  # fmt: skip
MODALITIES = {
    "heart": "the heart",
    "history": "past episodes",
    "adherence": "wear and answers",
    "early": "early warning signs",
}
MOST_GROUPS = 3


@dataclass(frozen=True)
class Finding:
    """Signals of one kind about one thing: since when, in a sentence, whether any is new on the night, and whether all of them
    follow from a stream that is silent, which is told already."""

    kind: str
    about: str
    since: str
    sentence: str
    signals: tuple[Signal, ...]
    is_new: bool
    follows: bool = False


def findings(record: NightRecord, told: Mapping[str, str]) -> list[Finding]:
    """What is out of the ordinary on a night, the newest first.

    Args:
        told: what a clinician calls each feature.
    """
    together: dict[tuple[str, str], list[Signal]] = {}
    for of in record.signals:
        together.setdefault((of.kind, about(of)), []).append(of)
    new, own = {of.identity for of in record.new_signals}, record.told_identities
    found = [
        Finding(kind, thing, min(of.since for of in some), _sentence(kind, thing, some, told), tuple(some),
                any(of.identity in new for of in some), own.isdisjoint(of.identity for of in some))
        for (kind, thing), some in together.items()
    ]  # fmt: skip
    return sorted(found, key=lambda of: (not of.is_new, of.follows, of.kind, of.about))


def about(of: Signal) -> str:
    """What a signal is about: the modality of a feature, else the outcome."""
    if of.kind == DRIFT or (of.kind == MISSINGNESS and of.name != SCORED):
        modality = of.name.split("_")[0]
        return MODALITIES.get(modality, modality)
    return f"who has a score for {words.plain(of.outcome)}" if of.kind == MISSINGNESS else words.plain(of.outcome)


def _sentence(kind: str, thing: str, some: Sequence[Signal], told: Mapping[str, str]) -> str:
    strongest = max(some, key=lambda of: abs(of.ratio))
    since, whom = min(of.since for of in some), _whom(some)
    name = told.get(strongest.name, words.plain(strongest.name))
    if kind == DRIFT:
        n = len({of.name for of in some})
        more = f"; {words.counted(n - 1, 'further feature has', 'further features have')} changed, too" if n > 1 else ""
        return f"{thing.capitalize()}: {name} is {_moved(strongest)}, since {since}, {whom}{more}."
    if kind == SCORES:
        return f"Risks of {thing} are {_moved(strongest)}, since {since}, {whom}."
    if kind == ORDER:
        return (
            f"Risks of {thing} order people quite otherwise than those of {strongest.model} before: rank agreement "
            f"{strongest.value:.2f}, where at least {strongest.expected:.1f} is to be expected. Have somebody look at the model "
            "before the order is relied on."
        )
    shares = f"{_share(strongest.value)} {{}}, where {_share(strongest.expected)} are usual, since {since}, {whom}."
    if kind == MISSINGNESS:
        what = "have a score" if strongest.name == SCORED else f"have no value of {name}"
        return f"{thing.capitalize()}: {shares.format(what)}"
    if kind == VOLUME:
        return f"Of those with a score for {thing}, {shares.format('are alerted')}"
    return _of_decay(thing, some)


def _of_decay(thing: str, some: Sequence[Signal]) -> str:
    parts = []
    for of in some:
        of_whom = "" if of.group == EVERYBODY else f" in {of.group}"
        if of.statistic == CALIBRATION:
            parts.append(f"for every 10 events that the scores foresaw{of_whom}, {_of_ten(of.value)} came to pass")
        else:
            parts.append(f"scores order people by AUROC {of.value:.2f}, where {of.expected:.2f} was promised")
    more = f" and in {words.counted(len(parts) - MOST_GROUPS, 'further group')}" if len(parts) > MOST_GROUPS else ""
    return f"{thing.capitalize()}, {some[0].model}: {words.listing(parts[:MOST_GROUPS])}{more}."


def _of_ten(ratio: float) -> str:
    """How many events came for every 10 foreseen, in whole ones; below 1 with a decimal, for none would be too few."""
    return f"{10 * ratio:.0f}" if ratio >= 0.1 else f"{10 * ratio:.1f}"


def _moved(of: Signal) -> str:
    if of.statistic != LEVEL:
        return f"{'more' if of.value > of.expected else 'less'} spread out than in the weeks before"
    way = "higher" if of.value > of.expected else "lower"
    return f"{abs(of.value - of.expected):.2f} standard deviations {way} than in the weeks before"


def _share(value: float) -> str:
    return words.percent(round(value, 2))


def _whom(some: Sequence[Signal]) -> str:
    """In everybody, and where most; or in which groups."""
    by_group: dict[str, float] = {}
    for of in some:
        by_group[of.group] = max(by_group.get(of.group, 0.0), abs(of.value - of.expected))
    groups = sorted((group for group in by_group if group != EVERYBODY), key=lambda group: -by_group[group])
    if EVERYBODY in by_group:
        is_more = groups and by_group[groups[0]] > 1.5 * by_group[EVERYBODY]
        return f"in everybody, most in {groups[0]}" if is_more else "in everybody"
    more = f" and {words.counted(len(groups) - MOST_GROUPS, 'further group')}" if len(groups) > MOST_GROUPS else ""
    return f"in {', '.join(groups[:MOST_GROUPS])}{more}"


def lead(record: NightRecord, found: Sequence[Finding]) -> str:
    """The night in a sentence or two."""
    if not any(record.judged.values()) and not record.looked_on:
        return "There is not enough history yet to say what is ordinary."
    if not found:
        return "Nothing is out of the ordinary."
    new = sum(of.is_new for of in found)
    since = min(of.since for of in found)
    stands = f"{words.counted(len(found), 'thing is', 'things are')} out of the ordinary, the oldest since {since}"
    told = f"{stands}; {words.counted(new, 'is', 'are')} new tonight." if new else f"{stands}; none is new tonight."
    follow = sum(of.follows for of in found)
    return (
        f"{told} {words.counted(follow, 'follows', 'follow')} from streams that are or were silent." if follow else told
    )


def unjudged(record: NightRecord, charts: Mapping[str, Chart]) -> list[str]:
    """What cannot be judged yet, and why."""
    nights = {
        kind: int(np.isfinite(charts[kind].series.value).any(axis=1).sum()) if kind in charts else 0
        for kind in HEADINGS
    }
    found = [
        f"{HEADINGS[kind]}: not judged yet, for there is not enough history ({words.counted(nights[kind], 'night')} counted)."
        for kind in HEADINGS
        if not record.judged.get(kind)
    ]
    if not record.looked_on:
        found.append("How scores turned out: not known yet; a score turns out when its horizon is over.")
    return found


def spread(installation: Installation, record: NightRecord) -> list[str]:
    """Give notice of what is new on a night, and colour its status; in words, what could not be told.

    What follows from a silence is on the page alone: the silence itself coloured the night, and was told.
    """
    told = {name: feature.words for name, feature in installation.settings.catalog().by_name.items()}
    unreached: list[str] = []
    new = [of for of in findings(record, told) if of.is_new]
    for kind in dict.fromkeys(of.kind for of in new):
        some = [of for of in new if of.kind == kind]
        counts = {"signals": sum(len(of.signals) for of in some)}
        sentences = tuple(of.sentence for of in some)
        unreached += notices.give(
            installation, notices.Notice(kind, "amber", record.night, f"{TITLES[kind]}.", sentences, counts)
        )
    if record.retrain_asked_for:
        title = f"A retraining was asked for: {record.retrain_asked_for}."
        unreached += notices.give(installation, notices.Notice("retrain", "amber", record.night, title))
    for of in findings(record, told):
        if not of.follows:
            night_status.add(installation, record.night, "amber", of.sentence)
    return unreached
