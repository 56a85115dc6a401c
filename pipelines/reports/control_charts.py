"""Small charts of a series by night with its limits: what is expected, how far from it is ordinary, and which nights are not."""

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from pipelines.reports import words
from pipelines.reports.plots import BLUE, GREY, LOOK, ORANGE, PALE, WIDTH_IN, svg

IN_A_ROW = 3
PANEL_HEIGHT_IN = 1.7


@dataclass(frozen=True)
class Panel:
    """One series: its nights, values, what was expected and how far from it is ordinary, and alarms; of shape (n_nights,) each.

    `is_share` tells that values are shares of people, 0 to 1.
    """

    nights: pd.DatetimeIndex
    value: NDArray[np.float64]
    expected: NDArray[np.float64]
    reach: NDArray[np.float64]
    is_alarm: NDArray[np.bool_]
    is_share: bool = False


def draw(panels: Mapping[str, Panel], alt: str) -> Markup:
    """One panel a series, by its title; nights that are out of the ordinary are triangles."""
    lines = -(-len(panels) // IN_A_ROW)
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(WIDTH_IN, PANEL_HEIGHT_IN * lines + 0.2), layout="constrained")
        axes = figure.subplots(lines, IN_A_ROW, squeeze=False).ravel()
        for axis, (title, panel) in zip(axes, panels.items(), strict=False):
            _panel(axis, title, panel)
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        return svg(figure, alt)


def _panel(axis: Axes, title: str, of: Panel) -> None:
    nights = of.nights.to_numpy()
    # No share is below none or beyond all.
    least, most = (0.0, 1.0) if of.is_share else (-np.inf, np.inf)
    low, high = (np.clip(end, least, most) for end in (of.expected - of.reach, of.expected + of.reach))
    axis.fill_between(nights, low, high, color=PALE, lw=0)
    axis.plot(nights, of.expected, color=GREY, lw=0.8, ls=(0, (4, 3)))
    axis.plot(nights, of.value, color=BLUE, lw=1.2)
    axis.plot(nights[of.is_alarm], of.value[of.is_alarm], "^", color=ORANGE, ms=4)
    axis.plot(nights[-1:], of.value[-1:], "o", color=BLUE, ms=4, mfc="white")
    locator = AutoDateLocator(minticks=2, maxticks=4)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    axis.set_title(title, fontsize=8)
    axis.tick_params(labelsize=7)
    axis.locator_params(axis="y", nbins=4)
    if of.is_share:
        axis.yaxis.set_major_formatter(FuncFormatter(lambda share, _: words.percent(round(share, 4))))
