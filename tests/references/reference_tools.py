"""How each reference tool is called. Runs in the tools' own environment (`requirements-references.lock`).

A question per line of JSON in, an answer per line out; one process serves a whole test session. Neither Foretide nor an
expectation belongs here: the tools' figures are handed over as they are.
"""

import json
import sys

import ewstools
import numpy as np
import pandas as pd
from pyActigraphy.analysis import Cosinor
from pyActigraphy.io import BaseRaw
from pyActigraphy.sleep.scoring import sri


def _series(values: list[float], minutes: int) -> pd.Series:
    index = pd.date_range("2026-03-02", periods=len(values), freq=f"{minutes}min")
    return pd.Series(np.array(values, dtype=float), index=index)


def _recording(values: list[float], minutes: int) -> BaseRaw:
    data = _series(values, minutes)
    return BaseRaw(
        name="made up", uuid="", format="", axial_mode=None, start_time=data.index[0],
        period=data.index[-1] - data.index[0], frequency=pd.Timedelta(minutes=minutes), data=data, light=None,
    )  # fmt: skip


def rest_activity(
    values: list[float], minutes: int, binarize: bool = False, threshold: float = 4, masks: bool = False
) -> dict[str, float]:
    """pyActigraphy's IS and IV at hourly resolution, L5, M10 and RA at the resolution of the values.

    Args:
        values: activity from midnight on, NaN where unknown.
        minutes: that each value stands for.
        binarize: count values above `threshold` (pyActigraphy's default) instead of adding them up.
        masks: hand over unknown values as pyActigraphy's mask of inactivity too.
    """
    raw = _recording(values, minutes)
    if masks:
        raw.mask = raw.raw_data.notna().astype(int)
        raw.mask_inactivity = True
    how = {"binarize": binarize, "threshold": threshold}
    return {
        "IS": raw.IS(freq="60min", **how),
        "IV": raw.IV(freq="60min", **how),
        "L5": raw.L5(**how),
        "M10": raw.M10(**how),
        "RA": raw.RA(**how),
    }


def rest_to_active(values: list[float]) -> float:
    """pyActigraphy's kRA: how soon minutes without activity give way to minutes with it."""
    return _recording(values, 1).kRA(threshold=0)


def sleep_regularity(states: list[float], minutes: int, threshold: float | None = None) -> float:
    """pyActigraphy's sleep regularity index; with a threshold it makes states of values itself."""
    return sri(_series(states, minutes), threshold)


def cosinor(values: list[float], minutes: int, fits_period: bool = False) -> dict[str, float]:
    """pyActigraphy's single-harmonic cosinor; its period is counted in values and held at a day unless it is fitted."""
    fit = Cosinor()
    parameters = fit.fit_initial_params
    parameters["Period"].value = 1440 / minutes
    parameters["Period"].vary = fits_period
    found = fit.fit(_series(values, minutes), params=parameters, nan_policy="omit")
    return {name: float(parameter.value) for name, parameter in found.params.items()}


def early_warning(values: list[float], window: int, bandwidth: float) -> dict[str, list[float] | float]:
    """ewstools' variance and lag-1 autocorrelation over a rolling window, and Kendall's tau of each against time.

    Args:
        window: in values.
        bandwidth: of its Gaussian kernel, in values.
    """
    series = ewstools.TimeSeries(np.array(values, dtype=float))
    series.detrend(method="Gaussian", bandwidth=bandwidth)
    series.compute_var(rolling_window=window)
    series.compute_auto(rolling_window=window, lag=1)
    series.compute_ktau()
    return {
        "variance": series.ews["variance"].tolist(),
        "autocorrelation": series.ews["ac1"].tolist(),
        "residuals": series.state["residuals"].tolist(),
        "variance_tau": series.ktau["variance"],
        "autocorrelation_tau": series.ktau["ac1"],
    }


TOOLS = {tool.__name__: tool for tool in (rest_activity, rest_to_active, sleep_regularity, cosinor, early_warning)}


def main() -> None:
    """Answer questions until there are no more."""
    for line in sys.stdin:
        question = json.loads(line)
        answer = TOOLS[question["tool"]](**question["given"])
        print(json.dumps(answer, default=float), flush=True)


if __name__ == "__main__":
    main()
