"""What the care provider's systems report: enrolment, crisis events, care status. Receipt is slower in the south."""

import numpy as np
import pandas as pd

from pipelines.sources.simulation import dirt, receipt
from pipelines.sources.simulation.clock import SITE_NAMES
from pipelines.sources.simulation.dice import Array, Dice
from pipelines.sources.simulation.people import AGE_BANDS, ETHNICITIES, LANGUAGES, QUINTILES, SEXES
from pipelines.sources.simulation.rows import Group, Index, frame, instants, known_by_snapshot, text

EVENT_KINDS = ("crisis_contact", "emergency")
EMERGENCY_SHARE, SECOND_EVENT_SHARE = 0.3, 0.12
# Per subject-day: an event booked to the wrong person, taken back some days later.
MISBOOKED = 0.00005
# Hours after local midnight that lie in that civil day's risk day whatever the clocks do (cutoff 03:00).
RISK_DAY_FROM_H, RISK_DAY_SPAN_H = 4.0, 21.9
STATUSES = ("active", "inpatient", "discharged", "deceased", "paused")
ACTIVE, INPATIENT, DISCHARGED, DECEASED, PAUSED = range(5)


def subjects(g: Group) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `subjects`, known the afternoon before enrolment, and the later rows that end a consent."""
    who, everyone = g.who, np.arange(len(g.who))
    columns: dict[str, object] = {
        "site": text(SITE_NAMES, who.site),
        "sex": text(SEXES, who.sex),
        "age_band": text(AGE_BANDS, who.age_band),
        "ethnicity": text(ETHNICITIES, who.ethnicity),
        "language": text(LANGUAGES, who.language),
        "deprivation_quintile": text(QUINTILES, who.quintile),
        "enrolled_on": g.clock.dates[g.life.enrolled],
        "consent_until": pd.DatetimeIndex(np.full(len(who), np.datetime64("NaT", "us"))),
        "utc_offset_min": g.clock.offset_min(everyone, g.clock.starts[everyone, g.life.enrolled]),
    }
    known = g.clock.at(everyone, g.life.enrolled, np.full(len(who), -9.0))
    rows = frame(g, everyone, "registry", known, columns)
    gone = np.flatnonzero(g.life.withdrawn >= 0)
    day = g.life.withdrawn[gone]
    told = instants(g.clock.at(gone, day, np.full(len(gone), 1.0)))
    withdrawn = rows.iloc[gone].assign(
        consent_until=g.clock.dates[day - 1], received_at=told, version=np.int32(1), is_deleted=False
    )
    return rows, known_by_snapshot(g, withdrawn.reset_index(drop=True))


def events(g: Group) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `events` that reach the registry, and later corrections and deletions."""
    days = g.clock.days
    dice = Dice(g.seed, g.who.numbers, "events")
    luck, normal = dice.uniform(6, 2, days), dice.normal(2, days)
    happens = np.stack([g.life.has_event, g.life.has_event & (luck[:, 0, 0] < SECOND_EVENT_SHARE)], axis=1)
    happens &= (luck[:, 1] < 1 - MISBOOKED) & (luck[:, 2] < g.who.registry_capture[:, None, None])
    first, later = _booked(g, happens, luck, normal)
    wrong = ~happens & (luck[:, 1] >= 1 - MISBOOKED) & g.life.is_seen[:, None, :]
    booked, _ = _booked(g, wrong, luck, normal)
    taken_back = known_by_snapshot(
        g, dirt.resend(booked, np.full(len(booked), 0.5, dtype=np.float32), lambda same: same, is_deleted=True)
    )
    return pd.concat([first, booked], ignore_index=True), pd.concat([later, taken_back], ignore_index=True)


def _booked(g: Group, happens: np.ndarray, luck: Array, normal: Array) -> tuple[pd.DataFrame, pd.DataFrame]:
    subject, which, day = np.nonzero(happens)
    hours, kind, late, fate = (luck[:, number][happens] for number in (3, 4, 5, 0))
    occurred = g.clock.at(subject, day, RISK_DAY_FROM_H + RISK_DAY_SPAN_H * hours)
    is_emergency = (kind < EMERGENCY_SHARE).astype(np.int64)
    columns: dict[str, object] = {
        "record_id": text([f"event-{d}-{k}" for d in range(g.clock.days) for k in (1, 2)], day * 2 + which),
        "occurred_at": instants(occurred),
        "kind": text(EVENT_KINDS, is_emergency),
        "severity": 1.0 + is_emergency + np.floor(3 * late),
        "utc_offset_min": g.clock.offset_min(subject, occurred),
    }
    received = receipt.registry_at(occurred, g.who.site[subject], normal[happens], late)
    sent = frame(g, subject, "registry", received, columns)
    return dirt.traffic(g, sent, (fate * 104729) % 1, ("occurred_at",), _ungradable, _graded_up)


def _ungradable(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(severity=999.0)


def _graded_up(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(severity=rows["severity"] + 1)


def care_status(g: Group) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `care_status`: everybody starts active; admissions, pauses, discharges and deaths follow."""
    life, n = g.life, len(g.who)
    changes = [(np.arange(n), life.enrolled, np.full(n, ACTIVE))]
    for status, flags in ((INPATIENT, life.is_inpatient), (PAUSED, life.is_paused)):
        before = np.pad(flags, ((0, 0), (1, 0)))[:, :-1]
        for is_start, code in ((flags & ~before, status), (before & ~flags & _in_care(g), ACTIVE)):
            subject, day = np.nonzero(is_start)
            changes.append((subject, day, np.full(len(subject), code)))
    for status, ended in ((DISCHARGED, life.discharged), (DECEASED, life.deceased)):
        subject = np.flatnonzero(ended >= 0)
        changes.append((subject, ended[subject], np.full(len(subject), status)))
    subjects, days, statuses = (np.concatenate(part) for part in zip(*changes, strict=True))
    return _statuses(g, subjects, days, statuses), pd.DataFrame()


def _in_care(g: Group) -> np.ndarray:
    """Days before death and discharge, (n, days)."""
    day = np.arange(g.clock.days)[None, :]
    ends = [np.where(end < 0, g.clock.days, end)[:, None] for end in (g.life.deceased, g.life.discharged)]
    return (day < ends[0]) & (day < ends[1])


def _statuses(g: Group, subject: Index, day: Index, status: Index) -> pd.DataFrame:
    """Admissions and deaths begin at 05:00 local, the rest at midnight; all are known within hours."""
    order = np.lexsort((day, subject))
    subject, day, status = subject[order], day[order], status[order]
    since = g.clock.at(subject, day, np.where(np.isin(status, (INPATIENT, DECEASED)), 5.0, 0.0))
    columns: dict[str, object] = {
        "since": instants(since),
        "status": text(STATUSES, status),
        "utc_offset_min": g.clock.offset_min(subject, since),
    }
    is_first = day == g.life.enrolled[subject]
    hours = np.where(is_first, 0.5, np.where(status == DECEASED, 30.0, 7.0))
    received = since + np.rint(hours * 3600).astype(np.int64) * 1_000_000
    return known_by_snapshot(g, frame(g, subject, "registry", received, columns))
