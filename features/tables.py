"""The canonical tables: columns, types, units, plausible ranges and keys.

This is the one place where a column is written down. The lake's schemas, the validation suites, the quarantine
rules and the mapping files are all derived from it. Computation does not belong here.

Instants are UTC (`timestamp[us, UTC]`) with `utc_offset_min` beside them; civil days are `date32`.
"""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Kind = Literal["string", "integer", "real", "instant", "day", "flag"]

ARROW_TYPES: dict[Kind, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int32(),
    "real": pa.float64(),
    "instant": pa.timestamp("us", tz="UTC"),
    "day": pa.date32(),
    "flag": pa.bool_(),
}


@dataclass(frozen=True)
class Column:
    """One column: its type, unit and the closed range outside of which a value is implausible."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] = ()
    is_required: bool = False


@dataclass(frozen=True)
class Table:
    """One raw table: what a row is, which columns identify it, and which column says when it happened.

    `time` is the event-time column: an instant, or a civil day for tables of daily facts, or None where rows
    have no event time of their own (`subjects`).
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    time: str | None
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The declared column of this name, provenance included; KeyError if there is none."""
        return {c.name: c for c in (*self.columns, *PROVENANCE)}[name]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the table's own columns, without provenance."""
        return tuple(c.name for c in self.columns)

    def arrow_schema(self) -> pa.Schema:
        """The stored schema: own columns, then provenance, in declared order."""
        return pa.schema(
            [pa.field(c.name, ARROW_TYPES[c.kind], nullable=not c.is_required) for c in (*self.columns, *PROVENANCE)]
        )


SUBJECT = Column("subject_id", "string", "pseudonymous person", is_required=True)

PROVENANCE = (
    Column("utc_offset_min", "integer", "local time minus UTC at the event", "min", -720, 840),
    Column("source", "string", "which feed the row came from", is_required=True),
    Column("device_id", "string", "pseudonymous device; empty where there is none", is_required=True),
    Column("device_model", "string", "make and model as the source names it"),
    Column("algorithm_version", "string", "version of the vendor's algorithm, where given"),
    Column("received_at", "instant", "when Foretide came to know the row", is_required=True),
    Column("version", "integer", "0 for the first, then one more for each correction", "", 0, None, is_required=True),
    Column("is_deleted", "flag", "the sender took the row back", is_required=True),
    Column("ingest_id", "string", "hash of the file content that brought the row", is_required=True),
)

CARE_STATUSES = ("active", "inpatient", "discharged", "deceased", "paused")
VERDICTS = ("useful", "not_useful", "already_known", "acted")

# How further audit attributes may be called.
ATTRIBUTE_NAME = r"^[a-z][a-z0-9_]*$"

SUBJECTS = Table(
    "subjects",
    "one row per subject: enrolment, consent and the attributes that audits compare",
    ("subject_id", "source", "device_id"),
    None,
    (
        SUBJECT,
        Column("site", "string", "care site; its time zone sets the cutoff"),
        Column("sex", "string", "as recorded by the source"),
        Column("age_band", "string", "age in bands, never a birth date"),
        Column("ethnicity", "string", "as recorded by the source"),
        Column("language", "string", "preferred language"),
        Column("deprivation_quintile", "string", "1 (least deprived) to 5"),
        Column("enrolled_on", "day", "first civil day of follow-up", is_required=True),
        Column("consent_until", "day", "last civil day of consent; empty while it lasts"),
        Column("attributes", "string", "further declared audit attributes, as a JSON object of texts"),
    ),
)

MOOD = Table(
    "mood",
    "one answer to one mood item",
    ("subject_id", "answered_at", "item", "source", "device_id"),
    "answered_at",
    (
        SUBJECT,
        Column("answered_at", "instant", "when the answer was given", is_required=True),
        Column("item", "string", "what was asked, e.g. mood, anxiety", is_required=True),
        Column("value", "real", "the answer; more is more of what was asked", "scale points", is_required=True),
        Column("scale_min", "real", "lowest answer possible", "scale points", is_required=True),
        Column("scale_max", "real", "highest answer possible", "scale points", is_required=True),
        Column("prompted_at", "instant", "when the question was asked, where known"),
    ),
)

SLEEP = Table(
    "sleep",
    "one sleep episode, night or nap",
    ("subject_id", "record_id", "source", "device_id"),
    "offset_at",
    (
        SUBJECT,
        Column("record_id", "string", "the source's id of the episode, else a hash", is_required=True),
        Column("onset_at", "instant", "start of the episode", is_required=True),
        Column("offset_at", "instant", "final awakening", is_required=True),
        Column("minutes_asleep", "real", "total sleep time", "min", 0, 1200),
        Column("minutes_awake", "real", "wake after sleep onset", "min", 0, 1200),
        Column("minutes_light", "real", "light sleep", "min", 0, 1200),
        Column("minutes_deep", "real", "deep sleep", "min", 0, 1200),
        Column("minutes_rem", "real", "REM sleep", "min", 0, 1200),
        Column("is_main", "flag", "the main sleep of its night, not a nap"),
    ),
)

WEARABLE = Table(
    "wearable",
    "one minute of one device",
    ("subject_id", "minute_at", "source", "device_id"),
    "minute_at",
    (
        SUBJECT,
        Column("minute_at", "instant", "start of the minute", is_required=True),
        Column("steps", "integer", "steps in the minute", "steps/min", 0, 300),
        Column("heart_rate", "integer", "mean heart rate", "bpm", 25, 240),
        Column("hrv_rmssd", "integer", "root mean square of successive RR differences", "ms", 1, 500),
        Column("worn", "flag", "the device was on the body; where not, the rest of the minute is unknown"),
    ),
)

WEARABLE_DAYS = Table(
    "wearable_days",
    "one daily summary value, for sources that give no minutes",
    ("subject_id", "local_date", "metric", "source", "device_id"),
    "local_date",
    (
        SUBJECT,
        Column("local_date", "day", "the civil day summarised", is_required=True),
        Column("metric", "string", "what was summarised; see DAILY_METRICS", is_required=True),
        Column("value", "real", "the day's value in the metric's unit", is_required=True),
        Column("unit", "string", "unit of the value; must be the metric's", is_required=True),
    ),
)

ASSESSMENTS = Table(
    "assessments",
    "one completed questionnaire",
    ("subject_id", "completed_at", "instrument", "source", "device_id"),
    "completed_at",
    (
        SUBJECT,
        Column("completed_at", "instant", "when it was completed", is_required=True),
        Column("instrument", "string", "phq_9, gad_7, ...; see INSTRUMENTS", is_required=True),
        Column("score", "real", "total score", "points", 0, 400, is_required=True),
    ),
)

SIGNALS = Table(
    "signals",
    "one value of any other declared numeric stream",
    ("subject_id", "observed_at", "name", "source", "device_id"),
    "observed_at",
    (
        SUBJECT,
        Column("observed_at", "instant", "when it was observed", is_required=True),
        Column("name", "string", "name of the signal, declared in configuration", is_required=True),
        Column("value", "real", "the observation", is_required=True),
        Column("unit", "string", "its unit", is_required=True),
    ),
)

EVENTS = Table(
    "events",
    "one event that may belong to an outcome",
    ("subject_id", "record_id", "source", "device_id"),
    "occurred_at",
    (
        SUBJECT,
        Column("record_id", "string", "the source's id of the event, else a hash", is_required=True),
        Column("occurred_at", "instant", "when it began", is_required=True),
        Column("kind", "string", "crisis_contact, emergency, panic, ...", is_required=True),
        Column("severity", "real", "as graded by the source", "", 0, 100),
    ),
)

CARE_STATUS = Table(
    "care_status",
    "a change in who may be scored at all",
    ("subject_id", "since", "source", "device_id"),
    "since",
    (
        SUBJECT,
        Column("since", "instant", "when the status began", is_required=True),
        Column("status", "string", "the status from then on", allowed=CARE_STATUSES, is_required=True),
    ),
)

INTERVENTIONS = Table(
    "interventions",
    "something that was done for a subject, after an alert or otherwise",
    ("subject_id", "done_at", "kind", "source", "device_id"),
    "done_at",
    (
        SUBJECT,
        Column("done_at", "instant", "when it was done", is_required=True),
        Column("kind", "string", "what was done", is_required=True),
    ),
)

FEEDBACK = Table(
    "feedback",
    "a clinician's verdict on a score; never a feature",
    ("subject_id", "record_id", "source", "device_id"),
    "given_at",
    (
        SUBJECT,
        Column("record_id", "string", "the source's id of the verdict, else a hash", is_required=True),
        Column("given_at", "instant", "when the verdict was given", is_required=True),
        Column("verdict", "string", "what was said of the score", allowed=VERDICTS, is_required=True),
        Column("score_id", "string", "the delivered row that it is about, where it names one"),
        Column("outcome", "string", "the outcome that it is about, where it names no row"),
        Column("as_of_date", "day", "the night that it is about, where it names no row"),
    ),
)

TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        SUBJECTS, MOOD, SLEEP, WEARABLE, WEARABLE_DAYS, ASSESSMENTS, SIGNALS, EVENTS, CARE_STATUS, INTERVENTIONS,
        FEEDBACK,
    )
}  # fmt: skip

# Daily summaries a source may give instead of minutes: metric -> (unit, lowest, highest plausible value).
DAILY_METRICS: dict[str, tuple[str, float, float]] = {
    "steps": ("steps", 0, 100_000),
    "resting_heart_rate": ("bpm", 25, 150),
    "heart_rate_mean": ("bpm", 25, 220),
    "heart_rate_max": ("bpm", 25, 240),
    "heart_rate_variance": ("bpm2", 0, 10_000),
    "hrv_rmssd": ("ms", 1, 500),
    "worn_minutes": ("min", 0, 1440),
    "sedentary_minutes": ("min", 0, 1440),
    "active_minutes": ("min", 0, 1440),
    "minutes_asleep": ("min", 0, 1200),
    "minutes_awake": ("min", 0, 1200),
    "sleep_efficiency": ("percent", 0, 100),
    "sleep_score": ("points", 0, 100),
    "exercise_minutes": ("min", 0, 1440),
    # A day on which clocks go back has 1500 minutes.
    "heart_zone_below_minutes": ("min", 0, 1500),
    "heart_zone_fat_burn_minutes": ("min", 0, 1500),
    "heart_zone_cardio_minutes": ("min", 0, 1500),
    "heart_zone_peak_minutes": ("min", 0, 1500),
}

# A longer sleep episode is implausible, whatever the source says; in one are no more minutes than that, rounded apart.
SLEEP_EPISODE_LONGEST_H, SLEEP_ROUNDING_MIN = 16.0, 2.0
# Events further ahead of their receipt than this come from a wrong clock.
CLOCK_SKEW_MIN = 15
# No device we read existed before; a clock that was reset says 1970.
EARLIEST_EVENT = "2000-01-01"

# Plausibility beyond the single row: docs/plausibility.md says how each is used.
# An hour says that its sensor is stuck only with so many equal minutes: fewer are a coincidence at rest.
STUCK_FEWEST_MINUTES = 20
# Parts of a night: people lie awake, or a band slips, for less than this; beyond it a second sleep is a nap.
SPLIT_NIGHT_GAP_MIN = 90
# An episode that others cover by this share is the same sleep told again; below it only its uncovered part counts.
SAME_SLEEP_SHARE = 0.5
# So many rows of one day that happened so long after they were received: the device's clock is ahead.
AHEAD_FEWEST_ROWS, CLOCK_AHEAD_MIN = 2, 1
