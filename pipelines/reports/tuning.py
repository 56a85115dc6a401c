"""What tuning came to, for a terminal: the figure to quote, the one not to quote, and the lines to declare."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from models.baselines import called
from models.evaluation import GAIN
from models.tuning import GAIN_OF_TUNING, TUNED
from pipelines.reports import words
from pipelines.training.tuning import DECIMALS, Tuned


def table(found: Tuned) -> list[dict[str, object]]:
    """One row per figure of the nested estimate."""
    return [
        {"figure": words.metric(row["metric"]).short, "trees": "as tuned" if row["model"] == TUNED else "as declared",
         "against": "" if row["group"] == "all" else _rule(row),
         "value": row["value"], "low": row["low"], "high": row["high"]}
        for row in found.rows.to_dict("records")
    ]  # fmt: skip


def sentences(found: Tuned) -> list[str]:
    """What may be quoted, what may not, and what a person may declare."""
    return [_to_quote(found), *_not_to_quote(found), _to_declare(found), _tried(found)]


def warning(outcome: str) -> str:
    """What a training says whose trees may be grown as a search on its own people came to."""
    return (
        f"Trees are grown otherwise than by default, and `foretide tune {outcome}` searched on these people, so that no figure of "
        "the model here is of people whom that choice never saw: what is claimed for the tuned model is the nested gain that the "
        "tuning told, or that of a new cohort."
    )


def _to_quote(found: Tuned) -> str:
    of = {row["metric"]: row for row in found.rows.to_dict("records") if row["model"] == TUNED}
    gain, bar = of[GAIN_OF_TUNING], of[GAIN]
    return (
        f"TO QUOTE: on people whom neither search nor fit saw, tuning changes the AUROC by {_figure(gain)} against trees as "
        f"declared, mean over folds. Tuned trees are {_figure(bar)} above the best simple rule, {_rule(bar)}. {_verdict(gain)} "
        f"({gain['outcome']}, onset within {words.counted(gain['horizon_days'], 'day')}, {words.plain(gain['split'])}; trials of each "
        f"search: {found.trials}; intervals are conditional on the fits and on what was chosen.)"
    )


def _verdict(gain: Mapping[str, Any]) -> str:
    if gain["low"] > 0:
        return "Tuning gains."
    return "Tuning loses." if gain["high"] < 0 else "That tuning gains anything is not proven."


def _figure(row: Mapping[str, Any]) -> str:
    span = words.span(row["low"], row["high"], is_signed=True, decimals=DECIMALS)
    return words.number(row["value"], is_signed=True, decimals=DECIMALS) + (f" ({span})" if span else "")


def _rule(row: Mapping[str, Any]) -> str:
    return called(row["group"].removeprefix("best baseline: "))


def _not_to_quote(found: Tuned) -> list[str]:
    if found.proposed == found.declared:
        return []
    declared, proposed = (words.number(value, decimals=DECIMALS) for value in found.own)
    return [
        f"NOT to quote: the search over everybody met {proposed} at best, and {declared} with what is declared; that figure was "
        "chosen for being high."
    ]


def _to_declare(found: Tuned) -> str:
    if found.proposed == found.declared:
        return (
            "The search over everybody found nothing better than what is declared: leave `training: model:` as it is."
        )
    if not found.is_worth_declaring:
        return (
            "The trees stay as they are declared: on people whom it never saw, what such a search chose was no better. Nothing is "
            "proposed; leave `training: model:` as it is."
        )
    lines = "\n".join(f"    {name}: {value:g}" for name, value in asdict(found.proposed).items())
    return f"The proposal, which only you can declare:\ntraining:\n  model:\n{lines}"


def _tried(found: Tuned) -> str:
    told = (
        f"{words.count(found.n_tried)} trials in {found.searches} searches ({found.searches - 1} of them without the people "
        f"they are tested on), {words.count(found.n_cut)} cut short."
    )
    if found.trials < found.wanted:
        told += f" Time was up after {found.trials} of {found.wanted} in each; the same command goes on."
    if not found.n_earlier:
        return told
    return (
        f"{told} Data, declarations or code have changed since {words.count(found.n_earlier)} earlier trials, which therefore do "
        "not count here; they are looks at these people all the same."
    )
