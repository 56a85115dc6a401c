"""A feature's value as a clinician reads it: what it is, the figure with its unit, and what is usual beside it."""

import re

import numpy as np

from features import history
from features.baseline import ROUNDING
from features.catalog import Catalog
from features.feature import UNITS, Feature

RATE, AS_USUAL = "episodes/day", "as usual"
IN_HOURS = "min, in hours"
# Unit of a feature -> factor and how it is said.
SAID: dict[str, tuple[float, str]] = {
    "share": (100, "%"), "share of scale": (100, "% of the scale"), "nat": (100 / np.log(24), "% of an even spread"),
    "answers/day": (1, "a day"), "steps/h": (1, "steps an hour"), "1/min": (1, "a minute"),
    "points of 100": (1, "of 100"), "1": (1, ""), IN_HOURS: (1 / 60, "h"),
}  # fmt: skip
# From here on hours are easier to picture than minutes, and decimals say nothing.
MANY_MINUTES, LARGE = 120, 100


def phrase(catalog: Catalog, name: str, value: float, median: float = np.nan, shift: float = np.nan) -> str:
    """A driver in words: `sleep duration, mean of 7 days: 5.1 h (median that night: 7.2)`.

    A comparison with the subject's own past is said as `1.9 h less (1.2 SD)`, a trend as rising or falling. Neither is set
    beside other people.

    Args:
        catalog: what the name means; of one that it does not know, as an older model may have, only the figure is said.
        name: a feature.
        value: in the feature's unit; NaN where its least data were not met.
        median: of everybody, in the same unit; NaN where it is not known or rests on few.
        shift: the value of `catalog.in_units[name]`, where there is such a feature; NaN where it is not known.
    """
    feature = catalog.by_name.get(name)
    if feature is None:
        return f"{name}: {'no data' if np.isnan(value) else _number(value)}"
    said = _said(feature, value, median)
    if np.isfinite(shift) and said != AS_USUAL:
        said = f"{_less_or_more(catalog.by_name[catalog.in_units[name]], shift)} ({abs(value):.1f} SD)"
    return f"{feature.words}: {said}"


def _said(feature: Feature, value: float, median: float) -> str:
    if np.isnan(value):
        return "none known" if feature.family == "history" else "too few data"
    if feature.family == "own_past":
        return _apart(feature, value) if feature.unit == UNITS["z"] else _less_or_more(feature, value)
    if feature.is_circular:
        minutes = round(value * 60) % 1440
        return f"{minutes // 60:02d}:{minutes % 60:02d}"
    if re.search(r"_slope_[0-9]+d(_[a-z]+)?$", feature.name):
        figure = _figure(feature, abs(value), feature.unit.removesuffix("/day"))
        return f"{'rising' if value > 0 else 'falling'} by {figure} a day" if abs(value) > ROUNDING else "level"
    if feature.unit == RATE:
        beside = "" if np.isnan(median) else f" (median that night: {_episodes(median)})"
        return f"{_episodes(value)}{beside}"
    unit = _readable(feature.unit, np.fmax(abs(value), abs(median)))
    factor, _ = SAID.get(unit, (1, unit))
    beside = "" if np.isnan(median) else f" (median that night: {_number(median * factor)})"
    return f"{_figure(feature, value, unit)}{beside}"


def _apart(feature: Feature, value: float) -> str:
    """How far from the own past; a distance over several measures has no direction."""
    said = f"{abs(value):.1f} SD"
    if feature.name.startswith("own_past_"):
        return said
    more, less = ("later", "earlier") if feature.is_circular else ("above", "below")
    return AS_USUAL if said == "0.0 SD" else f"{said} {more if value > 0 else less}"


def _less_or_more(feature: Feature, value: float) -> str:
    """A difference from the own past in its unit."""
    more, less = ("later", "earlier") if feature.is_circular else ("more", "less")
    figure = _figure(feature, abs(value), _readable(feature.unit, abs(value)))
    return f"{figure} {more if value > 0 else less}" if abs(value) > ROUNDING else AS_USUAL


def _readable(unit: str, size: float) -> str:
    return IN_HOURS if unit == "min" and size >= MANY_MINUTES else unit


def _episodes(rate: float) -> int:
    """How many episodes began: what a model sees is mixed with a rate that nobody had."""
    return round(rate * (history.RATE_DAYS + history.PRIOR_DAYS) - history.PRIOR_EPISODES)


def _figure(feature: Feature, value: float, unit: str) -> str:
    """The value with its unit, unless that is a word which stands before it already: `steps`, `days since ...`."""
    factor, said = SAID.get(unit, (1, unit))
    figure = _number(value * factor)
    is_said = said in re.split(", | over ", feature.words)[0].split()
    if is_said or not said:
        return figure
    return f"{figure} {'day' if (figure, said) == ('1', 'days') else said.replace('^2', '²')}"


def _number(value: float) -> str:
    """Two significant digits, or all of a large figure's places before the point."""
    if abs(value) >= LARGE:
        return f"{value:,.0f}"
    return np.format_float_positional(value, precision=2, unique=False, fractional=False, trim="-")
