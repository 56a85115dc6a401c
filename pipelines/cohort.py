"""The cohort as it was known at an instant: who is in it, what happened to them, and for how long they were followed.

Reads the lake through its known-at reader and dates every row with `features.calendar`; holds no statistics and
writes nothing. Training, the night, replays and the audit all start here, so that they agree on who is who.
"""

from dataclasses import dataclass
from datetime import date

import duckdb
import pandas as pd

from features import calendar, days
from models.outcomes import Outcome, event_days
from pipelines.errors import Refused
from pipelines.lake import BUCKETS, Lake
from pipelines.settings import OutcomeSettings, Settings, Sites

# Streams that make up the day panel.
PANEL_STREAMS = ("mood", "sleep", "wearable", "wearable_days", "assessments", "signals")
# Care statuses under which nobody is scored; paused and inpatient subjects stay on the roster with that status.
FOLLOW_UP_ENDS = ("deceased",)


@dataclass(frozen=True)
class Cohort:
    """Subjects known by an as-of date's cutoff, one row each, and the time zone of each one's site."""

    as_of: pd.Timestamp
    known_at: pd.Timestamp
    subjects: pd.DataFrame
    zones: pd.Series

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
    return Outcome(name=name, **declared.model_dump(exclude={"alert_horizon_days"}))


def load(lake: Lake, settings: Settings, as_of: date | pd.Timestamp) -> Cohort:
    """The cohort known for the night of `as_of`.

    Raises:
        Refused: nobody was known by then.
    """
    instant = known_at(settings.sites, as_of)
    rows = lake.read("subjects", known_at=instant).df().sort_values(["subject_id", "received_at", "source"])
    subjects = rows.drop_duplicates("subject_id", keep="last").reset_index(drop=True)
    for day in ("enrolled_on", "consent_until"):
        subjects[day] = pd.to_datetime(subjects[day]).astype("datetime64[us]")
    zones = subject_zones(subjects, settings.sites)
    subjects = subjects[_known_on(subjects, zones, settings.sites) <= pd.Timestamp(as_of)].reset_index(drop=True)
    if subjects.empty:
        raise Refused(
            f"No subject was known on {pd.Timestamp(as_of):%Y-%m-%d}: the lake's `subjects` table has no row received "
            "by then. Ingest a source, or ask for a later date."
        )
    return Cohort(pd.Timestamp(as_of).as_unit("us"), instant, subjects, zones.loc[subjects["subject_id"]])


def subject_zones(subjects: pd.DataFrame, sites: Sites) -> pd.Series:
    """IANA zone name per subject, from the subject's site; the default where the site is missing or undeclared."""
    zones = [sites.time_zones.get(site, sites.default_time_zone) for site in subjects["site"]]
    return pd.Series(zones, index=subjects["subject_id"].to_numpy(), name="zone", dtype="str")


def _known_on(rows: pd.DataFrame, zones: pd.Series, sites: Sites) -> pd.Series:
    return _by_zone(rows, "received_at", zones, sites, calendar.index_date_knowing)


def _by_zone(rows: pd.DataFrame, column: str, zones: pd.Series, sites: Sites, to_day) -> pd.Series:  # type: ignore[no-untyped-def]
    """Apply a calendar function zone by zone; `rows` has `subject_id` and an instant `column`."""
    result = pd.Series(pd.NaT, index=rows.index, dtype="datetime64[us]")
    for zone, part in rows.groupby(rows["subject_id"].map(zones)):
        result.loc[part.index] = to_day(part[column], str(zone), sites.cutoff)
    return result


def dated(rows: pd.DataFrame, column: str, zones: pd.Series, sites: Sites) -> pd.DataFrame:
    """Add `event_on` (risk day of the instant `column`) and `known_on` to rows of known subjects."""
    rows = rows[rows["subject_id"].isin(zones.index)].reset_index(drop=True)
    return rows.assign(
        event_on=_by_zone(rows, column, zones, sites, calendar.risk_day), known_on=_known_on(rows, zones, sites)
    )


def outcome_event_days(lake: Lake, cohort: Cohort, outcome: Outcome, sites: Sites) -> pd.DataFrame:
    """Event days of the outcome, as received by the cohort's knowledge time."""
    table, column = ("assessments", "completed_at") if outcome.assessment else ("events", "occurred_at")
    rows = dated(lake.read(table, known_at=cohort.known_at).df(), column, cohort.zones, sites)
    events, assessments = (rows, None) if table == "events" else (None, rows)
    found = event_days(outcome, events, assessments)
    return found[calendar.is_known_on(found["known_on"], cohort.as_of)].reset_index(drop=True)


def day_panel(lake: Lake, cohort: Cohort) -> pd.DataFrame:
    """The bitemporal day panel of everything received by the knowledge time; rebuilt only when the lake changed.

    The stored panel is reused when it was built from the same content, for it carries `known_on`.
    """
    version = f"{lake.content_version(cohort.known_at)}@{cohort.known_at.isoformat()}"
    stored = lake.derived_version("days")
    if stored == version:
        return lake.load("days")
    with lake.connection() as connection:
        panel = pd.concat(
            [_bucket_panel(lake, cohort, bucket, connection) for bucket in range(BUCKETS)], ignore_index=True
        )
    panel = panel[calendar.is_known_on(panel["known_on"], cohort.as_of)].reset_index(drop=True)
    lake.replace("days", panel, version=version)
    return panel


def _bucket_panel(lake: Lake, cohort: Cohort, bucket: int, connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """One bucket of subjects: the unit of work, so that memory does not grow with the cohort."""
    streams = {
        name: days.with_known_on(
            connection, lake.history(name, cohort.known_at, connection).filter(f"bucket = {bucket}"), cohort.zones
        )
        for name in PANEL_STREAMS
    }
    return days.build_days(connection, streams)


def care_status(lake: Lake, cohort: Cohort, sites: Sites) -> pd.DataFrame:
    """Each subject's care status in force at the cutoff: `subject_id, status, event_on`; `active` is implied by none."""
    rows = dated(lake.read("care_status", known_at=cohort.known_at).df(), "since", cohort.zones, sites)
    rows = rows[calendar.is_known_on(rows["known_on"], cohort.as_of) & (rows["event_on"] < cohort.as_of)]
    return rows.sort_values(["subject_id", "since"]).drop_duplicates("subject_id", keep="last").reset_index(drop=True)


def follow_up(lake: Lake, cohort: Cohort, outcome: Outcome, panel: pd.DataFrame, sites: Sites) -> pd.DataFrame:
    """The last civil day on which an event of the outcome would have come to be known: `subject_id, followed_until`.

    A registry sees everyone until consent or life ends, or until yesterday. A self-report sees a subject only until
    the last day with any data of theirs. Never depends on whether an event happened.
    """
    yesterday = cohort.as_of - calendar.DAY
    until = cohort.subjects.set_index("subject_id")["consent_until"].fillna(yesterday).clip(upper=yesterday)
    ended = care_status(lake, cohort, sites)
    ended = ended[ended["status"].isin(FOLLOW_UP_ENDS)].set_index("subject_id")["event_on"]
    until = until.combine(ended.reindex(until.index), lambda a, b: a if pd.isna(b) else min(a, b))
    if outcome.needs_reports:
        last = panel.groupby("subject_id")["local_date"].max().reindex(until.index)
        until = until.where(until <= last, last)
    return until.dropna().astype("datetime64[us]").rename("followed_until").rename_axis("subject_id").reset_index()


def reporting_days(panel: pd.DataFrame, outcome: Outcome) -> pd.DataFrame:
    """Days on which a subject would have reported the outcome, `subject_id, local_date`: those with its assessment,
    or with any mood answer where events are self-reported."""
    column = f"mood_{outcome.assessment}" if outcome.assessment else "adherence_answers"
    rows = panel[panel[column].notna()] if column in panel else panel.iloc[:0]
    return rows[["subject_id", "local_date"]].drop_duplicates()


def index_rows(cohort: Cohort, until: pd.DataFrame) -> pd.DataFrame:
    """Every index date of every subject: from the day after enrolment to the end of follow-up, sorted."""
    spans = cohort.subjects[["subject_id", "enrolled_on"]].merge(until, on="subject_id")
    spans = spans[spans["enrolled_on"] < spans["followed_until"]]
    rows = spans.assign(
        index_date=[
            pd.date_range(first + calendar.DAY, last, freq="D", unit="us")
            for first, last in zip(spans["enrolled_on"], spans["followed_until"], strict=True)
        ]
    )[["subject_id", "index_date"]].explode("index_date")
    rows["index_date"] = rows["index_date"].astype("datetime64[us]")
    return rows.sort_values(["subject_id", "index_date"]).reset_index(drop=True)


def first_night_knowing_all(lake: Lake, sites: Sites) -> pd.Timestamp:
    """The first as-of date whose cutoffs, at every site, come after everything received so far.

    Raises:
        Refused: the lake is empty.
    """
    received = [instant for table in lake.tables() if (instant := lake.last_received_at(table)) is not None]
    if not received:
        raise Refused("The lake is empty. Declare `sources:` in foretide.yaml, or run `foretide ingest`.")
    newest = pd.Series([max(received).as_unit("us")])
    return max(calendar.index_date_knowing(newest, zone, sites.cutoff).iloc[0] for zone in sites.zones)


def last_observations(lake: Lake, cohort: Cohort) -> pd.Series:
    """Newest observation of each subject known for the night, as an instant, indexed by subject."""
    connection = lake.connection()
    newest = []
    for table, column in (("mood", "answered_at"), ("sleep", "offset_at"), ("wearable", "minute_at")):
        rows = lake.history(table, cohort.known_at, connection)
        newest.append(rows.aggregate(f"subject_id, max({column}) AS at", "subject_id").df())
    stacked = pd.concat(newest).groupby("subject_id")["at"].max()
    return stacked.astype("datetime64[us, UTC]")
