"""What a fairness report reads off `Shown`: attributes, groups, figures and comparisons, by the names people know.

Nothing here looks at the audit itself: what a page says can only be what may be shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from models.fairness import disclosure
from models.fairness.groups import CROSS, EVERYBODY
from models.fairness.metrics import JUDGED, METRICS
from models.fairness.showing import CELLS, FIGURES, GROUP, INTERNAL, Shown
from models.fairness.verdicts import INSUFFICIENT
from pipelines.reports import words


@dataclass(frozen=True)
class View:
    """The tables of an audit as they may be shown, with the attribute, group and part of each row's cell."""

    shown: Shown

    @property
    def is_internal(self) -> bool:
        """Whether counts are exact and only cells of fewer than ten are held back."""
        return self.shown.name == INTERNAL

    @property
    def margin(self) -> float:
        """The largest difference that counts as none."""
        return float(self.shown.about["margin"])

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The cells that have a row, in the audit's order."""
        return self.shown.tables[CELLS]

    @cached_property
    def attributes(self) -> list[str]:
        """Single attributes, those of which nothing is shown last."""
        named = [*self.cells.loc[~self.cells["is_crossed"], "attribute"], *self.shown.suppressed["attribute"]]
        return [name for name in dict.fromkeys(named) if name != EVERYBODY and CROSS not in name]

    def groups(self, attribute: str) -> pd.DataFrame:
        """The groups of an attribute, those of which only the name is told among them."""
        cells = self.cells
        return cells[(cells["attribute"] == attribute) & (cells["part"] == "") & ~cells["is_rest"].astype(bool)]

    def is_told(self, groups: pd.DataFrame) -> pd.Series:
        """Of which groups there are figures."""
        return groups["cell"].isin(set(self.shown.tables["rows"]["cell"]))

    def table(self, name: str) -> pd.DataFrame:
        """A table with `attribute`, `group` and `part` of each row's cell."""
        found = self.shown.tables[name]
        known = [column for column in ("attribute", "group", "part") if column not in found.columns]
        return found.merge(self.cells[["cell", *known]], on="cell", how="left", validate="many_to_one")

    @cached_property
    def metrics(self) -> list[str]:
        """Metrics of which anybody has a value: without dates there are no episodes."""
        rows = self.shown.tables["rows"]
        known = set(rows.loc[rows["value"].notna(), "metric"])
        return [name for name in METRICS if name in known]

    @cached_property
    def figures(self) -> pd.DataFrame:
        """`rows` by cell and metric."""
        return self.shown.tables["rows"].set_index(["cell", "metric"])

    @property
    def judged(self) -> list[str]:
        """Metrics that are judged here."""
        return [name for name in JUDGED if name in self.metrics]

    @cached_property
    def _verdicts(self) -> pd.DataFrame:
        found = self.shown.tables["verdicts"]
        return found[found["metric"].isin(self.judged)]

    def verdicts(self, attribute: str) -> pd.DataFrame:
        """The comparisons of an attribute, or of two crossed, in metrics that mean anything here."""
        return self._verdicts[self._verdicts["attribute"] == attribute]

    @cached_property
    def crossed(self) -> pd.DataFrame:
        """The comparisons of crossed groups that have a value."""
        return self._verdicts[self._verdicts["is_crossed"].astype(bool) & self._verdicts["difference"].notna()]

    @property
    def n_crossed_hidden(self) -> int:
        """Crossed groups of which nothing is told."""
        lines = self._hidden()
        return int(lines.loc[lines["attribute"].str.contains(CROSS, regex=False), "n_cells"].sum())

    def named_hidden(self, attribute: str) -> dict[str, str]:
        """Groups of an attribute without figures that may be named, and why they have none."""
        lines = self._hidden()
        lines = lines[(lines["attribute"] == attribute) & (lines["cell"] != "")]
        return {cell.removeprefix(f"{attribute}="): why for cell, why in zip(lines["cell"], lines["why"], strict=True)}

    def n_unnamed(self, attribute: str) -> int:
        """How many groups of an attribute are neither shown nor named."""
        lines = self._hidden()
        return int(lines.loc[(lines["attribute"] == attribute) & (lines["cell"] == ""), "n_cells"].sum())

    def unjudged(self, attribute: str) -> bool:
        """Whether anybody of an attribute may have been left without an answer."""
        is_open = (self.verdicts(attribute)["verdict"] == INSUFFICIENT).any()
        return bool(is_open or self.named_hidden(attribute) or self.n_unnamed(attribute))

    def decimals(self, metric: str) -> int:
        """How many decimals a figure is shown with: no more than a release keeps."""
        wished = words.DECIMALS_OF.get(metric, words.DECIMALS)
        return wished if self.is_internal else min(wished, disclosure.DECIMALS)

    def with_curves(self, name: str, attribute: str) -> dict[str, pd.DataFrame]:
        """Rows of a table of curves by group, of an attribute's groups that have any."""
        table = self.table(name)
        part = table[(table["attribute"] == attribute) & (table["part"] == "")]
        return {str(group): rows for group, rows in part.groupby("group", sort=False)}

    def most_known(self, attribute: str, most: int) -> list[str]:
        """The groups with most subjects that have an event, at most so many, in the audit's order; of uncounted ones the first."""
        groups = self.groups(attribute)
        groups = groups[self.is_told(groups)]
        known = groups["n_event_subjects"].astype("Float64").fillna(0).sort_values(ascending=False, kind="stable")
        kept = set(known.index[:most])
        return [str(group) for at, group in groups["group"].items() if at in kept]

    def _hidden(self) -> pd.DataFrame:
        log = self.shown.suppressed
        return log[(log["what"] == FIGURES) & (log["of"] == GROUP)]


def first_known(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those wanted that are known, in the order wanted."""
    return [name for name in wanted if name in known]
