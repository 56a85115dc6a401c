"""The gate: what identifies is refused by name and by value, and what a clinical export holds passes."""

import json
import time

import numpy as np
import pyarrow as pa
import pytest

from features.tables import TABLES
from pipelines.deidentification.column_names import is_age, is_over_89, normal_name, of_name
from pipelines.deidentification.gate import refuse_identifiers, refuse_identifying_rows
from pipelines.deidentification.identifiers import IDENTIFIERS
from pipelines.errors import Refused

# What columns of each class are called, as real exports write them.
NAMES = {
    "A": ["name", "PatientName", "first_name", "Surname", "username", "Vorname", "apellidos", "prenom", "환자이름", "Initials"],
    "B": ["Address", "address_2", "ZIP", "postalCode", "City", "PLZ", "Wohnort", "code_postal", "주소", "gps_lat", "Longitude"],
    "C": ["DOB", "birthDate", "date_of_birth", "Geburtsdatum", "fecha_nacimiento", "date_naissance", "생년월일", "birth_year"],
    "D": ["phone", "Home Phone", "telephone_number", "Handynummer", "teléfono", "전화번호", "mobile"],
    "E": ["fax", "FaxNumber", "Telefax", "팩스번호"],
    "F": ["email", "E-Mail", "email_address", "correo electrónico", "courriel", "이메일"],
    "G": ["SSN", "national_id", "social_security_number", "DNI", "Steuer-ID", "주민등록번호"],
    "H": ["MRN", "medical_record_number", "Patientennummer", "historia_clinica", "환자번호"],
    "I": ["health_plan_id", "insurance_number", "Versichertennummer", "medicare_id", "건강보험번호"],
    "J": ["account", "IBAN", "credit_card_number", "Kontonummer", "계좌번호"],
    "K": ["drivers_license", "licence_number", "passport_no", "Führerschein", "여권번호"],
    "L": ["license_plate", "VIN", "Kennzeichen", "matrícula", "차량번호"],
    "M": ["device_serial", "Serial Number", "IMEI", "mac_address", "Seriennummer", "일련번호"],
    "N": ["url", "profileUrl", "website", "홈페이지"],
    "O": ["ip", "ip_address", "clientIp", "IPv4"],
    "P": ["fingerprint", "biometric_id", "voiceprint", "Fingerabdruck", "지문"],
    "Q": ["photo", "face_image", "selfie", "Foto", "사진"],
    "R": ["free_text", "comments", "Bemerkungen", "특이사항", "login"],
}  # fmt: skip
# Values that tell a class in a column whose name tells nothing; every set is of one kind.
VALUES = {
    "A": [["Dr. Anna Sommer"], ["Anna's iPhone"], ["Anna Sommer", "Bo Winter", "Cem Herbst", "Dora Lenz", "Eva Mai"]],
    "B": [["12 Elm Street", "7 Oak Road"], ["Lindenstraße 12", "Hauptstr. 4"], ["12 rue des Lilas"], ["Calle Mayor 3"],
          ["테헤란로 152"], ["52.52001, 13.40495"], ["SW1A 1AA", "M1 1AE"], ["geo:48.2010,16.3695"]],
    "C": [["1950-03-02", "1984-11-30", "1991-01-17"], ["02.03.1950", "30.11.1984", "17.01.1991"]],
    "D": [["+49 30 901820"], ["(212) 555-0142"], ["212-555-0142", "646.555.0199"], ["010-1234-5678"], ["01 23 45 67 89"]],
    "E": [["Fax: 030 901821"]],
    "F": [["anna.sommer@example.org"]],
    "G": [["536-22-8726"], ["820701-2409184", "820701-2409185"], ["12345678Z", "87654321X"], ["390.533.447-05"],
          ["943 476 5919", "4010232137", "9434765870", "4505577104"]],
    "H": [["MRN: 00482913"]],
    "I": [["1EG4-TE5-MK73", "1EG4-TE5-MK72"], ["A123456780", "B234567895", "C345678908", "D456789013"]],
    "J": [["DE89 3704 0044 0532 0130 00"], ["4111 1111 1111 1111", "5500005555555559"]],
    "K": [["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<"], ["MORGA657054SM9IJ"]],
    "L": [["1HGCM82633A004352", "1M8GDM9AXKP042788"], ["B-MW 1234", "HH-AB 77"], ["12가 3456", "34나 5678"]],
    "M": [["3D:F2:C9:A6:B3:4F"], ["490154203237518", "356938035643809"], ["S/N: C02XK1"]],
    "N": [["https://example.org/people/17"], ["www.example.org"]],
    "O": [["192.168.7.21"], ["2001:db8:85a3::8a2e:370:7334"]],
    "P": [["Rk1SACAyMAAAAAEsAAABPAFiAMUAxQ"], ["checkin.m4a"]],
    "Q": [["IMG_0042.jpg"], ["data:image/png;base64,iVBORw0KGgo"]],
    "R": [["@anna.sommer"], ["she said that she could not sleep at all since then"],
          ["felt rather low", "went for walks", "slept very badly", "argued with him", "called the clinic"]],
}  # fmt: skip
HARMLESS_NAMES = [
    "id", "subject_id", "record_id", "key.userId", "key.sourceId", "Customer Id", "patient_id", "site", "sex", "gender",
    "ethnicity", "language", "state", "mood_state", "redcap_event_name", "redcap_repeat_instrument", "device", "device_id",
    "device_model", "phone_use_min", "email_count", "screen_time", "sleep_onset_lat", "heart_rate", "HOME", "HOME_OFFICE",
    "WORK/SCHOOL", "OUTDOORS", "value.time", "value.timeReceived", "received_at", "age_band", "body_image", "numero_pasos",
    "city_size", "instrument", "item", "metric", "unit", "kind", "severity", "is_main", "deprivation_quintile", "bmi",
    "accountability", "shipment", "step_goal_label", "stageId", "username_known",
]  # fmt: skip
HARMLESS_VALUES = {
    "ten digits": ["1503960366", "1624580081", "1644430081", "1844505072", "1927972279"],
    "hexadecimal ids": ["621e346f67b776a24081744f", "621e342e67b776a2404ce460"],
    "uuids": ["0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"],
    "study ids": ["SYM2-1-137", "SYM2-1-101", "ls-1", "north-000012", "s-0042"],
    "pseudonyms": ["s-0a1b2c3d4e5f60718293", "s-9f8e7d6c5b4a39281706"],
    "instants": ["2026-06-01 23:00", "2026-06-02 07:00:30+02:00", "2026-06-02T07:00:30Z"],
    "days": ["2026-06-01", "2026-06-02", "2025-11-30"],
    "vendor days": ["4/12/2016", "4/13/2016 0:00", "12/31/2015"],
    "times": ["10:05:00", "23:59"],
    "decimals": ["71.70156485820955", "-1.7883249002998594"],
    "epochs": ["1497606300.123", "1497606360.123"],
    "categories": ["Below average", "Average", "Above average", "north", "very good"],
    "answers": ["Several days", "More than half the days", "Nearly every day", "Not at all"],
    "lists": ["['Walk', 'Run', 'Sport']", "['Walk']"],
    "models": ["Lumen 2", "Pacer S", "Fitbit", "MI-BAND"],
    "codes": ["F33.1", "ICD-10:F32", "LOINC 8867-4"],
}


def rows_of(**columns: list) -> pa.Table:
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def judge(table: str, **columns: list) -> None:
    """Judge canonical rows, each of a subject of its own unless told."""
    ids = {"subject_id": [f"s{n}" for n in range(len(next(iter(columns.values()))))]}
    refuse_identifying_rows(TABLES[table], rows_of(**{**ids, **columns}), "f.csv")


def refusal(table: str, **columns: list) -> str:
    """What a refusal of canonical rows says; no value is told."""
    with pytest.raises(Refused) as refused:
        judge(table, **columns)
    return str(refused.value)


def attribute(*values: object) -> str:
    """What a refusal of subjects says whose further attribute `extra` has these values."""
    return refusal("subjects", attributes=[json.dumps({"extra": value}) for value in values])


def test_there_is_one_entry_for_each_of_the_eighteen_classes():
    """The rule's list (A) to (R) is covered whole, here and in what these tests plant."""
    assert [one.letter for one in IDENTIFIERS] == list("ABCDEFGHIJKLMNOPQR")
    assert list(NAMES) == list(VALUES) == list("ABCDEFGHIJKLMNOPQR")


@pytest.mark.parametrize("letter", NAMES)
def test_a_column_is_known_by_its_name_in_five_languages(letter):
    """Whatever the style of writing, the name tells the class."""
    told = {name: getattr(of_name(name), "letter", None) for name in NAMES[letter]}
    assert told == dict.fromkeys(NAMES[letter], letter)


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_names_of_a_clinical_export_pass(name):
    """A word inside a name (`phone_use_min`) does not make it an identifier."""
    assert of_name(name) is None, normal_name(name)


@pytest.mark.parametrize(("letter", "values"), [(letter, values) for letter in VALUES for values in VALUES[letter]])
def test_a_column_is_known_by_its_values(letter, values):
    """A harmless name does not help: values that look like a class are refused, and never told."""
    with pytest.raises(Refused) as refused:
        refuse_identifiers("people.csv", rows_of(id=[f"s{n}" for n in range(len(values))], x=values))
    message = str(refused.value)
    assert f"class {letter}:" in message, message
    assert "`people.csv`" in message
    assert "`x`" in message
    assert not [value for value in values if value in message]


@pytest.mark.parametrize("kind", HARMLESS_VALUES)
def test_values_of_a_clinical_export_pass(kind):
    """Ids of ten digits, instants, hashes, categories and codes are no identifiers, as source and as subject_id."""
    refuse_identifiers("export.csv", rows_of(x=HARMLESS_VALUES[kind] * 10))


def test_numbers_are_looked_at_as_well():
    """An IMEI and a card number stay what they are when a file stores them as integers, or as floats for lack of some."""
    for column in (pa.array([490154203237518, 356938035643809]), pa.array([4111111111111111.0, None])):
        with pytest.raises(Refused, match=r"`x`"):
            refuse_identifiers("devices.parquet", pa.table({"x": column}))
    refuse_identifiers("minutes.parquet", rows_of(x=[1_497_606_300_123, 1_497_606_360_123], y=[1503960366, 1624580081]))


def test_a_dictionary_is_looked_at_like_the_texts_it_stands_for():
    """Encoding does not hide a value, and an entry that no row uses is nobody's."""
    mails = pa.DictionaryArray.from_arrays([0, 0, 1], ["north", "south", "anna@example.org"])
    refuse_identifiers("f.parquet", pa.table({"x": mails}))
    more = pa.DictionaryArray.from_arrays([0], ["bo@example.org"])
    with pytest.raises(Refused, match="class F"):
        refuse_identifiers("f.parquet", pa.table({"x": pa.chunked_array([mails, more])}))


def test_a_dropped_column_is_not_judged():
    """What the operator declared as left out does not stop the file."""
    rows = rows_of(id=["s1"], email=["anna@example.org"])
    refuse_identifiers("people.csv", rows, dropped={"email"})
    with pytest.raises(Refused, match=r"`email`.*by its name"):
        refuse_identifiers("people.csv", rows)


def test_a_file_without_a_header_does_not_get_its_first_row_told():
    """A name that is itself an identifier is called by its place."""
    with pytest.raises(Refused, match="column 2") as refused:
        refuse_identifiers("f.csv", rows_of(**{"17": ["18"], "anna@example.org": ["bo@example.org"]}))
    assert "anna" not in str(refused.value)


def test_all_columns_are_named_at_once():
    """One refusal is enough to mend a file."""
    with pytest.raises(Refused, match=r"3 columns .*`surname`.*`zip`.*`x`"):
        refuse_identifiers("f.csv", rows_of(surname=["a"], zip=["1"], x=["anna@example.org"]))


@pytest.mark.parametrize("value", ["93", "90-94", "97.5", "85-95", "aged 101"])
def test_an_age_over_89_is_refused(value):
    """Numbers and bands above 89 stop the file; so does the canonical age band."""
    assert is_over_89(value)
    with pytest.raises(Refused, match="class C"):
        refuse_identifiers("f.csv", rows_of(age=["34", value]))
    with pytest.raises(Refused, match=r"`age_band`"):
        judge("subjects", age_band=["30-34", value])


@pytest.mark.parametrize("value", ["90+", ">89", ">=90", "90 and over", "85+", "30-34", "<30", "89", "999", ""])
def test_the_open_band_and_codes_for_missing_pass(value):
    """`90+` is how the rule wants ages over 89 to be told."""
    refuse_identifiers("f.csv", rows_of(age=["34", value]))
    judge("subjects", age_band=["30-34", value])


def test_ages_are_known_by_name():
    """Only a column of ages is judged as ages."""
    assert [is_age(name) for name in ("age", "AgeYears", "age_at_enrolment", "Alter", "나이", "stage", "age_days")] == [
        True
    ] * 5 + [False] * 2


def test_dates_of_events_are_no_dates_of_birth():
    """Days of a follow-up pass; days far older than the file's newest date, or decades apart, do not."""
    follow_up = np.arange("2021-01-01", "2026-06-01", dtype="datetime64[D]")
    refuse_identifiers("f.parquet", pa.table({"day": follow_up}))
    old = pa.table({"day": follow_up[:3], "x": np.array(["1999-02-03"] * 3, dtype="datetime64[D]")})
    with pytest.raises(Refused, match=r"`x`.*class C"):
        refuse_identifiers("f.parquet", old)
    with pytest.raises(Refused, match=r"`x`.*class C"):
        refuse_identifiers("f.csv", pa.table({name: old[name].cast(pa.string()) for name in old.column_names}))


def test_what_nobody_can_look_through_is_refused():
    """Nested and binary columns could hold anything."""
    with pytest.raises(Refused, match="nested or binary"):
        refuse_identifiers("f.parquet", rows_of(x=[{"name": "Anna"}]))
    with pytest.raises(Refused, match="nested or binary"):
        refuse_identifiers("f.parquet", rows_of(x=[b"\xff\xd8\xff"]))


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("mood", "subject_id", ["Anna Sommer"]),
        ("mood", "subject_id", ["anna@example.org"]),
        ("mood", "item", ["she said that she could not sleep at all since then"]),
        ("wearable", "device_id", ["490154203237518"]),
        ("wearable", "device_model", ["Anna's iPhone"]),
        ("subjects", "site", [f"ward {n}" for n in range(40)]),
        ("subjects", "language", ["https://example.org/anna"]),
        ("events", "record_id", ["MRN 00482913"]),
    ],
)
def test_canonical_rows_of_any_reader_are_judged_by_their_values(table, column, values):
    """Each text column of a canonical table is looked through, and only its name is told."""
    told = refusal(table, **{column: values * 1000 if column != "site" else values})
    assert f"`{table}` in f.csv has 1 column " in told
    assert f"`{column}`" in told
    assert not [value for value in values if value in told]


def test_attributes_are_looked_through_key_by_key():
    """Further attributes come as one JSON text a subject; its keys and values are judged like columns."""
    good = [json.dumps({"education": "college", "age": 40 + n % 5, "married": None}) for n in range(50)]
    judge("subjects", attributes=good)
    judge("subjects", attributes=[*good, None])
    for bad in ({"email": "x"}, {"note": "anna@example.org"}, {"age": 93}):
        assert "of `attributes`" in refusal("subjects", attributes=[*good, json.dumps(bad)])
    apart = [json.dumps({"hobby": f"kind{n}", "income": n % 9}) for n in range(50)]
    told = refusal("subjects", attributes=apart)
    assert "1 column " in told
    assert "`hobby` of `attributes`" in told
    assert "50 distinct values" in told
    assert "50 distinct values" in attribute(*range(50))
    assert "no JSON object" in refusal("subjects", attributes=["Anna"])


@pytest.mark.parametrize(
    "value", ["19500302", "2.3.50", "02/03/1950", "3 March 1950", "Mar 3, 50", "1950-03-02T00:00", "536228726", "2125550142",
              "212 555 0142", "10115", "520001", "52.520", "13,40495", "00482913"],
)  # fmt: skip
def test_an_attribute_holds_no_long_numbers_days_or_places(value):
    """One birth date, telephone number, postal code, coordinate or record number among categories is enough."""
    assert "1 of 3 distinct values are long numbers, days or places" in attribute("low", "high", value, *["low"] * 40)
    assert "`site`" in refusal("subjects", site=["north", value, "south", *["north"] * 40])


@pytest.mark.parametrize(
    "value", ["1", "12.5", "F33.1", "level 3", "20000-39999", "20,000–39,999", "<20000", "100000+", "1-2 days"]
)
def test_an_attribute_holds_codes_and_bands(value):
    """Codes, small numbers and bands of money are categories."""
    judge(
        "subjects", attributes=[json.dumps({"extra": told}) for told in ("low", value) * 20], site=["north", value] * 20
    )


FIRST_NAMES = ["Anna", "Bo", "Cem", "Dora", "Eva", "Finn", "Gül", "Hans"]
LOWER_CASE = ["anna sommer", "bo winter", "cem herbst", "dora lenz"]
WITH_AN_INITIAL = ["Anna, F.", "Bo, M.", "Cem, M.", "Dora, F."]


@pytest.mark.parametrize(
    "names", [FIRST_NAMES, FIRST_NAMES[:4], LOWER_CASE, WITH_AN_INITIAL, ["Anna", *FIRST_NAMES, "", None]]
)
@pytest.mark.parametrize(
    "column", ["site", "sex", "ethnicity", "language", "deprivation_quintile", "device_model", "source"]
)
def test_what_each_subject_has_alone_is_no_category(column, names):
    """Four people suffice: a category is one that several people share."""
    told = refusal("subjects", **{column: names})
    assert f"`{column}` (" in told
    assert "are of one subject each" in told
    assert not [name for name in names if name and name in told]
    assert "are of one subject each" in attribute(*names)


@pytest.mark.parametrize(
    ("table", "column"),
    [("mood", "item"), ("events", "kind"), ("assessments", "instrument"), ("wearable", "device_model")],
)
def test_rows_of_events_tell_no_names_either(table, column):
    """Two rows a person, or ten people, show that a value goes with a person and not with what happened."""
    assert "are of one subject each" in refusal(table, subject_id=[*"abcd"] * 2, **{column: FIRST_NAMES[:4] * 2})
    assert "are of one subject each" in refusal(table, **{column: [*FIRST_NAMES, "Ida", "Jo"]})


def test_few_rows_that_differ_by_chance_pass():
    """Four events of four kinds in a night, whole questionnaires, and bands of few people are ordinary."""
    items, four = ["mood", "energy", "anxiety", "anger", "hope"], ["north", "south", "east", "west"]
    judge("events", kind=["panic", "emergency", "crisis_contact", "admission"])
    judge("mood", subject_id=["a"] * 10, item=items * 2)
    judge("mood", subject_id=[*"aaaabbbbccccdddd"], item=[f"question_{n}" for n in range(16)])
    judge("mood", subject_id=[*"abcde"] * 5, item=[item for item in items for _ in "abcde"])
    judge("subjects", age_band=["18-29", "30-44", "45-59", "60+"], deprivation_quintile=[*"1234"])
    judge("subjects", algorithm_version=["1.2", "1.3", "2.0", "2.1"], site=["north", "south"] * 2)
    judge("subjects", site=four * 2, language=["english"] * 4 + ["german", "korean", "french", "other"])


@pytest.mark.parametrize("serial", ["C02XK1JAJG5H", "R58M12ABCDE", "L2HXJ0P9KQ"])
def test_a_serial_number_is_no_pseudonym_of_a_device(serial):
    """What a maker wrote on the device is refused as device_id, from any reader and in a column of that name."""
    assert "`device_id` (device identifiers" in refusal("wearable", device_id=[serial] * 9)
    with pytest.raises(Refused, match="class M"):
        refuse_identifiers("f.csv", rows_of(device_id=[serial]))
    refuse_identifiers("f.csv", rows_of(record=[serial]))


@pytest.mark.parametrize("device", ["band-0001a", "Fitbit", "MI-BAND", "9F8E7D6C5B4A3928", "621e346f67b776a24081744f", "1503960366",
                                    "DEV00012345", "d-0a1b2c3d4e5f60718293", "01ARZ3NDEKTSV4RRFFQ69G5FAV", ""])  # fmt: skip
def test_pseudonyms_of_devices_pass(device):
    """Hashes, counters and short numbers tell nobody's device."""
    judge("wearable", device_id=[device] * 9)


@pytest.mark.parametrize(
    "name",
    ["AnnaMueller", "john_smith_1975", "anna sommer", "Sommer, A.", "1975-03-02", "19750302", "2.3.75", "김민준"],
)
def test_an_id_that_is_a_name_or_a_day_is_no_pseudonym(name):
    """Two words in any style, or a day, are refused as subject_id when half of the ids look so."""
    told = refusal("mood", subject_id=[name, "s-17"], item=["mood", "mood"])
    assert "`subject_id` (names, class A: 1 of 2 distinct values look like names or days)" in told
    judge("mood", subject_id=[name, "s-17", "s-18"], item=["mood"] * 3)


@pytest.mark.parametrize("subject", ["p01", "north-000012", "study-site-01", "SYM2-1-137", "ls-1", "quagga", "20260001", "1503960366",
                                     "0f8fad5b-d9cb-469f-a165-70867728950e", "621e346f67b776a24081744f"])  # fmt: skip
def test_pseudonyms_of_subjects_pass(subject):
    """Counters with their study's name, hashes and numbers are ids."""
    judge("mood", subject_id=[subject], item=["mood"])


def test_codes_of_a_clinic_pass_as_canonical_rows():
    """Pseudonyms, sites, sexes, models and versions that look like addresses are what the columns are for."""
    judge(
        "subjects", subject_id=["1503960366", "1624580081", "1644430081", "ls-12", "s-5"],
        site=["north", "south", "north", "north", "south"],
        sex=["F", "M", None, "other", "F"], ethnicity=["Black British", "White Irish", "Mixed Other", "Asian Other", "White Irish"],
        language=["english", "other", "english", "korean", "english"], device_model=["Lumen 2"] * 5,
        algorithm_version=["27.72.1.15", "27.72.1.22", "40.1.2.3", "", None], age_band=["18-29", "30-44", "90+", "60+", None],
    )  # fmt: skip


def test_a_million_minutes_are_judged_by_their_distinct_values():
    """The cost follows what is different, not what is long (here with much room for a busy machine)."""
    n = 1_000_000
    minutes = np.datetime64("2026-01-01T00:00", "us") + np.arange(n).astype("timedelta64[m]")
    rows = pa.table({
        "id": pa.array(np.repeat([f"s{subject}" for subject in range(25)], n // 25)), "at": minutes,
        "steps": np.arange(n, dtype=np.int32) % 90, "device": pa.repeat(pa.scalar(""), n),
    })  # fmt: skip
    refuse_identifiers("warm.parquet", rows.slice(0, 10))
    start = time.perf_counter()
    refuse_identifiers("minutes.parquet", rows)
    assert time.perf_counter() - start < 0.5
