"""What names of columns and files tell, in the words that exports use; names are compared as words joined by `_`."""

import re

# Columns by which an export is known that docs/examples/ has a mapping for.
READY = {
    "redcap_repeat_instrument": "redcap.yaml", "redcap_event_name": "redcap.yaml", "key.projectId": "radar-base.yaml",
    "SCHEDULED_TS": "sema3.yaml",
}  # fmt: skip
# Who a row is about, the likeliest first.
SUBJECT = tuple(
    re.compile(pattern) for pattern in (
        r"(?:^|_)subject_id$", r"(?:^|_)(?:participant|patient)_(?:id|code)$", r"(?:^|_)(?:user|person|respondent)_id$",
        r"(?:^|_)(?:customer|client|case|connection|record)_id$", r"^(?:id|ids|pid|sid|ppid|uid|study_id)$",
        r"^(?:subject|participant|patient|user|proband|code)$",
    )
)  # fmt: skip
RECEIVED = re.compile(r"receiv|upload|sync|modified|updated|saved")
# When something happened, the likeliest first.
EVENT_TIME = tuple(
    re.compile(pattern) for pattern in (
        r"complet|answer|respon|submit", r"observ|occur|measur|minute", r"start|begin|onset", r"date_?time|time_?stamp",
        r"(?:^|_)(?:time|ts|at)$", r"date|day", r"end|stop",
    )
)  # fmt: skip
PROMPTED = re.compile(r"prompt|schedul|notif|(?:^|_)sent(?:_|$)")
ONSET = re.compile(
    r"bed_?time|onset|(?:sleep|bed)_?(?:start|begin)|start_?time|^(?:start|begin)$|start_date|went_to_bed"
)
OFFSET = re.compile(r"wake|waking|offset|get_?up|(?:sleep|bed)_?(?:end|stop)|end_?time|^(?:end|stop)$|end_date")
# The time of day, where the day has a column of its own: as a clock shows it, or in minutes since midnight.
CLOCK = re.compile(r"time|clock|start|begin|hour")
MINUTE_OF_DAY = re.compile(r"^minutes?(?:_of_(?:the_)?day)?$")
DEVICE = re.compile(r"^device(?:_(?:id|name|type|model))?$|(?:^|_)source_id$")
SLEEP = re.compile(r"sleep|bed|asleep|nap")
SLEEP_PARTS = {
    "minutes_asleep": re.compile(r"(?<!fall_)asleep|(?:^|_)tst$|sleep_time$"), "minutes_awake": re.compile(r"awake|waso"),
    "minutes_light": re.compile(r"(?:^|_)light"), "minutes_deep": re.compile(r"(?:^|_)deep"),
    "minutes_rem": re.compile(r"(?:^|_)rem(?:_|$)"),
}  # fmt: skip
IS_MAIN = re.compile(r"is_main|main_sleep")
MINUTES = {
    "steps": re.compile(r"(?:^|_)steps?(?:_count)?$"),
    "heart_rate": re.compile(r"(?:^|_)(?:hr|heart_rate|bpm|pulse)(?:_(?:mean|avg))?$"), "hrv_rmssd": re.compile(r"rmssd"),
}  # fmt: skip
DAYS = {
    "steps": re.compile(r"^(?:(?:total|daily|day|n|sum|value)_)*(?:steps?)(?:_(?:count|total|sum))?$"),
    "resting_heart_rate": re.compile(r"rest(?:ing)?_?(?:hr|heart_rate|pulse|bpm)|^rhr"),
    "heart_rate_max": re.compile(r"(?:hr|heart_rate|bpm)_max|max(?:imum)?_(?:hr|heart_rate|bpm)"),
    "heart_rate_mean": re.compile(r"^(?:(?:mean|avg|average|daily)_)*(?:hr|heart_rate|bpm|pulse)(?:_(?:mean|avg|average))?$"),
    "hrv_rmssd": re.compile(r"rmssd"),
    "minutes_asleep": re.compile(r"(?<!fall_)asleep|(?:^|_)tst$|(?:min|minutes|hours)_(?:of_)?sleep$|^sleep_(?:min|minutes|hours)$"),
    "minutes_awake": re.compile(r"(?:min|minutes)_awake|awake_(?:min|minutes)|waso"),
    "sleep_efficiency": re.compile(r"^(?:sleep_)?efficiency"), "sleep_score": re.compile(r"^sleep_score"),
    "sedentary_minutes": re.compile(r"^sedentary_(?:min|minutes|hours|time)"),
    "active_minutes": re.compile(r"^(?:very_)?active_(?:min|minutes|hours|time)|mvpa"),
    "exercise_minutes": re.compile(r"^exercise_(?:min|minutes|hours|time)"),
    "worn_minutes": re.compile(r"^(?:wear|worn)_(?:min|minutes|hours|time)"),
}  # fmt: skip
ITEM = re.compile(
    r"mood|happ|(?:^|_)sad|anxi|tense|alert|tired|relax|rested|energ|stress|irrit|angry|calm|content|worr|depress|hopeless|"
    r"lonel|nervous|bored|excit|cheer|neutral|fatigue|valence|arousal|well_?being|affect"
)  # fmt: skip
NO_ITEM = re.compile(
    r"score|percent|minutes|distance|goal|ratio|total|(?:^|_)(?:rt|id|time|date|complete|category|label)$"
)
INSTRUMENT = re.compile(
    r"(?:^|_)(phq|gad|stai|panas|ces_?d|bdi|bai|madrs|ham_?[ad]|hdrs|qids|ymrs|asrm|isi|psqi|wsas|k)_?(\d+)?(?=_|$)"
)
TOTAL = re.compile(r"total|score|sum(?:_|$)")
EVENT = re.compile(r"event|crisis|crises|panic|emergenc|incident|attack|relapse")
EVENT_KIND = re.compile(r"(?:^|_)(?:kind|type|event|category|reason)$")
SEVERITY = re.compile(r"severity|intensity|grade")
CARE = re.compile(r"care_?status|(?:^|_)status(?:es)?(?:_|$)|admission|discharge")
STATUS = re.compile(r"(?:^|_)status$")
ATTRIBUTES = {
    "sex": re.compile(r"^(?:sex|gender|geschlecht|sexo|sexe)$"),
    "age_band": re.compile(r"^(?:age|age_(?:band|group|class|range))$"),
    "ethnicity": re.compile(r"^(?:ethnicity|ethnic_group|race)$"), "language": re.compile(r"^(?:preferred_)?language$"),
    "site": re.compile(r"^(?:site|cent(?:re|er)|clinic|ward|data_access_group|redcap_data_access_group)$"),
    "deprivation_quintile": re.compile(r"deprivation|^imd"),
}  # fmt: skip
FURTHER_ATTRIBUTES = re.compile(
    r"^(?:education|married|marital_status|employ(?:ed|ment)|income(?:_code)?|smok(?:er|ing))$"
)
ENROLLED = re.compile(r"enrol|inclusion|baseline|study_start|^start(?:_date)?$|consent_date|joined")
# Long files: which column names what another one holds.
LONG_NAMES = {
    "wearable_days": re.compile(r"^(?:metric|measure|measurement)$"), "mood": re.compile(r"^(?:item|question|question_id)$"),
    "assessments": re.compile(r"^(?:instrument|scale|questionnaire)$"),
    "signals": re.compile(r"^(?:name|variable|signal|parameter|feature)$"),
}  # fmt: skip
LONG_VALUE = re.compile(r"^(?:value|answer|response|score|result)$")
LONG_UNIT = re.compile(r"^units?$")
UNITS = {
    "ms": re.compile(r"(?:^|_)(?:ms|msec|millis|milliseconds?)(?:_|$)"),
    "min": re.compile(r"(?:^|_)(?:min|mins|minutes?)(?:_|$)"), "h": re.compile(r"(?:^|_)(?:h|hr|hrs|hours?)(?:_|$)"),
    "s": re.compile(r"(?:^|_)(?:s|sec|secs|seconds?)(?:_|$)"), "bpm": re.compile(r"(?:^|_)bpm(?:_|$)"),
    "percent": re.compile(r"(?:^|_)(?:percent|percentage|pct|perc)(?:_|$)|%"),
}  # fmt: skip


def unit_in(words: str, written: str) -> str | None:
    """The unit that a name says, if any: `asleep_ms`, `minutesAwake`, `efficiency (%)`."""
    found = [unit for unit, pattern in UNITS.items() if pattern.search(words) or pattern.search(written)]
    return found[0] if len(found) == 1 else None


def instrument_in(written: str) -> str | None:
    """The questionnaire that a name tells, with its number of items: `phq9_total` is phq_9."""
    words = re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", written)).casefold()
    found = INSTRUMENT.search(words)
    if found is None:
        return None
    return found[1] + (f"_{found[2]}" if found[2] else "")
