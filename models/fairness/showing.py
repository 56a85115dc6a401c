"""What may be shown of an audit, and to whom: the internal bundle, and the releasable one under disclosure control.

- **internal**, for those who may see the cohort's data: exact counts and full figures, but none of a cell below the
  smallest numbers of subjects, and of subjects with an event, for no individual is in any report.
- **releasable**: every rule of `disclosure`, kept against subtraction by `differencing`. Nobody else may get more.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.errors import ModelsError
from models.fairness import differencing, disclosure
from models.fairness.audit import Audit
from models.fairness.differencing import Mask, Membership
from models.fairness.disclosure import DECIMALS, SHOWN

INTERNAL, RELEASABLE = "internal", "releasable"
CELLS, EVERYBODY = "cells", "all"
COUNTS = ("n_subjects", "n_event_subjects", "n_episodes", "n_rows")
# Several points of one cell, of which the outermost rest on few subjects.
CURVES = ("calibration", "thresholds", "lead_times")
# Of which no figure is about an event.
OF_NO_EVENT = ("coverage",)
# What was declared before anything was measured, and tells of nobody.
DECLARED = ("at", "days", "fifth", "margin")
# Not in a release: a p-value says nothing that verdict and interval do not, and has no two decimals; a share is an extreme.
LEFT_OUT = ("p_adjusted", "largest_event_share")
FIGURES, COUNTED, CURVE = "figures", "counts", "curve"
EVERYWHERE = "every table"
NOT_NAMED = WHOLE = ""
LOG = ("table", "attribute", "of", "cell", "n_cells", "what", "why")
# What a line of the log is of.
GROUP, REST, PART = "group", "all but a group", "part of a group"


@dataclass(frozen=True)
class Shown:
    """An audit as it may be shown.

    Args:
        name: which bundle it is.
        about: what was audited and how.
        tables: as `Audit.tables`, without what may not be shown, and `cells`: those shown, their counts (missing
            where they may not be) and in `why_uncounted` why they are missing.
        suppressed: what is not in the tables: table, attribute, of (a group, all but one, or a part of one), cell (empty
            where its name would tell), n_cells, what (figures, counts, curve), why.
        small: groups with too few subjects, by name. For the ledger of releases, not to be shown: a name says that somebody
            is in it.
    """

    name: str
    about: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    suppressed: pd.DataFrame
    small: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of which anything beside the name is shown."""
        cells = self.tables[CELLS]
        return tuple(cells.loc[cells["why_uncounted"] != disclosure.FEW_SUBJECTS, "cell"])

    @property
    def counted(self) -> tuple[str, ...]:
        """The cells of which counts are shown."""
        cells = self.tables[CELLS]
        return tuple(cells.loc[cells["why_uncounted"] == SHOWN, "cell"])


def internal(audit: Audit) -> Shown:
    """Everything, but of cells with fewer than ten subjects only the name, and with fewer than five with an event no more than
    counts and coverage: what of one person's event was flagged is that person's.

    Raises:
        ModelsError: a table is about a cell that is not among the cells.
    """
    cells = _checked(audit)
    is_small = cells["n_subjects"] < disclosure.SMALLEST_SUBJECTS
    is_calm = cells["n_event_subjects"] < disclosure.SMALLEST_EVENT_SUBJECTS
    counted = cells.drop(columns="largest_event_share").astype(dict.fromkeys(COUNTS, "Int64"))
    counted.loc[is_small, list(COUNTS)] = pd.NA
    counted["why_uncounted"] = np.where(is_small, disclosure.FEW_SUBJECTS, SHOWN)
    tables = {CELLS: counted}
    for name, table in audit.tables.items():
        may = set(cells.loc[~is_small & (~is_calm | (name in OF_NO_EVENT)), "cell"])
        tables[name] = table[_is_of(table, may)].reset_index(drop=True)
    why = np.where(is_small, disclosure.FEW_SUBJECTS, disclosure.FEW_EVENTS)
    hidden = cells.assign(why=why)[is_small | is_calm]
    return Shown(
        INTERNAL, _about(audit), tables, _as_log([_log(hidden, EVERYWHERE, FIGURES, is_named=True)]), _small(cells)
    )


def releasable(audit: Audit) -> Shown:
    """What may leave: cells that pass every rule, none that tells by subtraction, figures and counts rounded.

    Raises:
        ModelsError: a table is about a cell that is not among the cells, or a cell's subjects, or those of them with an event,
            are not its counts.
    """
    cells = _checked(audit)
    members, events = _members(audit, cells)
    cells = _with_reasons(cells, members, events)
    tables = {CELLS: _counted(cells)}
    for name, table in audit.tables.items():
        may = cells["why"] == SHOWN
        if name in CURVES:
            may &= cells["n_subjects"].map(disclosure.may_draw_curve)
        kept = table[_is_of(table, set(cells.loc[may, "cell"]))].drop(columns=[*LEFT_OUT], errors="ignore")
        uncounted = set(cells.loc[cells["why_uncounted"] != SHOWN, "cell"])
        tables[name] = _rounded(kept.reset_index(drop=True), uncounted)
    log = _as_log(_suppressed(cells, audit.tables))
    return Shown(RELEASABLE, _rounded_about(_about(audit)), tables, log, _small(cells))


def _checked(audit: Audit) -> pd.DataFrame:
    """The cells, once it is sure that they are all that the tables are about, and each is there once."""
    cells = audit.cells.reset_index(drop=True)
    repeated, known = int(cells["cell"].duplicated().sum()), set(cells["cell"]) & set(audit.members)
    if repeated:
        raise ModelsError(f"`cells.cell` repeats in {repeated} rows. Give each cell one row.")
    for name, table in audit.tables.items():
        unknown = int((~_is_of(table, known)).sum())
        if unknown:
            raise ModelsError(
                f"`{name}` has {unknown} rows about cells that are not in `cells` and `members`, so that nobody can tell "
                "whether they may be shown. Add the cells."
            )
    return cells


def _members(audit: Audit, cells: pd.DataFrame) -> tuple[Membership, Membership]:
    """Who is in each cell, and who of them had an event there; the same subjects in the same order."""
    of, of_events = audit.members, audit.event_members
    strays = sum(not of_events.get(name, frozenset()) <= of[name] for name in cells["cell"])
    if strays:
        raise ModelsError(
            f"`event_members` of {strays} cells are not among their `members`. Name those of the cell alone."
        )
    members = Membership.of({name: of[name] for name in cells["cell"]})
    events = Membership.of({name: of_events.get(name, frozenset()) for name in cells["cell"]}, members.subjects)
    for found, count, name in ((members, "n_subjects", "members"), (events, "n_event_subjects", "event_members")):
        wrong = int((found.sizes != cells[count].to_numpy()).sum())
        if wrong:
            raise ModelsError(f"`cells.{count}` is not the number of `{name}` in {wrong} cells. Count them again.")
    return members, events


def _is_of(table: pd.DataFrame, may: Collection[str]) -> pd.Series:
    """Rows of which every cell may be shown; a row that compares with none has no reference cell."""
    is_of = table["cell"].isin(may)
    if "reference_cell" in table:
        reference = table["reference_cell"].fillna(NOT_NAMED)
        is_of &= reference.isin(may) | (reference == NOT_NAMED)
    return is_of


def _small(cells: pd.DataFrame) -> tuple[str, ...]:
    is_small = (cells["n_subjects"] < disclosure.SMALLEST_SUBJECTS) & (cells["part"] == WHOLE)
    return tuple(cells.loc[is_small, "cell"])


def _order(cells: pd.DataFrame) -> np.ndarray:
    """From the cell to keep longest to the one to give up first.

    Whole groups stay before parts, everybody before groups, groups before the rest of the cohort, single attributes
    before crossed ones, references before what is compared with them; among alike the larger one stays.
    """
    is_reference = cells["is_reference"].astype(bool)
    keys = (
        -cells["n_subjects"],
        ~is_reference,
        cells["is_crossed"],
        cells["is_rest"].astype(bool),
        cells["attribute"] != EVERYBODY,
    )
    return np.lexsort((*(key.to_numpy() for key in keys), (cells["part"] != WHOLE).to_numpy()))


def _with_reasons(cells: pd.DataFrame, members: Membership, events: Membership) -> pd.DataFrame:
    """The cells with `why`, why their figures are hidden, and `why_uncounted`, why their counts are."""
    why = disclosure.why_hidden(cells)
    may, order = (why == SHOWN).to_numpy(), _order(cells)
    both = may[:, None] & may[None, :]
    apart, apart_by_event = (differencing.differences(of, of) for of in (members, events))
    is_near, is_near_by_event = (disclosure.is_too_near(of) & both for of in (apart, apart_by_event))
    is_kept = differencing.keep_apart(is_near | is_near_by_event, order[may[order]])
    is_near_to_kept = (is_near & is_kept).any(axis=1)
    why[may & ~is_kept] = disclosure.TOO_NEAR_BY_EVENT
    why[may & ~is_kept & is_near_to_kept] = disclosure.TOO_NEAR
    is_telling = disclosure.is_telling(apart, apart_by_event) & both
    is_counted = _keep_uncounted(cells, members, is_kept, ~may, is_telling, order)
    reasons = [~is_kept, (cells["part"] != WHOLE).to_numpy(), ~is_counted]
    uncounted = np.select(reasons, [why, disclosure.OF_A_PART, disclosure.BY_SUBTRACTION], SHOWN)
    return cells.assign(why=why, why_uncounted=uncounted)


def _keep_uncounted(
    cells: pd.DataFrame, members: Membership, is_shown: Mask, is_small: Mask, is_telling: Mask, order: np.ndarray
) -> Mask:
    """Which cells show their counts. Parts never do: their rows and episodes add up to those of the group."""
    whole = np.flatnonzero(cells["part"] == WHOLE)
    place = np.full(len(cells), -1)
    place[whole] = np.arange(len(whole))
    # The rest of a cohort overlaps with the groups of its attribute: it adds up with none of them.
    attribute = cells["attribute"].where(~cells["is_rest"].astype(bool), cells["cell"]).to_numpy(dtype=object)
    of = Membership(tuple(members.cells[at] for at in whole), members.subjects, members.is_in[whole])
    ranked = place[order[place[order] >= 0]]
    is_counted = np.zeros(len(cells), dtype=bool)
    is_counted[whole] = differencing.keep_uncounted(
        of, attribute[whole], is_shown[whole], is_small[whole], is_telling[np.ix_(whole, whole)],
        cells["n_event_subjects"].to_numpy(np.int64)[whole], ranked,
    )  # fmt: skip
    return is_counted


def _counted(cells: pd.DataFrame) -> pd.DataFrame:
    """The shown cells with rounded counts."""
    shown = cells[cells["why"] == SHOWN].drop(columns=["why", "largest_event_share"]).reset_index(drop=True)
    return _rounded(shown, set(shown.loc[shown["why_uncounted"] != SHOWN, "cell"]))


def _rounded(table: pd.DataFrame, uncounted: Collection[str]) -> pd.DataFrame:
    """Counts to five, missing in cells whose counts are hidden; other numbers to two decimals, but what was declared.

    A figure per thousand is a share with three more digits, and is rounded as the share would be. Of rows that name a
    count in `metric` or `measure`, the figures are counts.
    """
    rounded = table.copy()
    is_uncounted = table["cell"].isin(uncounted)
    named = table[next((c for c in ("metric", "measure") if c in table), "cell")].astype(str)
    is_count, is_per_1000 = named.str.startswith("n_"), named.str.contains("per_1000")
    for name, column in table.items():
        if str(name).startswith("n_"):
            rounded[name] = _counts(column).mask(is_uncounted)
        elif pd.api.types.is_float_dtype(column) and name not in DECLARED:
            figures = column.round(DECIMALS).mask(is_per_1000, column.round(DECIMALS - 3))
            # Adding zero makes -0.0 none.
            rounded[name] = figures.mask(is_count, _counts(column).mask(is_uncounted).astype(float)) + 0.0
    return rounded


def _counts(column: pd.Series) -> pd.Series:
    return column.map(disclosure.rounded_count, na_action="ignore").astype("Int64")


def _about(audit: Audit) -> dict[str, Any]:
    return {**asdict(audit.audited), **asdict(audit.design)}


def _rounded_about(about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: disclosure.rounded_count(value) if name.startswith("n_") and value is not None else value
        for name, value in about.items()
    }


def _suppressed(cells: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """What is not shown of whom: each figure, then each count, then each curve."""
    hidden = cells[cells["why"] != SHOWN]
    # A name says that somebody is in it, or that few are beside it.
    is_telling = hidden["why"].isin([disclosure.FEW_SUBJECTS, disclosure.TOO_NEAR, disclosure.TOO_NEAR_BY_EVENT])
    yield _log(hidden[is_telling], EVERYWHERE, FIGURES, is_named=False)
    yield _log(hidden[~is_telling], EVERYWHERE, FIGURES, is_named=True)
    shown = cells[cells["why"] == SHOWN]
    uncounted = shown[shown["why_uncounted"] == disclosure.BY_SUBTRACTION]
    yield _log(uncounted.assign(why=uncounted["why_uncounted"]), EVERYWHERE, COUNTED, is_named=True)
    of_parts = shown[shown["why_uncounted"] == disclosure.OF_A_PART]
    yield _log(of_parts.assign(why=of_parts["why_uncounted"]), EVERYWHERE, COUNTED, is_named=False)
    for name in CURVES:
        is_drawn = shown["cell"].isin(tables[name]["cell"]) if name in tables else pd.Series(False, shown.index)
        small = shown[is_drawn & ~shown["n_subjects"].map(disclosure.may_draw_curve).astype(bool)]
        yield _log(small.assign(why=disclosure.FEW_FOR_A_CURVE), name, CURVE, is_named=True)


def _log(hidden: pd.DataFrame, table: str, what: str, *, is_named: bool) -> pd.DataFrame:
    """One line per cell, or where names would tell one per attribute and reason with how many there are."""
    of = np.select([hidden["part"] != WHOLE, hidden["is_rest"]], [PART, REST], GROUP)
    lines = hidden[["attribute", "cell", "why"]].assign(of=of, table=table, what=what, n_cells=1)
    if is_named:
        return lines
    counted = lines.groupby(["table", "attribute", "of", "what", "why"], sort=False, as_index=False)["n_cells"].sum()
    return pd.DataFrame(counted).assign(cell=NOT_NAMED)


def _as_log(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(list(parts), ignore_index=True)[list(LOG)].astype({"n_cells": int})
