"""The cohort as it was known at an instant: who is in it, what happened to them, and for how long they were followed.

Reads the lake through its known-at reader and dates every row with `features.calendar`; holds no statistics and
writes nothing. Training, the night, replays and the audit all start here, so that they agree on who is who.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time

import numpy as np
import pandas as pd

from features import calendar
from features.calendar import day_number
from features.tables import TABLES
from models.outcomes import Outcome, Part, event_days
from pipelines import contents
from pipelines.errors import Refused
from pipelines.lake import Lake
from pipelines.outcome_sections import OutcomeSettings
from pipelines.sections import Sites
from pipelines.settings import Settings

ToDay = Callable[[pd.Series, str, time], pd.Series]
# Streams that make up the day panel.
PANEL_STREAMS = ("mood", "sleep", "wearable", "wearable_days", "assessments", "signals")
# Care statuses under which nobody is scored; paused and inpatient subjects stay on the roster with that status.
FOLLOW_UP_ENDS = ("deceased",)
NOTHING_YET = (
    "Nothing has been ingested yet, so the lake is empty. First declare `sources:` in foretide.yaml and give `foretide run`, or give "
    "`foretide ingest FORMAT PATH`; docs/bring-your-data.md says how."
)
# Column of the day panel: whether a subject answered anything.
ANSWERS = "adherence_answers"


@dataclass(frozen=True)
class Cohort:
    """Subjects known by an as-of date's cutoff, one row each, and the time zone of each one's site.

    `known_at` is the latest cutoff of all sites. Rows of a subject whose own cutoff came earlier are held back one by
    one, by the `known_on` of each version. `enrolments` (`subject_id, enrolled_on, site, known_on, superseded_on`) tells
    who was known, as enrolled since when and at which site, on each index date up to the as-of date.
    """

    as_of: pd.Timestamp
    known_at: pd.Timestamp
    subjects: pd.DataFrame
    zones: pd.Series
    cutoff: time
    enrolments: pd.DataFrame
    device_preference: tuple[str, ...] = ()

    @property
    def roster(self) -> pd.DataFrame:
        """Subjects enrolled by the as-of date whose consent has not ended: each must have a row in the delivery."""
        consented = self.subjects["consent_until"].isna() | (self.subjects["consent_until"] >= self.as_of)
        return self.subjects[(self.subjects["enrolled_on"] <= self.as_of) & consented].reset_index(drop=True)


def known_at(sites: Sites, as_of: date | pd.Timestamp) -> pd.Timestamp:
    """The latest cutoff c(as_of) over all sites: the knowledge time of that night.

    Rows of a subject whose own site's cutoff came earlier are held back per subject by their `known_on`.
    """
    return max(calendar.cutoff_of(pd.Timestamp(as_of), zone, sites.cutoff) for zone in sites.zones)


def outcome_named(name: str, declared: OutcomeSettings) -> Outcome:
    """The outcome that a configuration section declares."""
    parts = tuple(Part(**part.model_dump()) for part in declared.any_of)
    return Outcome(name=name, any_of=parts, **declared.model_dump(exclude={"alert_horizon_days", "any_of"}))


def load(lake: Lake, settings: Settings, as_of: date | pd.Timestamp) -> Cohort:
    """The cohort known for the night of `as_of`.

    Raises:
        Refused: nothing was ever taken in, or nobody was known by then.
    """
    instant, night = known_at(settings.sites, as_of), pd.Timestamp(as_of).as_unit("us")
    rows = lake.history("subjects", instant, lake.connection()).df()
    rows = _versions(rows, "subjects", subject_zones(rows, settings.sites), settings.sites.cutoff)
    told = _one_at_a_time(rows[calendar.is_known_on(rows["known_on"], night)])
    subjects = in_force(told, night)
    if subjects.empty:
        if not lake.tables():
            raise Refused(NOTHING_YET)
        raise Refused(
            f"No subject was known on {night:%Y-%m-%d}: the lake's `subjects` table has no row received "
            "by then. Ingest a source, or ask for a later date."
        )
    subjects = with_attributes(subjects, settings.audit.attributes)
    zones = subject_zones(subjects, settings.sites).set_axis(subjects["subject_id"].to_numpy())
    enrolments = told[["subject_id", "enrolled_on", "site", "known_on", "superseded_on"]]
    return Cohort(night, instant, subjects, zones, settings.sites.cutoff, enrolments, settings.door.device_preference)


def refuse_an_empty_roster(cohort: Cohort) -> None:
    """There is nothing to score.

    Raises:
        Refused: nobody is on the roster.
    """
    if cohort.roster.empty:
        night = f"{cohort.as_of:%Y-%m-%d}"
        raise Refused(f"Nobody is on the roster of {night}: no enrolled subject with consent. Nothing to deliver.")


def with_attributes(subjects: pd.DataFrame, declared: tuple[str, ...]) -> pd.DataFrame:
    """Subjects with a column for each further attribute that a source gave, in place of their JSON object.

    A declared attribute that no source gave is not recorded for anybody.
    """
    told = [json.loads(text) if isinstance(text, str) else {} for text in subjects["attributes"]]
    names = sorted({*declared}.union(*told) - {*subjects.columns})
    further = {name: pd.Series([one.get(name) for one in told], index=subjects.index, dtype="str") for name in names}
    return subjects.drop(columns="attributes").assign(**further)


def subject_zones(subjects: pd.DataFrame, sites: Sites) -> pd.Series:
    """IANA zone name per row, from the subject's site; the default where the site is missing or undeclared."""
    zones = [sites.time_zones.get(site, sites.default_time_zone) for site in subjects["site"]]
    return pd.Series(zones, index=subjects.index, name="zone", dtype="str")


def _versions(rows: pd.DataFrame, table: str, zones: pd.Series, cutoff: time) -> pd.DataFrame:
    """Every version of rows with `known_on`, and `superseded_on`: the index date from which the next one counts.

    Rows that took a record back are gone, having ended the version before; so are versions nobody ever used.
    """
    rows = rows.assign(known_on=_by_zone(rows["received_at"], zones, cutoff, calendar.index_date_knowing))
    key = list(TABLES[table].key)
    rows = rows.sort_values([*key, "received_at", "version", "ingest_id"])
    following = rows.groupby(key, sort=False)["known_on"].shift(-1)
    was_used = following.isna() | (following > rows["known_on"])
    return rows.assign(superseded_on=following)[was_used & ~rows["is_deleted"].astype(bool)].reset_index(drop=True)


def _one_at_a_time(versions: pd.DataFrame) -> pd.DataFrame:
    """Who was known as what on each index date: of several sources' rows of a subject, the one received last.

    Its `known_on` and `superseded_on` are those of the time in which it was that one.
    """
    for day in ("enrolled_on", "consent_until"):
        versions = versions.assign(**{day: pd.to_datetime(versions[day]).astype("datetime64[us]")})
    is_alone = ~versions["subject_id"].duplicated(keep=False)
    several = versions[~is_alone]
    days = [
        several[["subject_id", name]].set_axis(["subject_id", "on"], axis=1) for name in ("known_on", "superseded_on")
    ]
    news = pd.concat(days).dropna().drop_duplicates().sort_values(["subject_id", "on"])
    news["until"] = news.groupby("subject_id")["on"].shift(-1)
    found = news.merge(several, on="subject_id")
    stood = calendar.is_known_on(found["known_on"], found["on"]) & ~(found["superseded_on"] <= found["on"])
    found = found[stood].sort_values(["subject_id", "on", "received_at", "source"])
    found = found.drop_duplicates(["subject_id", "on"], keep="last")
    found = found.assign(known_on=found["on"], superseded_on=found["until"])[versions.columns]
    return pd.concat([versions[is_alone], found]).sort_values(["subject_id", "known_on"], ignore_index=True)


def in_force(versions: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The versions that counted on an index date."""
    ended = versions["superseded_on"] <= as_of
    return versions[calendar.is_known_on(versions["known_on"], as_of) & ~ended].reset_index(drop=True)


def _by_zone(instants: pd.Series, zones: pd.Series, cutoff: time, to_day: ToDay) -> pd.Series:
    """Apply a calendar function zone by zone."""
    result = pd.Series(pd.NaT, index=instants.index, dtype="datetime64[us]")
    for zone, part in instants.groupby(zones):
        result.loc[part.index] = to_day(part, str(zone), cutoff)
    return result


def sites_on(cohort: Cohort, index: pd.DataFrame) -> pd.Series:
    """The site of each index row's subject as it was known on its index date; missing where nobody recorded one.

    Args:
        index: `subject_id, index_date`; the result has its row labels.
    """
    rows = index[["subject_id", "index_date"]].assign(row=range(len(index))).merge(cohort.enrolments, on="subject_id")
    stood = calendar.is_known_on(rows["known_on"], rows["index_date"]) & ~(rows["superseded_on"] <= rows["index_date"])
    return rows[stood].set_index("row")["site"].reindex(range(len(index))).set_axis(index.index)


def dated(lake: Lake, cohort: Cohort, table: str) -> pd.DataFrame:
    """Versions of the rows of known subjects with `event_on`, the risk day of the table's time, `known_on` and
    `superseded_on`."""
    rows = lake.history(table, cohort.known_at, lake.connection()).df()
    rows = rows[rows["subject_id"].isin(cohort.zones.index)].reset_index(drop=True)
    zones = rows["subject_id"].map(cohort.zones)
    rows["event_on"] = _by_zone(rows[TABLES[table].time], zones, cohort.cutoff, calendar.risk_day)
    return _versions(rows, table, zones, cohort.cutoff)


def outcome_event_days(lake: Lake, cohort: Cohort, outcome: Outcome) -> pd.DataFrame:
    """Event days of the outcome with `known_on` and `superseded_on`, as received by the cohort's night.

    Features of past nights need every version, labels only those of `in_force`.
    """
    streams = {table: dated(lake, cohort, table) for table in outcome.tables}
    found = event_days(outcome, streams.get("events"), streams.get("assessments"))
    return found[calendar.is_known_on(found["known_on"], cohort.as_of)].reset_index(drop=True)


def care_statuses(lake: Lake, cohort: Cohort) -> pd.DataFrame:
    """Every care status before the cutoff, as known then: `subject_id, status, event_on`, in their order."""
    rows = in_force(dated(lake, cohort, "care_status"), cohort.as_of)
    return rows[rows["event_on"] < cohort.as_of].sort_values(["subject_id", "since"], ignore_index=True)


def care_status(lake: Lake, cohort: Cohort) -> pd.DataFrame:
    """Each subject's care status at the cutoff: `subject_id, status, event_on`; `active` is implied by none."""
    return care_statuses(lake, cohort).drop_duplicates("subject_id", keep="last").reset_index(drop=True)


def follow_up(lake: Lake, cohort: Cohort, outcome: Outcome, panel: pd.DataFrame) -> pd.DataFrame:
    """How long each subject is followed: `subject_id, followed_until, knowable_until`. Never depends on an event.

    `followed_until` is the last civil day on which an event of the outcome would have come to be known. A registry sees
    everyone until consent or life ends, or until yesterday; a self-report only until the last day with any data of
    theirs. `knowable_until` is when consent ends, or yesterday, whether alive or not.
    """
    yesterday = cohort.as_of - calendar.DAY
    knowable = cohort.subjects.set_index("subject_id")["consent_until"].fillna(yesterday).clip(upper=yesterday)
    ended = care_status(lake, cohort)
    ended = ended[ended["status"].isin(FOLLOW_UP_ENDS)].set_index("subject_id")["event_on"]
    until = knowable.combine(ended.reindex(knowable.index), lambda a, b: a if pd.isna(b) else min(a, b))
    if outcome.needs_reports:
        last = panel.groupby("subject_id")["local_date"].max().reindex(until.index)
        until = until.where(until <= last, last)
    days = pd.DataFrame({"followed_until": until, "knowable_until": knowable}).dropna().astype("datetime64[us]")
    return days.rename_axis("subject_id").reset_index()


def reporting_columns(outcome: Outcome) -> tuple[str, ...]:
    """The day panel's columns that say whether a subject would have reported an event on a day."""
    return (ANSWERS,) if any(part.ascertainment == "self_report" for part in outcome.parts) else ()


def reporting_days(lake: Lake, cohort: Cohort, outcome: Outcome, panel: pd.DataFrame) -> list[pd.DataFrame]:
    """For each part of the outcome, `subject_id, local_date` of days on which a subject would have reported an event of it.

    Those with its assessment, whatever came of it, dated as events are; or with any mood answer where events are
    self-reported.
    """
    assessed = in_force(dated(lake, cohort, "assessments"), cohort.as_of) if "assessments" in outcome.tables else None
    answered = panel[panel[ANSWERS].notna()] if ANSWERS in panel else panel.iloc[:0]
    found = []
    for part in outcome.parts:
        rows = answered
        if assessed is not None and part.assessment:
            rows = assessed[assessed["instrument"] == part.assessment].assign(local_date=lambda rows: rows["event_on"])
        found.append(rows[["subject_id", "local_date"]].drop_duplicates())
    return found


def index_rows(cohort: Cohort, until: pd.DataFrame, every_days: int = 1) -> pd.DataFrame:
    """Index dates on which a night would have had a row: of every subject then known, from the day after enrolment, as
    then known, to the end of follow-up; sorted.

    Args:
        every_days: one date in so many, the same dates for all.
    """
    spans = cohort.enrolments.merge(until, on="subject_id")
    last_known = (spans["superseded_on"] - calendar.DAY).fillna(spans["followed_until"])
    last = np.minimum(day_number(last_known), day_number(spans["followed_until"]))
    first = np.maximum(day_number(spans["enrolled_on"]) + 1, day_number(spans["known_on"]))
    first = -(-first // every_days) * every_days
    n = np.maximum((last - first) // every_days + 1, 0)
    row = np.repeat(np.arange(len(spans)), n)
    day = first[row] + (np.arange(len(row)) - np.repeat(np.cumsum(n) - n, n)) * every_days
    dates = day.astype("datetime64[D]").astype("datetime64[us]")
    rows = pd.DataFrame({"subject_id": spans["subject_id"].to_numpy()[row], "index_date": dates}).astype(
        {"subject_id": "str"}
    )
    return rows.sort_values(["subject_id", "index_date"], ignore_index=True)


def newest_night(lake: Lake, sites: Sites) -> pd.Timestamp:
    """The first as-of date whose knowledge time, the latest cutoff of all sites, comes after everything received.

    Raises:
        Refused: the lake is empty.
    """
    received = [instant for table in lake.tables() if (instant := contents.last_received_at(lake, table)) is not None]
    if not received:
        raise Refused(NOTHING_YET)
    newest = pd.Series([max(received).as_unit("us")])
    return min(calendar.index_date_knowing(newest, zone, sites.cutoff).iloc[0] for zone in sites.zones)
