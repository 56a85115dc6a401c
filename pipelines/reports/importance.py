"""What the model's scores are associated with, for the model report and the card; never what causes an episode."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from models.baselines import MODEL
from models.importance import AGREEMENT, BORNE_OUT, FEATURE, IN_TOP, SIZE, TOP, contradicted
from pipelines.reports import words
from pipelines.reports.plots import BLUE, GREY, LOOK, WIDTH_IN, svg

SHOWN = 15
DECIMALS = 3
# From here on two fits order features much alike, and below the other much otherwise.
ALIKE, UNLIKE = 0.8, 0.5


def section(rows: pd.DataFrame, outcome: str, told: Mapping[str, str], served: str) -> dict[str, Any] | None:
    """Sentences, a plot and its table, largest first; nothing where the outcome has no rows.

    Args:
        rows: of `models.importance`, with `outcome`.
        told: what a clinician calls each feature, by its name.
        served: the predictor that serves.
    """
    own = rows[(rows["outcome"] == outcome) & (rows["model"] == MODEL)]
    if own.empty:
        return None
    shown = own[own["metric"] == SIZE].head(SHOWN)
    features = shown["group"].str.removeprefix(FEATURE)
    shown = shown.assign(feature=features, name=[told.get(name, words.plain(name)) for name in features])
    in_top = own[own["metric"] == IN_TOP].set_index("group")["value"]
    borne_out = own[own["metric"] == BORNE_OUT].set_index("group")
    n_fits = int(own["n_fits"].iloc[0])
    rule = [] if served == MODEL else ["What earned being served is the simple rule, not this model."]
    return {
        "sentences": [*rule, *_sentences(own, shown, in_top, n_fits), _against_the_data(rows, outcome, served, told)],
        "lines": [_line(row, in_top, borne_out, n_fits) for row in shown.to_dict("records")],
        "plot": _plot(shown, f"The {len(shown)} features that move scores most; the table holds the same."),
    }


def _line(row: Mapping[str, Any], in_top: pd.Series, borne_out: pd.DataFrame, n_fits: int) -> dict[str, str]:
    share, slope = in_top.get(row["group"]), borne_out.loc[row["group"]]
    return {
        "name": row["name"],
        "feature": row["feature"],
        "value": words.number(row["value"], decimals=DECIMALS),
        "span": words.span(row["low"], row["high"], decimals=DECIMALS),
        "slope": words.number(slope["value"]) if pd.notna(slope["value"]) else words.DASH,
        "slope_span": words.span(slope["low"], slope["high"]),
        "in_top": words.DASH if share is None else f"{round(share * n_fits)} of {n_fits}",
    }


def _against_the_data(rows: pd.DataFrame, outcome: str, served: str, told: Mapping[str, str]) -> str:
    """What people held out say of the parts of what is to serve, and so of the drivers that a delivery names."""
    names = [told.get(name, words.plain(name)) for name in contradicted(rows, outcome, served)]
    tried = len(rows[(rows["outcome"] == outcome) & (rows["model"] == served) & (rows["metric"] == BORNE_OUT)])
    checked = (
        f"What came to pass with subjects held out was set beside the parts of what is to serve, {tried} in number"
    )
    if not names:
        return f"{checked}: none is proven to point the wrong way."
    how = "one points the wrong way and is" if len(names) == 1 else f"{len(names)} point the wrong way and are"
    return f"{checked}: {how} never named as {'a driver' if len(names) == 1 else 'drivers'}: {'; '.join(names)}."


def _sentences(own: pd.DataFrame, shown: pd.DataFrame, in_top: pd.Series, n_fits: int) -> list[str]:
    first = [str(name) for name in shown["name"].head(3)]
    where = words.SPLITS.get(own["split"].iloc[0], own["split"].iloc[0])
    found = [
        f"The model's scores are most associated with {'; '.join(first)}. Measured on {where}, {n_fits} fits, each on "
        "subjects that it had not seen. Of features that say much the same, one may take the other's part."
    ]
    agreement = own[own["metric"] == AGREEMENT].iloc[0]
    if pd.isna(agreement["value"]):
        return [*found, "One fit only, so that nothing is known of how stable this order is."]
    always = int((in_top == 1).sum())
    how = (
        "much alike"
        if agreement["value"] >= ALIKE
        else "otherwise each time"
        if agreement["value"] < UNLIKE
        else "partly alike"
    )
    return [
        *found,
        f"Fits order the features {how} (rank correlation {words.number(agreement['value'])}, between two of them "
        f"{words.span(agreement['low'], agreement['high'])}); {always} of the {min(TOP, len(in_top))} largest are among "
        f"the {TOP} largest of every fit.",
    ]


def _plot(rows: pd.DataFrame, alt: str) -> Markup:
    """Size of each feature's part of the log-odds with its interval, largest on top.

    `rows`: name, value, low, high.
    """
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(WIDTH_IN, 0.75 + 0.28 * len(rows)), layout="constrained")
        axis = figure.subplots()
        axis.tick_params(left=False)
        axis.spines["left"].set_visible(False)
        places = range(len(rows))
        axis.hlines(places, rows["low"], rows["high"], color=BLUE, lw=1.8)
        axis.plot(rows["value"], places, "o", color=BLUE, ms=6.5)
        axis.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, None))
        axis.set_yticks(places, [*rows["name"]])
        axis.set_xlabel("mean size of its part of the log-odds, with 95 % interval", fontsize=8, color=GREY)
        return svg(figure, alt)
