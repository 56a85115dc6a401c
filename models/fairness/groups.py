"""Groups of subjects: every attribute, and every pair of attributes crossed.

Who has no value recorded is a group of its own, because being unrecorded is often where a model fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import ModelsError

NOT_RECORDED = "not recorded"
POOLED = "all other groups"
# More levels than this cannot be compared one by one; the smallest are pooled under one name.
MOST_LEVELS = 12
CROSS = " & "
NOT = "not "
# Rows of a part of the cohort's days belong to a cell named so: `sex=F @ 2026-04`.
AT = " @ "
EVERYBODY = "all"


@dataclass(frozen=True)
class Grouping:
    """One way to divide the subjects: by one attribute, or by two crossed.

    `codes` is of shape (n_subjects,) and points into `levels`; `reference` is the level the others are compared to.
    """

    attributes: tuple[str, ...]
    levels: tuple[str, ...]
    codes: NDArray[np.int64]
    reference: int

    @property
    def name(self) -> str:
        """The attribute, or both: `sex`, `sex & site`."""
        return CROSS.join(self.attributes)

    @property
    def is_crossed(self) -> bool:
        """Whether two attributes are crossed."""
        return len(self.attributes) > 1

    @property
    def has_rest(self) -> bool:
        """Whether each level is compared with all others together, too: of two levels the other is the rest."""
        return not self.is_crossed and len(self.levels) > 2

    @property
    def n_cells(self) -> int:
        """Its levels and, where such are compared, everybody but each."""
        return len(self.levels) * (2 if self.has_rest else 1)

    def labels(self) -> tuple[str, ...]:
        """The group name of each level for tidy rows: `sex=F`, `sex=F & site=north`; of everybody, `all`."""
        if self.attributes == (EVERYBODY,):
            return (EVERYBODY,)
        return tuple(
            CROSS.join(f"{a}={v}" for a, v in zip(self.attributes, level.split(CROSS), strict=True))
            for level in self.levels
        )

    def rests(self) -> tuple[str, ...]:
        """The name of everybody but each level, where such are compared: `not site=north`."""
        return tuple(f"{NOT}{label}" for label in self.labels()) if self.has_rest else ()


def everybody(n_subjects: int) -> Grouping:
    """All subjects as one group."""
    return Grouping((EVERYBODY,), (EVERYBODY,), np.zeros(n_subjects, np.int64), 0)


def membership(groupings: Sequence[Grouping]) -> NDArray[np.bool_]:
    """Who belongs to each level of each grouping, one below the other, shape (n_groups, n_subjects)."""
    return np.vstack([g.codes == np.arange(len(g.levels))[:, None] for g in groupings])


def group_subjects(
    attributes: pd.DataFrame,
    subjects: pd.Index,
    is_event_subject: NDArray[np.bool_],
    reference_groups: Mapping[str, str],
) -> tuple[Grouping, ...]:
    """Every attribute of the table and every pair of them, for the subjects given.

    Args:
        attributes: one row per subject: subject_id and one text column per attribute; other subjects are ignored.
            A subject without a row, or a missing or empty value, belongs to "not recorded".
        subjects: the subjects audited, in the order of the codes.
        is_event_subject: shape (n_subjects,): who has at least one event.
        reference_groups: attribute -> level. Elsewhere the reference is the recorded level with most event subjects.

    Raises:
        ModelsError: a subject has several rows; no attribute column; a reference level that nobody has.
    """
    levels = levels_of(attributes, subjects)
    names = list(levels)
    events = pd.Series(is_event_subject, index=subjects)
    singles = [_grouping((name,), levels[name], events, reference_groups.get(name)) for name in names]
    references = {g.name: g.levels[g.reference] for g in singles}
    crossed = [
        _grouping((a, b), levels[a] + CROSS + levels[b], events, references[a] + CROSS + references[b], is_wish=True)
        for a, b in combinations([g.attributes[0] for g in singles if len(g.levels) > 1], 2)
    ]
    return (*singles, *crossed)


def levels_of(attributes: pd.DataFrame, subjects: pd.Index) -> dict[str, pd.Series]:
    repeated = int(attributes["subject_id"].duplicated().sum())
    if repeated:
        raise ModelsError(
            f"`attributes.subject_id` repeats in {repeated} rows, so a subject would be in two groups. "
            "Give one row per subject."
        )
    table = attributes.set_index("subject_id").reindex(subjects)
    if table.shape[1] == 0:
        raise ModelsError("`attributes` has no column beside subject_id. Name at least one attribute to audit.")
    reserved = [
        name
        for name in map(str, table.columns)
        if name == EVERYBODY or name.startswith(NOT) or CROSS in name or AT in name
    ]
    if reserved:
        named = ", ".join(f"`{name}`" for name in reserved)
        raise ModelsError(
            f"The attribute names {named} would be taken for something else in the report, as are `all`, what begins with `not ` and "
            "what holds `&` or `@` between spaces. Rename them."
        )
    return {str(name): _recorded(values) for name, values in table.items()}


def _recorded(values: pd.Series) -> pd.Series:
    text = values.astype("string").str.strip().str.replace(CROSS, " and ").str.replace(AT, " at ")
    text = text.where(text.fillna("") != "", NOT_RECORDED)
    sizes = text.value_counts()
    if len(sizes) <= MOST_LEVELS:
        return text
    kept = sizes.sort_index().sort_values(ascending=False, kind="stable").index[: MOST_LEVELS - 1]
    return text.where(text.isin([*kept, NOT_RECORDED]), POOLED)


def _grouping(
    names: tuple[str, ...], values: pd.Series, events: pd.Series, reference: str | None, is_wish: bool = False
) -> Grouping:
    codes, levels = pd.factorize(values, sort=True)
    if reference in levels:
        position = list(levels).index(reference)
    elif reference is None or is_wish:
        position = _best_known(codes, levels, events)
    else:
        raise ModelsError(
            f"No subject has the reference group declared for `{names[0]}`. "
            "Mend `audit.reference_groups` or leave it out."
        )
    return Grouping(names, tuple(levels), codes.astype(np.int64), position)


def _best_known(codes: NDArray[np.int64], levels: pd.Index, events: pd.Series) -> int:
    """The recorded level with most event subjects, then most subjects: comparisons to it are the surest."""
    counted = pd.DataFrame({"code": codes, "events": events.to_numpy()}).groupby("code")["events"].agg(["sum", "size"])
    counted["is_recorded"] = [NOT_RECORDED not in level for level in levels]
    return int(counted.sort_values(["is_recorded", "sum", "size"], ascending=False, kind="stable").index[0])
