"""The ledger of releases: whose figures left, so that no later release tells of a few by its difference from an earlier one.

One file per release, never changed: which cells it showed, which were too small, and by tokens (`tokens`) who was in
each and who of them had an event. A release is on record before its bundle can be read; what a kill leaves between the two,
the next release puts in place.
"""

import base64
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.fairness import differencing, disclosure
from models.fairness.differencing import Membership
from models.fairness.showing import RELEASABLE, Shown
from pipelines import durable, locks
from pipelines.errors import Fault, Refused
from pipelines.reports import bundle
from pipelines.tokens import Tokens

LOCK_NAME = ".lock"
# Of scores that no installation made: beside their file.
BESIDE_SCORES = ".foretide-releases"
PACKED = ("counted", "small", "tokens", "cells", "events")


@dataclass(frozen=True)
class Release:
    """One release on record.

    Args:
        number: 1 for the first of the ledger.
        night: of which it tells, as `2026-06-30`.
        report: the name of what was released.
        bundle: its folder.
        sha256: of the bundle (`bundle.digest`).
    """

    number: int
    night: str
    report: str
    bundle: Path
    sha256: str


def ledger_of(scores: Path) -> Path:
    """The ledger of a scores file: it belongs to the file, so that no other folder for the reports walks around it."""
    return scores.resolve().parent / BESIDE_SCORES


def release(
    ledger: Path,
    shown: Shown,
    members: Mapping[str, Collection[str]],
    event_members: Mapping[str, Collection[str]],
    *,
    night: str,
    report: str,
    folder: Path,
    page: str | None = None,
) -> Release:
    """Put a release on record and its bundle at `folder/releasable`, or refuse and leave not a byte of it.

    The same bundle at the same place again is the release that it was.

    Args:
        ledger: the ledger's folder: of an installation `settings.releases_folder`, of a scores file `ledger_of`.
        shown: the releasable bundle.
        members, event_members: the subjects of each cell, and those of them with an event, of the audit that `shown` is of.
        night, report: see `Release`.
        page: the report as one HTML page, made of `shown` alone.

    Raises:
        Refused: a cell differs from one of an earlier release by too few subjects, or too few with an event, or another
            release's bundle lies there, or the ledger cannot be written.
        Fault: the ledger is damaged.
    """
    if shown.name != RELEASABLE:
        raise ValueError("only the releasable bundle may be released")
    with _alone_in(ledger):
        records = _records(ledger)
        _finish(records)
        tokens = Tokens(ledger)
        spoken_of = (*shown.cells, *shown.small)
        told = tokens.of({name for cell in spoken_of for name in members[cell]})
        by_token, had = (
            {cell: [told[name] for name in of[cell]] for cell in spoken_of} for of in (members, event_members)
        )
        of_all = Membership.of(by_token)
        now = _Cells(of_all, Membership.of(had, of_all.subjects), shown.counted, shown.small)
        _refuse_what_tells(now, records)
        target = folder / shown.name
        staged = bundle.stage(folder, shown, page)
        with _gone_unless_on_record(staged, ledger / _name(len(records) + 1)):
            done = next(
                (r.release for r in records if r.release.sha256 == bundle.digest(staged) and r.is_at(target)), None
            )
            if done is None:
                _refuse_occupied(target, records)
                tokens.keep(told)
                done = Release(len(records) + 1, night, report, target, bundle.digest(staged))
                _write(ledger, done, now)
        bundle.place(staged, target)
    return done


def table(ledger: Path) -> list[dict[str, object]]:
    """The releases on record, oldest first."""
    return [
        {"number": r.number, "night": r.night, "report": r.report, "bundle": str(r.bundle), "sha256": r.sha256}
        for r in (record.release for record in _records(ledger))
    ]


@dataclass(frozen=True)
class _Cells:
    """Who is in the cells that a release shows, of some of them with counts, and in those too small to be shown.

    `events` are those of the members who had an event.
    """

    members: Membership
    events: Membership
    counted_names: Sequence[str]
    small_names: Sequence[str]

    @cached_property
    def shown(self) -> Membership:
        return self.members.only(set(self.members.cells) - set(self.small_names))

    @cached_property
    def shown_events(self) -> Membership:
        return self.events.only(self.shown.cells)

    @cached_property
    def counted(self) -> Membership:
        return self.members.only(set(self.counted_names))

    @cached_property
    def small(self) -> Membership:
        return self.members.only(set(self.small_names))


@dataclass(frozen=True)
class _Record:
    """A release and its cells, as its file has them."""

    release: Release
    packed: Mapping[str, Any]

    @cached_property
    def cells(self) -> _Cells:
        subjects = pd.Index(self.packed["tokens"], dtype=object)
        members, events = (_unpacked(self.packed[name], subjects) for name in ("cells", "events"))
        return _Cells(members, events, self.packed["counted"], self.packed["small"])

    def is_at(self, target: Path) -> bool:
        return self.release.bundle == Path(os.path.abspath(target))  # noqa: PTH100  (links stay what they are)


def _records(ledger: Path) -> list[_Record]:
    paths = sorted(ledger.glob("[0-9]*.json")) if ledger.is_dir() else []
    records = []
    for number, path in enumerate(paths, start=1):
        try:
            told = json.loads(path.read_bytes())
            at = Path(os.path.normpath(Path(os.path.abspath(ledger)) / told["bundle"]))  # noqa: PTH100
            of = Release(told["number"], told["night"], told["report"], at, told["sha256"])
            records.append(_Record(of, {name: told[name] for name in PACKED}))
        except (ValueError, KeyError, TypeError):
            told = {}
        if told.get("number") != number or path.name != _name(number):
            raise Fault(
                f"The release ledger in `{ledger.name}` is damaged at release {number}: it is not there or cannot be read. "
                "Nothing can be released until it is restored from a backup."
            )
    return records


def _name(number: int) -> str:
    return f"{number:04}.json"


def _finish(records: list[_Record]) -> None:
    """Put the bundle of the last release in place, where a kill came between its record and that."""
    if not records:
        return
    last = records[-1].release
    staged = bundle.staged_at(last.bundle.parent, last.bundle.name)
    if staged.is_dir() and not last.bundle.exists() and bundle.digest(staged) == last.sha256:
        bundle.place(staged, last.bundle)


def _refuse_what_tells(now: _Cells, records: list[_Record]) -> None:
    for record in records:
        of, then = record.release, record.cells
        which = f"release {of.number}, of night {of.night}"
        again = f"Nothing was released. Give out release {of.number} again, which lies at `{of.bundle}`, or"
        few, pairs = disclosure.LEAST_DIFFERENCE, ((now.shown, then.shown), (now.shown_events, then.shown_events))
        is_near, is_near_by_event = (disclosure.is_too_near(differencing.differences(*pair)) for pair in pairs)
        if is_near.any() or is_near_by_event.any():
            whom = "subjects" if is_near.any() else "subjects with an event"
            raise Refused(
                f"{int((is_near | is_near_by_event).any(axis=1).sum())} of the {len(now.shown.cells)} cells to be shown differ by "
                f"fewer than {few} {whom} from cells of {which}, so that the two would tell of a few. {again} wait until at "
                f"least {few} subjects differ in every cell that changes, and at least {few} of those with an event where "
                "these change."
            )
        if differencing.tell_together([now.counted, then.counted], [now.small, then.small]):
            raise Refused(
                f"The counts to be shown and those of {which}, together give the size of a group of {disclosure.FEW_SUBJECTS}. "
                f"{again} audit by the attributes and reference groups that it has."
            )


def _refuse_occupied(target: Path, records: list[_Record]) -> None:
    """A bundle that was released stays where the ledger says it is."""
    if not target.exists():
        return
    number = next((r.release.number for r in records if r.is_at(target)), None)
    if number is None:
        raise Refused(
            f"`{target}` holds a bundle that this ledger does not know, so nobody can tell whether the two would tell of a few. "
            "Nothing was released. Find out which ledger has it on record; if it never left, take it away."
        )
    raise Refused(
        f"`{target}` holds release {number}, which is never written over. Nothing was released. Give out that release again."
    )


def _write(ledger: Path, done: Release, now: _Cells) -> None:
    record = {
        "number": done.number,
        "night": done.night,
        "report": done.report,
        "bundle": Path(os.path.relpath(done.bundle, ledger)).as_posix(),
        "sha256": done.sha256,
        "counted": list(now.counted_names),
        "small": list(now.small_names),
        "tokens": list(now.members.subjects),
        "cells": _packed(now.members),
        "events": _packed(now.events),
    }
    durable.replace(ledger / _name(done.number), (json.dumps(record) + "\n").encode())


def _packed(of: Membership) -> dict[str, str]:
    """Who is in each cell, a bit for each subject in their order."""
    rows = zip(of.cells, of.is_in, strict=True)
    return {cell: base64.b64encode(np.packbits(row).tobytes()).decode() for cell, row in rows}


def _unpacked(packed: Mapping[str, str], subjects: pd.Index) -> Membership:
    rows = [np.frombuffer(base64.b64decode(bits), np.uint8) for bits in packed.values()]
    n_bytes = -(-len(subjects) // 8)
    is_in = np.unpackbits(np.array(rows, np.uint8).reshape(len(rows), n_bytes), axis=1, count=len(subjects)).astype(
        bool
    )
    return Membership(tuple(packed), subjects, is_in)


@contextmanager
def _gone_unless_on_record(staged: Path, record: Path) -> Iterator[None]:
    """Take a staged bundle away when an error comes before its record; one on record the next release puts in place."""
    try:
        yield
    except BaseException:
        if not record.exists():
            shutil.rmtree(staged, ignore_errors=True)
        raise


@contextmanager
def _alone_in(ledger: Path) -> Iterator[None]:
    """Hold the ledger; the lock is gone when the process is."""
    try:
        ledger.mkdir(parents=True, exist_ok=True)
        lock = locks.take(ledger / LOCK_NAME)
    except OSError as error:
        raise Refused(
            f"The release ledger `{ledger}` cannot be written. Nothing was released. Ask for the right to write there: a ledger "
            "elsewhere would not know what was released before."
        ) from error
    if lock is None:
        raise Refused("Another process is releasing a report here. Wait for it to end, then try again.")
    try:
        yield
    finally:
        lock.close()
