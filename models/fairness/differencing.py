"""What cells tell when they are subtracted from each other: by whom they differ, and what follows from their counts.

Everything is arithmetic on who is in which cell; rules and thresholds stand in `disclosure`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.fairness import disclosure

Mask = NDArray[np.bool_]
# Subjects multiplied at a time: the sums stay exact in single precision, and the memory small.
BLOCK = 16_384
# Cells are sums of ones, so that a remainder or a weight is either far above this or rounding.
NOTHING = 1e-6


@dataclass(frozen=True, repr=False)
class Membership:
    """Who is in each cell: `is_in` is of shape (n_cells, n_subjects), in the order of `cells` and `subjects`.

    It names subjects, so that its own text does not tell what it holds.
    """

    cells: tuple[str, ...]
    subjects: pd.Index
    is_in: Mask

    @classmethod
    def of(cls, members: Mapping[str, Collection[str]], subjects: pd.Index | None = None) -> "Membership":
        """From the subjects of each cell, in the given order of all who may be in one; else sorted."""
        if subjects is None:
            subjects = pd.Index(sorted(frozenset().union(*members.values())), dtype=object)
        is_in = np.zeros((len(members), len(subjects)), dtype=bool)
        for row, names in zip(is_in, members.values(), strict=True):
            row[subjects.get_indexer(pd.Index(list(names), dtype=object))] = True
        return cls(tuple(members), subjects, is_in)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many subjects each cell has."""
        return np.asarray(self.is_in.sum(axis=1), dtype=np.int64)

    def only(self, cells: Collection[str]) -> "Membership":
        """These cells alone."""
        kept = [at for at, cell in enumerate(self.cells) if cell in cells]
        return Membership(tuple(self.cells[at] for at in kept), self.subjects, self.is_in[kept])

    def beside(self, other: "Membership") -> "Membership":
        """The cells of both, which may be of different cohorts; a name may then stand for two cells."""
        subjects = self.subjects.union(other.subjects)
        is_in = np.zeros((len(self.cells) + len(other.cells), len(subjects)), dtype=bool)
        is_in[: len(self.cells), subjects.get_indexer(self.subjects)] = self.is_in
        is_in[len(self.cells) :, subjects.get_indexer(other.subjects)] = other.is_in
        return Membership((*self.cells, *other.cells), subjects, is_in)


def differences(these: Membership, those: Membership) -> NDArray[np.int64]:
    """How many subjects are in one of two cells and not in the other, of shape (these, those).

    The two may be of different cohorts; subjects are the same where their names are.
    """
    place = those.subjects.get_indexer(these.subjects)
    here, there = np.flatnonzero(place >= 0), place[place >= 0]
    shared = np.zeros((len(these.cells), len(those.cells)))
    for start in range(0, len(here), BLOCK):
        part = slice(start, start + BLOCK)
        left, right = these.is_in[:, here[part]], those.is_in[:, there[part]]
        shared += left.astype(np.float32) @ right.T.astype(np.float32)
    return np.asarray(these.sizes[:, None] + those.sizes[None, :] - 2 * shared, dtype=np.int64)


def keep_apart(is_near: Mask, order: Sequence[int] | NDArray[np.int64]) -> Mask:
    """Which cells may be shown beside each other: taken in the given order, each unless it is near to one taken before.

    Cells that are not in the order are not taken. One pass ends it: what is taken stays, and no two of it are near.
    """
    is_kept = np.zeros(len(is_near), dtype=bool)
    for cell in order:
        is_kept[cell] = not (is_near[cell] & is_kept).any()
    return is_kept


def keep_uncounted(
    of: Membership,
    attribute: NDArray[np.object_],
    is_shown: Mask,
    is_small: Mask,
    is_telling: Mask,
    n_event_subjects: NDArray[np.int64],
    order: NDArray[np.int64],
) -> Mask:
    """Which shown cells may show their counts: none that would give back what may not be told.

    Args:
        of: whole groups, and whatever else has counts to show.
        attribute: of each cell; cells of one attribute that lie within another cell and fill it are its parts.
        is_shown: whether a cell's figures are shown.
        is_small: whether a cell alone may not be shown.
        is_telling: of shape (n_cells, n_cells), whether two cells may not be subtracted, though each might be shown.
        n_event_subjects: of each cell.
        order: from the cell to keep longest to the one to give up first.

    No sum of counted cells, with whatever weights, is a small cell, or the difference of two that would tell, or the
    small parts of a cell that even together are too few, or have too few with an event. As long as one is, the last in
    order of the cells that it is a sum of is given up; each step leaves one less, so it ends.
    """
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    is_counted, patterns = is_shown.copy(), _patterns(of.is_in)
    products, sought = patterns @ patterns.T, _sought(of, attribute, is_small, is_telling, n_event_subjects)
    while (used := _what_follows(products, sought, is_counted)) is not None:
        is_counted[used[np.argmax(rank[used])]] = False
    return is_counted


def tell_together(counted: Sequence[Membership], hidden: Sequence[Membership]) -> bool:
    """Whether the size of a hidden cell follows from the counted cells of several releases, added and subtracted."""
    of = reduce(Membership.beside, [*counted, *hidden])
    is_counted = np.arange(len(of.cells)) < sum(len(part.cells) for part in counted)
    patterns = _patterns(of.is_in)
    return _what_follows(patterns @ patterns.T, np.eye(len(of.cells))[~is_counted], is_counted) is not None


def _sought(
    of: Membership,
    attribute: NDArray[np.object_],
    is_small: Mask,
    is_telling: Mask,
    n_event_subjects: NDArray[np.int64],
) -> NDArray[np.float64]:
    """What must not follow, as sums of cells, of shape (n_sought, n_cells)."""
    one, other = np.nonzero(np.triu(is_telling))
    each = np.eye(len(is_small))
    few = _too_few_together(of, attribute, is_small, n_event_subjects)
    together = [each[list(parts)].sum(axis=0, keepdims=True) for parts in few]
    return np.concatenate([each[is_small], each[one] - each[other], *together])


def _too_few_together(
    of: Membership, attribute: NDArray[np.object_], is_small: Mask, n_event_subjects: NDArray[np.int64]
) -> set[tuple[int, ...]]:
    """Of the cells of one attribute that add up to another cell, the small ones, if several are too few even together."""
    sizes = of.sizes
    is_within = (sizes[:, None] + sizes[None, :] - differences(of, of)) // 2 == sizes[:, None]
    found = set()
    for name in dict.fromkeys(attribute):
        cells = np.flatnonzero(attribute == name)
        for parent in range(len(of.cells)):
            parts = cells[is_within[cells, parent]]
            small = parts[is_small[parts]]
            is_filled = sizes[parts].sum() == sizes[parent]
            is_enough = disclosure.are_enough_together(sizes[small])
            is_enough &= bool(n_event_subjects[small].sum() >= disclosure.SMALLEST_EVENT_SUBJECTS)
            if len(small) > 1 and is_filled and not is_enough:
                found.add(tuple(small.tolist()))
    return found


def _patterns(is_in: Mask) -> NDArray[np.float64]:
    """Cells by the different ways in which a subject can be in them: subjects that are always together are one."""
    packed = np.packbits(is_in, axis=0).T
    _, first = np.unique(np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel(), return_index=True)
    return is_in[:, first].astype(float)


def _what_follows(
    products: NDArray[np.float64], sought: NDArray[np.float64], is_counted: Mask
) -> NDArray[np.int64] | None:
    """The counted cells from which something sought follows; None if nothing does.

    Least squares on inner products: what is left of the sought when the counted cells have told all they can.
    """
    counted = np.flatnonzero(is_counted)
    if not len(counted) or not len(sought):
        return None
    told = sought @ products
    weights = np.linalg.lstsq(products[np.ix_(counted, counted)], told[:, counted].T, rcond=1e-10)[0]
    left = (told * sought).sum(axis=1) - (weights.T * told[:, counted]).sum(axis=1)
    follows = np.flatnonzero(left < NOTHING)
    return counted[np.abs(weights[:, follows[0]]) > NOTHING] if len(follows) else None
