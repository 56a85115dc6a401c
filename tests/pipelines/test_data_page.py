"""The night's data on record and on a page: counts as they are, what stands out first, no value and no subject."""

import json
import re
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from dagster import AssetCheckSeverity

from features.tables import TABLES
from pipelines import data_nights
from pipelines.data_nights import Broken, DataNight, StreamNight, on_record, silent_streams, take_stock
from pipelines.defs import checks
from pipelines.defs.run import execute
from pipelines.door.intake import KINDS, ingest
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.reports.data_page import write_data_page
from pipelines.reports.site import Context, write_index
from pipelines.settings import settings_from
from pipelines.sources.batch import Batch
from pipelines.validation import held
from tests.pipelines.small_job import ROOT
from tests.pipelines.test_reports import Outline
from tests.pipelines.test_validation import AT, OUTCOMES, installed, minutes, smuggle, spoilt, take_in, waiver

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

NIGHTS = ("2026-06-02", "2026-06-03", "2026-06-04")
CONTEXT = Context(date(2026, 6, 3), "made <up>")


@pytest.fixture
def installation(tmp_path) -> Installation:
    """An installation whose lake knows one subject."""
    return installed(tmp_path)


def bad_minutes(installation: Installation) -> None:
    """A delivery of four minutes from two files: two with a heart rate that cannot be, one of a stranger."""
    frame = minutes(4).assign(heart_rate=[70, 900, 901, 70], subject_id=["s-1", "s-1", "s-1", "zebra"], received_at=AT)
    parts = [Batch("wearable", frame[:2], "a.csv"), Batch("wearable", frame[2:], "b.csv")]
    ingest(installation.lake, parts, "bad")


def test_a_delivery_is_told_on_the_night_that_saw_it_first(installation):
    """What came since the last night is counted on this one, by what became of it; on the next it is no longer new."""
    take_stock(installation, NIGHTS[0])
    bad_minutes(installation)
    found = take_stock(installation, NIGHTS[1])
    assert found.streams["wearable"].counts == dict(zip(KINDS, (4, 1, 0, 3, 0, 0), strict=True))
    assert [d["ingest_id"] for d in found.deliveries] == ["bad"]
    assert take_stock(installation, NIGHTS[2]).deliveries == []
    assert [len(night.deliveries) for night in on_record(installation, NIGHTS[2])] == [1, 1, 0]


def test_refused_rows_are_told_by_rule_and_file(installation):
    """The page says which rule of the door was broken how often, and in which files the rows stood."""
    bad_minutes(installation)
    assert take_stock(installation, NIGHTS[0]).refused == [
        {"table": "wearable", "rule": "heart_rate_is_plausible", "rows": 2, "n_files": 2, "files": ["a.csv", "b.csv"]},
        {"table": "wearable", "rule": "subject_is_enrolled", "rows": 1, "n_files": 1, "files": ["b.csv"]},
    ]


def test_a_night_that_runs_again_is_on_record_once(installation):
    """The same night again writes the same bytes; what came in between is added to it."""
    take_in(installation, [0])
    first = take_stock(installation, NIGHTS[0])
    (file,) = (installation.settings.state_folder / "data_nights").iterdir()
    content = file.read_bytes()
    assert take_stock(installation, NIGHTS[0]) == first
    assert file.read_bytes() == content
    take_in(installation, [1])
    assert take_stock(installation, NIGHTS[0]).streams["wearable"].counts["appended"] == 9


def test_a_night_that_earlier_code_put_on_record_is_read(installation):
    """It knew a stream less: nothing of that one came in; the page that looks back on it is written."""
    bad_minutes(installation)
    take_stock(installation, NIGHTS[0])
    file = installation.settings.state_folder / "data_nights" / f"{NIGHTS[0]}.json"
    content = json.loads(file.read_text())
    del content["streams"]["feedback"]
    file.write_text(json.dumps(content))
    (former,) = on_record(installation, NIGHTS[0])
    assert former.streams.keys() == TABLES.keys()
    assert former.streams["feedback"].counts == dict.fromkeys(KINDS, 0)


def test_a_record_that_was_cut_off_is_made_again(installation, monkeypatch):
    """A run that is killed after judging and before recording leaves a night that the next run completes."""
    take_in(installation, [0])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(data_nights, "_compose", killed)
        with pytest.raises(KeyboardInterrupt):
            take_stock(installation, NIGHTS[0])
    assert on_record(installation, NIGHTS[0]) == []
    assert take_stock(installation, NIGHTS[0]).streams["wearable"].judged == 5


def test_what_does_not_hold_stays_on_every_night_until_it_is_gone(installation):
    """A failure of an earlier delivery stops later nights too; earlier nights keep what they said."""
    take_in(installation, [0])
    smuggle(installation, spoilt().assign(ingest_id="part-0", device_id="other"))
    for night in NIGHTS[:2]:
        found = take_stock(installation, night)
        assert {b.truth: b.rows for b in found.streams["wearable"].broken} == {
            "heart_rate_is_plausible": 2, "steps_is_plausible": 1}  # fmt: skip
        assert found.is_stopped
    installation.lake.delete_ingest("wearable", "part-0")
    assert not take_stock(installation, NIGHTS[2]).is_stopped
    assert [night.is_stopped for night in on_record(installation, NIGHTS[2])] == [True, True, False]


def test_waivers_let_a_night_go_on_and_end_by_themselves(installation, tmp_path):
    """With both failures waived until the second night, it goes on; the third stops. Reason and end are on record."""
    smuggle(installation, spoilt())
    waivers = [waiver(until=NIGHTS[1]), waiver(until=NIGHTS[1], expectation="steps_is_plausible")]
    waived = Installation(settings_from({"outcomes": OUTCOMES, "door": {"waivers": waivers}}, tmp_path))
    stopped = [take_stock(waived, night).is_stopped for night in NIGHTS]
    assert stopped == [False, False, True]
    told = on_record(waived, NIGHTS[1])[-1].streams["wearable"].broken[0]
    assert (told.waived_because, told.waived_until, told.rows) == ("The strap is being replaced.", NIGHTS[1], 2)


def test_a_stream_that_fell_silent_is_named(installation):
    """Three days after its last row a stream is silent, two days after it is not; one that never came is not named."""
    take_in(installation, [0])
    assert silent_streams(installation, "2026-06-04") == {}
    assert silent_streams(installation, "2026-06-06") == {"wearable": 3}


@pytest.mark.parametrize(
    ("limits", "silent"),
    [({"warn_after_hours": None}, {}), ({"warn_after_hours": 71}, {"wearable": 3}), ({"warn_after_hours": 96}, {}),
     ({"warn_after_hours": None, "stop_after_hours": 71}, {"wearable": 3}), ({"warn_after_hours": 1}, {"wearable": 3})],
)  # fmt: skip
def test_a_stream_that_may_be_old_is_not_called_silent(installation, tmp_path, limits, silent):
    """What is declared under `freshness:` holds on the page as it does for the night."""
    take_in(installation, [0])
    declared = Installation(
        settings_from({"outcomes": OUTCOMES, "night": {"freshness": {"wearable": limits}}}, tmp_path)
    )
    assert silent_streams(declared, "2026-06-06") == silent


def night_of(day: str, added: int = 100, broken: tuple[Broken, ...] = (), **changes: object) -> DataNight:
    """A night with some minutes and nothing else."""
    counts = dict.fromkeys(KINDS, 0)
    streams = {table: StreamNight(counts, 0) for table in TABLES}
    streams["wearable"] = StreamNight(
        counts | {"received": added + 40, "appended": added, "quarantined": 40}, added, list(broken)
    )
    delivery = {
        "ingest_id": "x",
        "received_at": f"{day}T01:00:00+00:00",
        "format": "table",
        **counts,
    }
    return replace(DataNight(day, [delivery], streams, [], []), **changes)


def page(
    folder, *nights: DataNight, implausible: pd.DataFrame | None = None, silent: dict[str, int] | None = None
) -> str:
    """The text of the page of the last night."""
    settings = settings_from({"outcomes": OUTCOMES}, folder)
    expected = {table: held(settings, table) for table in TABLES}
    path = write_data_page(folder, nights, expected, implausible, silent or {}, 0.5, CONTEXT)
    return path.read_text(encoding="utf-8")


STOPPED = Broken("steps_is_plausible", "Steps in the minute: 0 to 300 steps/min.", 3, True)
WAIVED = Broken(
    "heart_rate_is_plausible", "Mean heart rate: 25 to 240 bpm.", 7, False, "A <strap> is loose.", "2026-08-01"
)
ODD = Broken("device_off_the_body_feels_no_heart", "A device off the body gives no heart rate.", 5, False)


def test_the_page_begins_with_a_plain_sentence(tmp_path):
    """How much came in and whether everything holds is said before anything else, on the page and on the index."""
    text = page(tmp_path, night_of(NIGHTS[1]))
    told = (
        "1 delivery brought 140 rows: 100 added, 0 known already, 40 in quarantine. Everything that should hold does."
    )
    assert 0 < text.index(f'<p class="lead">{told}') < text.index("What stands out") < text.index("<table")
    index = write_index(tmp_path).read_text(encoding="utf-8")
    assert told in index
    assert "data-2026-06-03.html" in index


def test_rows_that_were_dropped_are_told_where_there_are_any(tmp_path):
    """A column and a total for rows of withdrawn subjects, and for minutes no longer kept; none on other nights."""
    told = {"withdrawn": "Of withdrawn subjects", "expired": "Of minutes no longer kept"}
    for kind, said in told.items():
        night = night_of(NIGHTS[1])
        night.streams["wearable"].counts[kind] = 4321
        text = page(tmp_path, night)
        assert f"{said[0].lower()}{said[1:]}, dropped" in text
        assert [text.count(f'<th scope="col">{other}</th>') for other in told.values()] == [
            int(other == said) for other in told.values()
        ]
        assert text.count("4,321") == 2
    assert "dropped" not in page(tmp_path, night_of(NIGHTS[1]))


def test_a_night_without_deliveries_says_so(tmp_path):
    """Nothing new is told as nothing new, not as zeros."""
    assert "Nothing new came in." in page(tmp_path, night_of(NIGHTS[1], deliveries=[]))


def test_what_stops_the_night_is_told_first(tmp_path):
    """Failures come in the order of what follows from them, each with its count, and a waiver with reason and end."""
    text = page(tmp_path, night_of(NIGHTS[1], 400, broken=(STOPPED, WAIVED, ODD)), silent={"mood": 4})
    assert "The night is stopped" in text
    standing_out = text[text.index("What stands out") : text.index("<table")]
    marks = re.findall(r"</span> (stops the night|waived|to look at)</span>", standing_out)
    assert marks == ["stops the night", "waived", "to look at", "to look at"]
    assert "3 rows break: “Steps in the minute" in standing_out
    assert "Waived until 2026-08-01: A &lt;strap&gt; is loose." in standing_out
    assert "Nothing has come in for 4 days." in standing_out


def test_a_change_of_volume_stands_out_once_nights_can_be_compared(tmp_path):
    """Less than half or more than double of an ordinary night is told; with fewer than five nights nobody can say."""
    ordinary = [night_of(f"2026-05-{day}") for day in range(21, 26)]
    assert "Far fewer rows than usual: 49 added, where 100 are ordinary." in page(
        tmp_path, *ordinary, night_of(NIGHTS[1], 49)
    )
    assert "Far more rows than usual" in page(tmp_path, *ordinary, night_of(NIGHTS[1], 201))
    assert "than usual" not in page(tmp_path, *ordinary, night_of(NIGHTS[1], 50))
    assert "than usual" not in page(tmp_path, *ordinary[1:], night_of(NIGHTS[1], 1))


def test_a_large_share_in_quarantine_stands_out(tmp_path):
    """Half-way to the share at which the door refuses a delivery whole, the page says so."""
    assert "44 % of its rows are in quarantine" in page(tmp_path, night_of(NIGHTS[1], added=50))
    assert "of its rows are in quarantine" not in page(tmp_path, night_of(NIGHTS[1], added=400))


def test_history_shows_thirty_nights_and_where_none_ran(tmp_path):
    """Each stream with rows has a line of charts, tonight at the right; a night without a run is a dot, not a zero."""
    text = page(tmp_path, night_of("2026-05-30", 300), night_of(NIGHTS[0], 100), night_of(NIGHTS[1], 150))
    line = re.search(
        r'<th scope="row">wearable</th>(.*?)</tr>', text[text.index("The last 30 nights") :], re.DOTALL
    ).group(1)
    chart = line[: line.index("</svg>")]
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"', chart)]
    assert heights == pytest.approx([26, 26 / 3, 13], abs=0.1)
    assert chart.count("<circle") == 27
    assert 'aria-label="rows added: 150 tonight, at most 300 on 3 nights on record"' in chart
    assert chart.rindex("<rect") == chart.index('<rect x="174"')
    assert '<th scope="row">mood</th><td class="text"><svg' not in text


COUNTED = pd.DataFrame({
    "stream": "wearable", "rule": ["heart_rate_is_stuck", "heart_rate_is_stuck", "device_changed"],
    "is_of_the_night": [True, False, False], "n_subjects": [1, 3, 2], "n_rows_or_days": [2, 41, 2],
})  # fmt: skip


def test_what_cannot_be_is_counted_for_the_night_and_in_all(tmp_path):
    """Each rule has one line: subjects and days of tonight, and of all that is known; zero where tonight had none."""
    text = page(tmp_path, night_of(NIGHTS[1]), implausible=COUNTED)
    lines = re.findall(r'<td class="text">(Heart rate is stuck|Device changed)</td>((?:<td>\d+</td>){4})', text)
    assert {what: re.findall(r"\d+", cells) for what, cells in lines} == {
        "Heart rate is stuck": ["1", "2", "3", "41"], "Device changed": ["0", "0", "2", "2"]}  # fmt: skip
    assert "Counted when the night’s day panel is built." in page(tmp_path, night_of(NIGHTS[1]))


def test_the_page_can_be_heard_and_mailed(tmp_path):
    """Every table has a caption and scoped headers, nothing is loaded from elsewhere, operators' texts are escaped."""
    text = page(tmp_path, night_of(NIGHTS[1], broken=(STOPPED, WAIVED)), implausible=COUNTED)
    outline = Outline(text)
    assert outline.n_tables == outline.n_captions > 5
    assert (outline.unscoped, outline.loaded) == ([], [])
    assert "<strap>" not in text
    assert "<up>" not in text


def test_no_value_and_no_subject_reaches_record_or_page(installation, tmp_path):
    """Bad rows of a sentinel subject, in quarantine and in the lake: neither its id nor its values are told anywhere."""
    bad_minutes(installation)
    smuggle(installation, spoilt().assign(ingest_id="smuggled"))
    take_stock(installation, NIGHTS[0])
    nights = on_record(installation, NIGHTS[0])
    text = page(tmp_path / "site", *nights) + repr(nights)
    assert "heart_rate_is_plausible" in text
    assert not [word for word in ("zebra", "s-1", "-987654", "20310708", "901") if word in text]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_job_stops_where_rows_must_hold_and_tells_why_on_a_page(installation, tmp_path, monkeypatch):
    """`take_in` fails on rows that got past the door, its page is there all the same; with waivers it succeeds."""
    smuggle(installation, spoilt())
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(Refused, match="break what must hold"):
        execute(installation, "take_in")
    (written,) = (installation.settings.reports_folder).glob("data-*.html")
    assert "The night is stopped" in written.read_text(encoding="utf-8")
    waivers = [waiver(until="2027-01-01"), waiver(until="2027-01-01", expectation="steps_is_plausible")]
    execute(Installation(settings_from({"outcomes": OUTCOMES, "door": {"waivers": waivers}}, tmp_path)), "take_in")
    assert "none stops the night" in written.read_text(encoding="utf-8")


def test_checks_fail_as_errors_only_where_the_night_stops():
    """What stops is an error, which blocks; what is waived or odd is a failed check of a lower severity, with counts."""
    found = {name: checks._holds("wearable", night_of(NIGHTS[1], broken=broken).streams["wearable"])
             for name, broken in {"stopped": (STOPPED, WAIVED), "waived": (WAIVED, ODD), "fine": ()}.items()}  # fmt: skip
    assert [found[name].passed for name in found] == [False, False, True]
    assert found["stopped"].severity == AssetCheckSeverity.ERROR
    assert found["waived"].severity == AssetCheckSeverity.WARN
    assert found["waived"].metadata["broken"].value == [
        "heart_rate_is_plausible: 7 rows, waived until 2026-08-01: A <strap> is loose.",
        "device_off_the_body_feels_no_heart: 5 rows",
    ]


@pytest.mark.parametrize(("added", "most", "passes"), [(50, 0.5, True), (50, 0.4, False), (4000, 0.001, False)])
def test_the_share_in_quarantine_is_checked(added, most, passes):
    """More bad rows than the door would let through fail the check; counts are told, rows are not."""
    result = checks._few_bad("wearable", night_of(NIGHTS[1], added).streams["wearable"], most)
    assert result.passed == passes
    assert result.metadata["rows_in_quarantine"].value == 40


@pytest.mark.parametrize(("bad", "passes"), [(10, True), (11, False)])
def test_a_handful_of_rows_in_quarantine_is_no_share(bad, passes):
    """Ten bad rows and no good one pass, as the door lets them; eleven do not."""
    counts = dict.fromkeys(KINDS, 0) | {"received": bad, "quarantined": bad}
    assert checks._few_bad("wearable", StreamNight(counts, 0), 0.5).passed == passes
