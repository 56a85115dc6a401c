"""How surely monitoring finds what went wrong, how soon, and how often it is wrong: `make bench`. BENCH_TRIALS=12 for the table of
docs/monitoring.md (more than an hour on two busy cores).

In each trial people, course and streams are made anew, taken into a lake of their own, and watched for 60 nights after 70 that are
counted afterwards, as at an installation's first watched night. One thing goes wrong in a history, at a place and from a night on
that turn with the trial; the clean history of the same trial tells of false alarms. The seeds are used for nothing else.
"""

import json
import os

import pandas as pd
import pytest
from scipy.stats import binomtest

from tests.pipelines.spoilt_histories import HEART, NIGHTS, Fault
from tests.pipelines.watched_histories import (
    Told,
    histories,
    in_any_order,
    is_about,
    three_times,
    told_of_data,
    told_of_scores,
)

TRIALS, SUBJECTS = (int(os.environ.get(*of)) for of in (("BENCH_TRIALS", "2"), ("BENCH_SUBJECTS", "300")))
FIRST_SEED = 5000
DRIFTS = (
    Fault(
        "a firmware reads the heart 5 % faster",
        "scale",
        "wearable_days",
        factor=1.05,
        metrics=HEART,
        families=("heart",),
    ),
    Fault("steps are 15 % fewer", "scale", "wearable_days", factor=0.85, metrics=("steps",), families=("activity",)),
    Fault("sleep is told 25 minutes shorter", "shift", "sleep", factor=25, families=("sleep",)),
)
OUTAGES = (
    Fault("no sleep for 5 nights", "outage", "sleep", factor=5, families=("sleep",)),
    Fault(
        "no daily summaries for 5 nights",
        "outage",
        "wearable_days",
        factor=5,
        families=("activity", "heart", "adherence"),
    ),
    Fault("no answers for 5 nights", "outage", "mood", factor=5, families=("mood", "adherence")),
)
DEVICES = (
    Fault("another band at one site", "device", "wearable_days", factor=1.06, metrics=HEART, where=("site", "south"),
          families=("heart", "activity", "adherence", "sleep")),
    Fault("another band for men", "device", "wearable_days", factor=1.06, metrics=HEART, where=("sex", "M"),
          families=("heart", "activity", "adherence", "sleep")),
)  # fmt: skip
ONSETS = (10, 20, 30, 40)
RETRAINED_ON = 30


def placed(faults: tuple[Fault, ...], trial: int) -> Fault:
    """The fault of a trial."""
    fault = faults[trial % len(faults)]
    return Fault(**{**vars(fault), "onset": ONSETS[trial % len(ONSETS)]})


def trial(number: int) -> list[dict[str, object]]:
    """What was found in the histories of one trial: scenario, whether it was found, after how many nights, false alarms before."""
    seed, found = FIRST_SEED + number, []
    for history in histories(seed, SUBJECTS, None):
        clean = [*told_of_data(history), *told_of_scores(history)]
        found.append({"scenario": "clean", "false": len({told.night for told in clean}), "told": _said(clean)})
        for name, worsen in (
            ("risks three times too high", three_times),
            ("an order that means nothing", in_any_order),
        ):
            told = told_of_scores(history, worsen, RETRAINED_ON)
            own = [of for of in told if of.kind in ("scores", "order", "volume", "decay") and of.night >= RETRAINED_ON]
            found.append(_line(f"a bad retrain: {name}", own, told, RETRAINED_ON))
            decay = [of for of in own if of.kind == "decay"]
            found.append(_line(f"the same by outcomes alone: {name}", decay, told, RETRAINED_ON))
    for faults in (DRIFTS, OUTAGES, DEVICES):
        fault = placed(faults, number)
        for history in histories(seed, SUBJECTS, fault):
            told = told_of_data(history)
        own = [of for of in told if is_about(of, fault.families) and of.night >= fault.onset]
        found.append(
            _line(fault.name, own, told, fault.onset) | {"class": faults[0].kind if faults is not DRIFTS else "drift"}
        )
        if faults is DEVICES:
            group = "=".join(fault.where)
            found.append(
                _line(f"{fault.name}: in that very group", [of for of in own if of.group == group], told, fault.onset)
            )
    return [{"trial": number, **of} for of in found]


def _line(scenario: str, own: list[Told], told: list[Told], onset: int) -> dict[str, object]:
    delay = own[0].night - onset if own else None
    false = len({of.night for of in told if of.night < onset})
    return {"scenario": scenario, "is_found": bool(own), "delay": delay, "false": false, "told": _said(own)}


def _said(told: list[Told]) -> list[str]:
    return list(dict.fromkeys(f"{of.night} {of.kind} {of.name} {of.group} {of.statistic}" for of in told))[:6]


@pytest.mark.benchmark(group=f"{TRIALS} trials of 60 nights")
def test_what_went_wrong_is_found_and_clean_nights_are_quiet(benchmark, capsys: pytest.CaptureFixture[str]):
    """Every data fault is found within a fortnight, and every bad retrain within a week; clean histories give no more false
    alarms than twice the budget, beyond chance."""

    def told(number: int) -> list[dict[str, object]]:
        found = trial(number)
        with capsys.disabled():
            for of in found:
                print(json.dumps(of), flush=True)
        return found

    table = pd.DataFrame(benchmark.pedantic(lambda: [of for number in range(TRIALS) for of in told(number)], rounds=1))
    with capsys.disabled():
        print(summary(table).to_string())
    faults = table[table["class"].notna()] if "class" in table else table[:0]
    assert faults["is_found"].all()
    assert (faults["delay"].astype(float) <= 14).all()
    retrains = table[table["scenario"].str.startswith("a bad retrain: ")]
    assert retrains["scenario"].nunique() == 2
    assert retrains["is_found"].all()
    assert (retrains["delay"].astype(float) <= 7).all()
    clean = table[table["scenario"] == "clean"]
    nights = NIGHTS * len(clean)
    assert binomtest(int(clean["false"].sum()), nights, 2 * 4 / 365, alternative="greater").pvalue > 0.001


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By scenario: found of how many, with the 95 % interval, median and longest delay; false alarms per 60 clean nights."""
    lines = []
    for scenario, part in table.groupby("scenario", sort=False):
        if scenario == "clean":
            n, k = NIGHTS * len(part), int(part["false"].sum())
            span = binomtest(k, n).proportion_ci()
            lines.append({"scenario": scenario, "histories": len(part), "false alarms per 60 nights": round(60 * k / n, 2),
                          "95 %": f"{60 * span.low:.2f} to {60 * span.high:.2f}"})  # fmt: skip
            continue
        k, delays = int(part["is_found"].sum()), part["delay"].dropna().astype(float)
        span = binomtest(k, len(part)).proportion_ci()
        lines.append({"scenario": scenario, "histories": len(part), "found": k, "95 %": f"{span.low:.2f} to {span.high:.2f}",
                      "median delay": delays.median(), "longest": delays.max()})  # fmt: skip
    return pd.DataFrame(lines)
