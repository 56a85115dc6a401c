"""What names of columns and files tell, in the words that exports use; names are compared as words joined by `_`.

Accents are gone before (`animo`, `mude`); English and German, and the commonest Spanish, French and Korean words.
"""

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
        r"^(?:proband(?:en|in)?|teilnehmer(?:in)?|versuchsperson(?:en)?|vpn?|personen?|studien)_?(?:id|nr|num|nummer|code|kennung)$",
        r"^(?:id|code|codigo)_(?:del?_|du_)?(?:participante?|sujeto?|sujet|paciente?)$",
        r"^(?:참가자|참여자|대상자|피험자|연구)_?(?:번호|id|코드|아이디)?$",
        r"^(?:kennung|pseudonym|probandin|teilnehmer(?:in)?|versuchsperson|vp|person|sujeto?|participante|identifiant|codigo|아이디)$",
    )
)  # fmt: skip
RECEIVED = re.compile(r"receiv|upload|sync|modified|updated|saved")
# When something happened, the likeliest first.
EVENT_TIME = tuple(
    re.compile(pattern) for pattern in (
        r"complet|answer|respon|submit|ausgefu|beantwort", r"observ|occur|measur|minute", r"start|begin|onset",
        r"date_?time|time_?stamp|zeitpunkt|zeitstempel|일시", r"(?:^|_)(?:time|ts|at)$",
        r"date|day|datum|(?:^|_)tag$|fecha|(?:^|_)dia$|(?:^|_)jour$|날짜|일자", r"end|stop",
    )
)  # fmt: skip
PROMPTED = re.compile(r"prompt|schedul|notif|(?:^|_)sent(?:_|$)")
ONSET = re.compile(
    r"bed_?time|onset|(?:sleep|bed)_?(?:start|begin)|start_?time|^(?:start|begin)$|start_date|went_to_bed|"
    r"zubett|ins_bett|bett(?:geh)?_?zeit|einschlaf|eingeschlafen|schlaf_?(?:beginn|start)|acostar|acosto|dormirse|"
    r"inicio_(?:del?_)?sueno|coucher|endorm|debut_(?:du_)?sommeil|취침|잠든"
)
OFFSET = re.compile(
    r"wake|waking|offset|get_?up|(?:sleep|bed)_?(?:end|stop)|end_?time|^(?:end|stop)$|end_date|"
    r"aufgestanden|aufsteh|aufgewacht|aufwach|schlaf_?ende|despert|levant|fin_(?:del?_)?sueno|reveil|(?:^|_)lever(?:_|$)|"
    r"fin_(?:du_)?sommeil|기상"
)
# The time of day, where the day has a column of its own: as a clock shows it, or in minutes since midnight.
CLOCK = re.compile(r"time|clock|start|begin|hour|uhrzeit|^zeit$|^hora$|^heure$|시각|^시간$")
MINUTE_OF_DAY = re.compile(r"^minutes?(?:_of_(?:the_)?day)?$")
DEVICE = re.compile(r"^device(?:_(?:id|name|type|model))?$|(?:^|_)source_id$")
SLEEP = re.compile(r"sleep|bed|asleep|nap|schlaf|bett|sueno|dormi|sommeil|coucher|수면|취침")
LASTED = (
    r"(?:^|_|gesamt)schlaf(?:dauer|zeit)?(?:_(?:h|std|stunden|min|minuten))?$|"
    r"(?:^|_)(?:horas|minutos|duracion)_(?:del?_)?sueno$|^sueno_(?:h|horas|min|minutos)$|"
    r"(?:^|_)(?:heures|minutes|duree)_(?:de_|du_)?sommeil$|^sommeil_(?:h|heures|min|minutes)$|^(?:총_?)?수면_?시간(?:_|$)"
)
AWAKE = r"waso|wachzeit|wachliege|wach_(?:min|minuten)$"
SLEEP_PARTS = {
    "minutes_asleep": re.compile(rf"(?<!fall_)asleep|(?:^|_)tst$|sleep_time$|{LASTED}"),
    "minutes_awake": re.compile(rf"awake|{AWAKE}"),
    "minutes_light": re.compile(r"(?:^|_)light|leichtschlaf"), "minutes_deep": re.compile(r"(?:^|_)deep|tiefschlaf"),
    "minutes_rem": re.compile(r"(?:^|_)rem(?:_|$)|rem_?schlaf"),
}  # fmt: skip
IS_MAIN = re.compile(r"is_main|main_sleep")
MINUTES = {
    "steps": re.compile(r"(?:^|_)steps?(?:_count)?$|^schritte$|^pasos$|^pas$|^걸음_?수$"),
    "heart_rate": re.compile(r"(?:^|_)(?:hr|heart_rate|bpm|pulse?|herzfrequenz|심박_?수)(?:_(?:mean|avg))?$"),
    "hrv_rmssd": re.compile(r"rmssd"),
}  # fmt: skip
DAYS = {
    "steps": re.compile(
        r"^(?:(?:total|daily|day|n|sum|value)_)*(?:steps?|pasos|pas)(?:_(?:count|total|sum))?$|^schritt(?:e|zahl)$|^걸음_?수$"
    ),
    "resting_heart_rate": re.compile(
        r"rest(?:ing)?_?(?:hr|heart_rate|pulse|bpm)|^rhr|"
        r"ruhe_?(?:puls|herz)|pulso_(?:en_)?reposo|pouls_(?:de_|au_)?repos|안정_?심박"
    ),
    "heart_rate_max": re.compile(r"(?:hr|heart_rate|bpm)_max|max(?:imum)?_(?:hr|heart_rate|bpm)"),
    "heart_rate_mean": re.compile(
        r"^(?:(?:mean|avg|average|daily)_)*(?:hr|heart_rate|bpm|pulse?)(?:_(?:mean|avg|average))?$|^herzfrequenz$"
    ),
    "hrv_rmssd": re.compile(r"rmssd"),
    "minutes_asleep": re.compile(
        rf"(?<!fall_)asleep|(?:^|_)tst$|(?:min|minutes|hours)_(?:of_)?sleep$|^sleep_(?:h|min|minutes|hours)$|{LASTED}"
    ),
    "minutes_awake": re.compile(rf"(?:min|minutes)_awake|awake_(?:min|minutes)|{AWAKE}"),
    "sleep_efficiency": re.compile(r"^(?:sleep_)?efficiency|schlafeffizienz"), "sleep_score": re.compile(r"^sleep_score"),
    "sedentary_minutes": re.compile(r"^sedentary_(?:min|minutes|hours|time)"),
    "active_minutes": re.compile(r"^(?:very_)?active_(?:min|minutes|hours|time)|mvpa"),
    "exercise_minutes": re.compile(r"^exercise_(?:min|minutes|hours|time)"),
    "worn_minutes": re.compile(r"^(?:wear|worn)_(?:min|minutes|hours|time)"),
}  # fmt: skip
ITEM = re.compile(
    r"mood|happ|(?:^|_)sad|anxi|tense|alert|tired|relax|rested|energ|stress|irrit|angry|calm|content|worr|depress|hopeless|"
    r"lonel|nervous|bored|excit|cheer|neutral|fatig|valence|arousal|well_?being|affect|"
    r"stimmung|laune|freud|glue?ck|traurig|a(?:e)?ngst|anspann|nervos|mue?de|mue?digkeit|antrieb|reizbar|(?:^|_)wut|arger|gelassen|"
    r"ruhig|zufrieden|(?:^|_)sorgen?(?:_|$)|einsam|erschopf|niedergeschlagen|befinden|animo|feli[zc]|trist|ansie|cansan|"
    r"estres|enojo|preocup|soledad|humeur|joie|heureu|angoiss|colere|inquiet|solitude|기분|우울|불안|행복|슬픔|피로|에너지|분노|짜증"
)  # fmt: skip
NO_ITEM = re.compile(
    r"score|percent|minutes|distance|goal|ratio|total|(?:^|_)(?:rt|id|time|date|complete|category|label|datum|zeit)$"
)
INSTRUMENT = re.compile(
    r"(?:^|_)(phq|gad|stai|panas|ces_?d|bdi|bai|madrs|ham_?[ad]|hdrs|qids|ymrs|asrm|isi|psqi|wsas|k)_?(\d+)?(?=_|$)"
)
# In a diary the answers to questions without a name are items as well.
DIARY = re.compile(r"diar(?:y|ies)|mood|(?:^|_)ema(?:_|$)|check_?in|tagebuch|stimmung|befinden|diario|journal|일기")
QUESTION = r"^(?:q|question|item|frage|pregunta|문항)$"
TOTAL = re.compile(r"total|score|sum(?:_|$)")
EVENT = re.compile(
    r"event|crisis|crises|panic|emergenc|incident|attack|relapse|(?:^|_)contacts?(?:_|$)|"
    r"ereignis|krise|notfall|vorfall|rue?ckfall|panik|kontakt|urgenc|recaida|rechute|(?:^|_)crise|사건|위기|응급|재발|공황"
)  # fmt: skip
EVENT_KIND = re.compile(r"(?:^|_)(?:kind|type|event|category|reason|art|typ|grund|tipo|motivo|유형|종류)$")
SEVERITY = re.compile(r"severity|intensity|grade|schwere|gravedad|gravite|심각도")
INTERVENTION = re.compile(r"intervention|massnahme|intervencion|중재")
CARE = re.compile(
    r"care_?status|(?:^|_)status(?:es)?(?:_|$)|admission|discharge|(?:^|_)aufnahmen?(?:_|$)|entlassung|hospitali[sz]|입원|퇴원"
)
STATUS = re.compile(r"(?:^|_)(?:status|estado|statut|상태)$")
ATTRIBUTES = {
    "sex": re.compile(r"^(?:sex|gender|geschlecht|sexo|sexe|genre|성별)$"),
    "age_band": re.compile(r"^(?:age|age_(?:band|group|class|range)|altersgruppe|grupo_(?:de_)?edad|tranche_(?:d_)?age|연령대)$"),
    "ethnicity": re.compile(r"^(?:ethnicity|ethnic_group|race)$"),
    "language": re.compile(r"^(?:preferred_)?language$|^sprache$|^idioma$|^langue$|^언어$"),
    "site": re.compile(
        r"^(?:site|cent(?:re|er)|clinic|ward|(?:redcap_)?data_access_group|zentrum|standort|klinik|centro|기관)$"
    ),
    "deprivation_quintile": re.compile(r"deprivation|^imd"),
}  # fmt: skip
FURTHER_ATTRIBUTES = re.compile(
    r"^(?:education|married|marital_status|employ(?:ed|ment)|income(?:_code)?|smok(?:er|ing))$"
)
PEOPLE = re.compile(
    r"participant|(?:^|_)people|(?:^|_)persons?(?:_|$)|(?:^|_)personen(?:_|$)|subjects?(?:_|$)|proband|teilnehm|demograph|"
    r"enrol|roster|stammdaten|sujetos?(?:_|$)|sujets?(?:_|$)|참가자|참여자|대상자"
)
ENROLLED = re.compile(
    r"enrol|inclusion|baseline|study_start|consent_date|joined|einschluss|studienbeginn|einwilligung|등록일|동의일"
)
START = re.compile(r"^(?:start(?:_date)?|beginn|inicio|debut)$")
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
    "min": re.compile(r"(?:^|_)(?:min|mins|minutes?|minuten|minutos?|분)(?:_|$)"),
    "h": re.compile(r"(?:^|_)(?:h|hr|hrs|hours?|std|stunden?|horas?|heures?)(?:_|$)"),
    "s": re.compile(r"(?:^|_)(?:s|sec|secs|seconds?|sekunden)(?:_|$)"), "bpm": re.compile(r"(?:^|_)bpm(?:_|$)"),
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
