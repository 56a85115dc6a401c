"""What the 18 identifier classes of 45 CFR 164.514(b)(2)(i) look like, in names of columns and in values.

The one place where a pattern is written down; `gate.py` decides by them. National numbers are checked by their own
check digits (python-stdnum), so that a pseudonym of as many digits is not taken for one.

Names are compared as `column_names.py` writes them (`PatientFirstName2` is `patient_first_name`). A class is told by the
words a name *ends* in (`home_phone`, not `phone_use_min`), or, for short and ambiguous words, by the whole name. Values
are RE2 patterns. English, German, Spanish, French and Korean are covered, as far as a short list can.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from stdnum import iban, imei, luhn
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.nl import bsn
from stdnum.us import ssn

# One sighting is enough, where nothing else looks like it; else half of a column's distinct values must look alike;
# nearly all, where any number of that length passes its check digit now and then (one in ten or so).
ONE, HALF, NEARLY_ALL = 0.0, 0.5, 0.9


@dataclass(frozen=True)
class Look:
    """How values of a class look, and which share of a column's distinct values must look like it.

    Args:
        pattern: RE2, matched anywhere in a value unless anchored.
        share: of the distinct values; 0 means that one is enough.
        is_valid: a further check of each value that matches.
        is_rare: also asks that values are told of few rows each, for categories may look the same.
        least: distinct values needed, so that check digits do not hold by accident.
        not_in: columns (normal names) where such values mean something else.
    """

    pattern: str
    share: float = ONE
    is_valid: Callable[[str], bool] | None = None
    is_rare: bool = False
    least: int = 1
    not_in: str = r"(?!)"


@dataclass(frozen=True)
class Identifier:
    """One class: its letter in the rule, its name, what columns of it are called, and how its values look."""

    letter: str
    name: str
    ends: str
    whole: str = ""
    looks: tuple[Look, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}, class {self.letter}"


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _has_ssn(text: str) -> bool:
    return any(ssn.is_valid(number) for number in re.findall(r"\d{3}-\d{2}-\d{4}", text))


def _is_rrn(text: str) -> bool:
    return 1 <= int(text[2:4]) <= 12 and 1 <= int(text[4:6]) <= 31  # newer Korean numbers have no check digit


def _is_mac(text: str) -> bool:
    return any(letter in "abcdefABCDEF" for letter in text)  # six pairs of digits alone may be a date and time


def _is_no_hash(text: str) -> bool:
    return re.fullmatch(r"[A-F\d]+", text) is None


def _is_serial(text: str) -> bool:
    """Upper-case letters and digits mixed, as makers number their devices; neither a hash nor a word and a counter."""
    return 8 <= len(text) <= 17 and _is_no_hash(text) and re.fullmatch(r"\d*[A-Z]+\d*", text) is None


def _is_kvnr(text: str) -> bool:
    """The check digit of the German health insurance number (SGB V section 290)."""
    digits = f"{ord(text[0]) - 64:02d}{text[1:9]}"
    products = (int(digit) * (1 + position % 2) for position, digit in enumerate(digits))
    return sum(sum(divmod(product, 10)) for product in products) % 10 == int(text[9])


_PERSON = (
    "patient|subject|participant|person|client|customer|user|login|contact|emergency_contact|kin|next_of_kin|relative|"
    "mother|father|parent|spouse|guardian|employer|physician|doctor|clinician|therapist|nurse|provider|caregiver"
)
# Letters of any script up to Hangul: Unicode's own class makes patterns that take ten times as long to prepare.
_L, _UPPER = r"[A-Za-zÀ-힣]", r"[A-ZÀ-Þ가-힣]"
_VERSIONS = r"version|firmware|software|(?:^|_)(?:fw|sw|os|app|build|model)(?:_|$)"  # versions are told like addresses
_WORD = rf"{_L}{{2,}}[,.;:!?]?\s+"
_TITLE = r"(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau|Sr|Sra|Señor|Señora|Mme|Mlle|Monsieur|Madame)"
_STREET = r"(?:street|st\.|avenue|ave|road|rd\.|lane|drive|boulevard|blvd|court)"

IDENTIFIERS = (
    Identifier(
        "A", "names",
        rf"(?:first|last|middle|given|family|full|maiden|birth|sur|fore|second|{_PERSON})_?names?|surname|forename|"
        r"initials|(?:vor|nach|familien|geburts|ruf|patienten)name|apellidos?|prenom|nom_(?:de_)?(?:famille|naissance|patient)|"
        r"nombre_(?:del_)?(?:paciente|completo)|이름|성명|성함",
        r"names?|nom|nombres?|sur_?name",
        (
            Look(rf"^{_TITLE}\.? {_UPPER}{_L}+"),
            Look(r"(?i)[a-z]['’]s (?:iphone|ipad|apple watch|galaxy|pixel|phone|watch)\b"),
            Look(rf"^{_UPPER}(?:{_L}|['’-])+,? {_UPPER}(?:{_L}|['’-])+(?: {_UPPER}(?:{_L}|['’-])+)?$", HALF, is_rare=True),
        ),
    ),
    Identifier(
        "B", "places smaller than a state",
        r"addr(?:ess)?(?:_line)?|street(?:_name)?|house_?(?:number|no)|zip|zip_?codes?|post(?:al)?_?codes?|city|town|village|"
        r"county|district|municipality|parish|neighbou?rhood|census_?tract|geo_?hash|geo_?code|latitude|longitude|"
        r"coordinates?|gps|(?:gps|geo|home|location|loc|start|end)_(?:lat|lon|lng|long)|adresse|anschrift|strasse|hausnummer|"
        r"plz|postleitzahl|wohnort|gemeinde|landkreis|direccion|domicilio|calle|ciudad|municipio|codigo_postal|ville|"
        r"commune|code_postal|quartier|주소|우편번호|시군구|읍면동|도시|위도|경도",
        r"lat|lon|lng|ort|stadt|rue|barrio",
        (
            Look(r"^\W*-?\d{1,2}\.\d{3,}\s*[,; ]\s*-?\d{1,3}\.\d{3,}\W*$"),
            Look(r"(?i)^geo:-?\d|\bPOINT ?\(-?\d"),
            Look(rf"(?i)\b\d{{1,5}}[a-z]?,? (?:[a-z]+\.? ){{1,3}}{_STREET}(?:\W|$)", HALF),
            Look(r"(?i)[a-zß](?:straße|strasse|str\.|allee|gasse) \d{1,4} ?[a-z]?\b", HALF),
            Look(r"(?i)^(?:calle|avenida|avda\.?|plaza) [a-z]", HALF),
            Look(r"(?i)^\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|impasse|allée) ", HALF),
            Look(r"[가-힣](?:로|길) ?\d{1,4}\b", HALF),
            Look(r"^\d{5}-\d{4}$|^[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}$|^[A-Z]\d[A-Z] \d[A-Z]\d$", HALF),
        ),
    ),
    Identifier(
        "C", "dates of birth and ages over 89",
        r"dob|d_o_b|birth_?da(?:te|y)|date_?of_?birth|birth_?(?:year|month)|(?:year|month|day)_of_birth|born(?:_on|_at)?|"
        r"geburts(?:datum|tag|jahr)|geb_?dat(?:um)?|fecha_(?:de_)?nac(?:imiento)?|date_(?:de_)?naissance|annee_naissance|"
        r"생년월일|생일|출생일|출생년도",
    ),
    Identifier(
        "D", "telephone numbers",
        r"(?:tele)?phones?|cell_?phone|mobile_(?:phone|number)|tel|telefon(?:nummer)?|handy(?:nummer)?|telefono|movil|"
        r"celular|전화(?:번호)?|휴대폰|핸드폰|연락처|msisdn|whats_?app",
        r"mobile|portable|mobil",
        (
            Look(r"(?:^|[^\d.+])\+[1-9][\d().-]*[ ().-][\d ().-]{6,15}\d$|^\+[1-9]\d{9,14}$|^tel:"),
            Look(r"(?:^|\s)\(\d{2,5}\) ?\d{3,4}[- ]?\d{3,5}$"),
            Look(r"^(?:1[-. ])?[2-9]\d{2}[-. ][2-9]\d{2}[-. ]\d{4}$|^01\d-\d{3,4}-\d{4}$", HALF),
            Look(r"^0\d{2,4}[ /]\d{5,8}$|^0\d(?:[ .]\d\d){4}$", HALF),
        ),
    ),
    Identifier(
        "E", "fax numbers", r"(?:tele)?fax|facsimile|fax_?nummer|팩스(?:번호)?", "",
        (Look(r"(?i)\b(?:tele)?fax:? ?\+?[\d(]"),),
    ),
    Identifier(
        "F", "electronic mail addresses", r"e_?mails?|(?:e_?)?mail_addr(?:ess)?|correo(?:_electronico)?|courriel|이메일|메일", "mail",
        (Look(r"[^\s@]@[^\s@.]+(?:\.[^\s@.]+)*\.[^\s@.\d]{2,}"),),
    ),
    Identifier(
        "G", "social security and other national numbers",
        r"ssn|social_?security|soc_sec|national_(?:id|identifier|insurance)|nhs|nino|citizen_id|personal_?ausweis|ausweis|"
        r"steuer_?id|sozialversicherung(?:snummer)?|svnr|rentenversicherungsnummer|dni|curp|seguridad_social|"
        r"securite_sociale|insee|주민(?:등록)?번호|rrn|cpf|bsn|pesel",
        "",
        (
            Look(r"\b\d{3}-\d{2}-\d{4}\b", is_valid=_has_ssn),
            Look(r"^\d{6}-[1-8]\d{6}$", HALF, _is_rrn),
            Look(r"^\d{3}\.\d{3}\.\d{3}-\d{2}$"),
            Look(r"^[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]$", HALF, least=2),
            Look(r"^\d{8}-?[A-Z]$|^[XYZ]-?\d{7}-?[A-Z]$", NEARLY_ALL, lambda text: dni.is_valid(text) or nie.is_valid(text), least=2),
            Look(r"^[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}$", HALF, nir.is_valid),
            Look(r"^\d{3} ?\d{3} ?\d{4}$", NEARLY_ALL, nhs.is_valid, least=4),
            Look(r"^[1-9]\d{10}$", NEARLY_ALL, idnr.is_valid, least=4),
            Look(r"^\d{9}$", NEARLY_ALL, bsn.is_valid, least=4),
        ),
    ),
    Identifier(
        "H", "medical record numbers",
        r"mrn|medical_record|(?:patient|hospital|chart|case)_(?:no|nr|num|number)|(?:patienten|fall|akten)_?nummer|aktenzeichen|"
        r"historia_clinica|nhc|num(?:ero)?_(?:de_)?dossier|등록번호|환자번호|차트번호|병록번호",
        r"ipp|nip", (Look(r"(?i)\b(?:mrn|medical record(?: no| number)?)[:#. -]{0,2} ?[a-z]{0,3}\d{4,}"),),
    ),
    Identifier(
        "I", "health plan beneficiary numbers",
        r"health_?plan|beneficiary|insurance|policy_?(?:no|nr|num|number)|subscriber|member_?(?:no|nr|num|number)|medicare|medicaid|mbi|"
        r"versicherten_?nummer|versicherungs_?nummer|kvnr|kranken(?:kasse|versicherung)(?:_?n(?:umme)?r)?|tarjeta_sanitaria|"
        r"carte_vitale|mutuelle|건강보험(?:번호|증번호)?|보험번호",
        "",
        (
            Look(r"^[1-9][AC-HJ-NP-RT-Y][AC-HJ-NP-RT-Y\d]\d-?[AC-HJ-NP-RT-Y][AC-HJ-NP-RT-Y\d]\d-?[AC-HJ-NP-RT-Y]{2}\d{2}$", HALF),
            Look(r"^[A-Z]\d{9}$", NEARLY_ALL, _is_kvnr, least=4),
        ),
    ),
    Identifier(
        "J", "account numbers",
        r"account|iban|bank_account|credit_?card|card_?(?:no|nr|num|number)|konto(?:_?n(?:umme)?r)?|cuenta(?:_bancaria)?|"
        r"compte(?:_bancaire)?|계좌(?:번호)?|카드번호",
        "",
        (
            Look(r"^[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7} ?[A-Z\d]{0,4}$", is_valid=iban.is_valid),
            Look(r"^(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6(?:011|5\d\d))(?:[ -]?\d{4}){3}$|^3[47]\d{13}$", HALF, luhn.is_valid),
        ),
    ),
    Identifier(
        "K", "certificate and licence numbers",
        r"(?:drivers?_)?licen[cs]es?|certificate|passport|reisepass(?:nummer)?|fuehrerschein(?:nummer)?|fuhrerschein(?:nummer)?|"
        r"pasaporte|carnet_(?:de_)?conducir|passeport|permis_(?:de_)?conduire|여권(?:번호)?|면허(?:번호)?",
        "",
        (Look(r"^P[A-Z<][A-Z]{3}[A-Z]+<"), Look(r"^[A-Z9]{5}\d{6}[A-Z9]{2}\d[A-Z]{2}$", HALF)),
    ),
    Identifier(
        "L", "vehicle identifiers and plates",
        r"(?:licen[cs]e|number|vehicle)_?plates?|plate_?(?:no|nr|num|number)|vehicle_(?:id|identification)|kennzeichen|matricula|"
        r"immatriculation|차량번호|번호판",
        r"plates?|vin",
        (
            Look(r"^[A-HJ-NPR-Z][A-HJ-NPR-Z\d]{12}\d{4}$|^[1-9][A-HJ-NPR-Z]{1,2}[A-HJ-NPR-Z\d]{10,11}\d{4}$", HALF, _is_no_hash),
            Look(r"^[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} \d{1,4}[EH]?$|^\d{4} ?[BCDFGHJ-NPR-TV-Z]{3}$|^[A-Z]{2}-\d{3}-[A-Z]{2}$", HALF, least=2),
            Look(r"^[A-Z]{2}\d{2} [A-Z]{3}$|^\d{2,3} ?[가-힣] ?\d{4}$", HALF, least=2),
        ),
    ),
    Identifier(
        "M", "device identifiers and serial numbers",
        r"serial|serial_?(?:no|nr|num|number)|imei|imsi|iccid|udid|idfa|gaid|android_id|advertising_id|mac|mac_addr(?:ess)?|"
        r"bluetooth_addr(?:ess)?|seriennummer|geraetenummer|geratenummer|num(?:ero)?_(?:de_)?serie|일련번호|시리얼(?:번호)?",
        "",
        (
            Look(r"^[\dA-Fa-f]{2}(?::[\dA-Fa-f]{2}){5}$|^[\dA-Fa-f]{2}(?:-[\dA-Fa-f]{2}){5}$", is_valid=_is_mac),
            Look(r"^\d{15}$|^\d{2}[- ]\d{6}[- ]\d{6}[- ]\d$", HALF, imei.is_valid),
            # As device_id alone: other columns hold ids of records and places that look alike.
            Look(r"^[A-Z\d]*[A-Z]\d[A-Z\d]*$", HALF, _is_serial, not_in=r"^(?!device_id$)"),
            Look(r"(?i)\b(?:s/n|serial(?: no| number)?)[:#. ]{1,2} ?[a-z]*\d"),
        ),
    ),
    Identifier(
        "N", "web addresses", r"urls?|uri|website|web_?page|homepage|webseite|pagina_web|site_web|홈페이지|웹사이트", "links?",
        (Look(r"(?i)\b(?:https?|ftp)://|\bwww\.[a-z\d-]+\.[a-z]"),),
    ),
    Identifier(
        "O", "internet protocol addresses",
        r"ip_?addr(?:ess)?|(?:client|remote|source|host|user|last|login)_ip|ip_?adresse|direccion_ip|adresse_ip|아이피|ip주소",
        r"ip|i_?pv",
        (
            Look(r"^\d{1,3}(?:\.\d{1,3}){3}$", is_valid=_is_ip, not_in=_VERSIONS),
            Look(r"(?i)^(?:[\da-f]{1,4}:){7}[\da-f]{1,4}$|^[\da-f:]*[\da-f]{1,4}::[\da-f:]*$", is_valid=_is_ip),
        ),
    ),
    Identifier(
        "P", "biometric identifiers",
        r"biometrics?|finger_?prints?|voice_?prints?|face_?(?:print|encoding|embedding|id)|retina(?:_scan)?|iris_(?:scan|code|image)|"
        r"fingerabdruck|huella(?:_dactilar)?|empreinte(?:_digitale)?|지문|홍채|음성파일|voice_?(?:recording|sample|file)",
        "", (Look(r"^Rk1S[A-Za-z\d+/]{20}"), Look(r"(?i)\.(?:wav|mp3|m4a|ogg|opus|aac|flac|amr|3gp)$")),
    ),
    Identifier(
        "Q", "photographs of the face",
        r"(?:face|facial|full_face|profile|patient)_(?:image|picture)s?|photo(?:graph)?s?|portrait|selfie|avatar|foto|lichtbild|사진",
        r"images?|pictures?|bild",
        (Look(r"^data:image/|^/9j/[A-Za-z\d+/]{12}|^iVBORw0KGgo"), Look(r"(?i)\.(?:jpe?g|png|heic|gif|tiff?|bmp|webp|dcm|mp4|mov)$")),
    ),
    Identifier(
        "R", "other unique characteristics, free text",
        r"user_?name|login|password|passwort|twitter|facebook|instagram|kakao(?:talk)?_?id|social_media|skype|telegram|free_?text|"
        r"remarks?|comments?|freitext|bemerkung(?:en)?|kommentare?|comentarios?|observaciones|commentaires?|remarques|비고|메모|특이사항",
        r"notes?|signature",
        (
            Look(r"^@[A-Za-z_][\w.]{2,}$"),
            Look(rf"(?:{_L}+[,.;:!?]?\s+){{9}}{_L}"),
            Look(rf"{_WORD}{_WORD}{_L}{{2}}", is_rare=True),
        ),
    ),
)  # fmt: skip
