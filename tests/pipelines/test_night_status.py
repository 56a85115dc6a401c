"""The status of a night: what makes it green, amber or red, where it is shown, and whom it is told."""

import dataclasses
import errno
import json
import sys
from datetime import date

import pytest
from dagster import DagsterInstance, RetryRequested, build_run_status_sensor_context, job, op, resource
from dagster._utils.error import serializable_error_info_from_exc_info
from sqlalchemy.exc import OperationalError

from pipelines import dagster_home, locks, night_record, night_status, supply, turn
from pipelines.cli import nights as commands
from pipelines.cli.held import held_for_a_night
from pipelines.defs import retries, sensors
from pipelines.errors import Refused, Usage
from pipelines.installation import Installation
from pipelines.night_record import NightStatus
from pipelines.night_sections import NightSettings
from pipelines.notices import Notice
from pipelines.reports.site import Context, write_index, write_page
from pipelines.settings import settings_from
from pipelines.turn import alone

NIGHT = "2026-07-01"
OUTCOMES = {"crisis": {"events": ["panic"], "horizons_days": [7]}}


@pytest.fixture
def told(monkeypatch) -> list[Notice]:
    """Notices that were given."""
    given: list[Notice] = []
    monkeypatch.setattr("pipelines.notices.give", lambda installation, notice: given.append(notice) or [])
    return given


@pytest.fixture
def installation(tmp_path) -> Installation:
    return Installation(settings_from({"outcomes": OUTCOMES}, tmp_path))


def counts(hours: int = 1, had: int = 90) -> dict[str, int]:
    return {"hours_since_wearable": hours, "on_the_roster": 100, "had_data_in_1d": had, "had_data_in_3d": had}


def levels(found: list[supply.Remark]) -> list[tuple[str, str]]:
    return [(remark.check, remark.level) for remark in found]


@pytest.mark.parametrize(("hours", "level"), [(35, None), (36, "amber"), (71, "amber"), (72, "red")])
def test_a_stream_is_judged_by_its_own_limits(hours, level):
    """Warned of from the hours on that are declared, and stopping the night from those on that are declared for that."""
    declared = NightSettings.model_validate(
        {"freshness": {"wearable": {"warn_after_hours": 36, "stop_after_hours": 72}}}
    )
    assert levels(supply.remarks(counts(hours), declared, [])) == ([(supply.FRESH, level)] if level else [])


def test_nothing_stops_a_night_unless_it_is_declared():
    """By default a stream silent for a month, and nobody's data, are amber."""
    earlier = [NightStatus(f"2026-06-{day:02}", counts=counts()) for day in range(1, 10)]
    found = supply.remarks(counts(720, 0), NightSettings(), earlier)
    assert {remark.level for remark in found} == {"amber"}
    assert found[0].words == "Nothing of `wearable` has come in for 30 days."


@pytest.mark.parametrize(
    ("silent", "first"),
    [(4, "Nothing has come in from any stream for 3 days: 4 of 4 are silent."),
     (3, "Nothing has come in from nearly any stream for 3 days: 3 of 4 are silent."),
     (2, "Nothing of `mood` has come in for 3 days.")],
)  # fmt: skip
def test_a_total_outage_is_one_sentence_before_the_others(silent, first):
    """Of streams that are looked after; it is as grave as the gravest of them."""
    names = ("mood", "sleep", "wearable", "signals")
    of = {f"hours_since_{name}": 80 + k if k < silent else 1 for k, name in enumerate(names)}
    declared = NightSettings.model_validate(
        {"freshness": {"sleep": {"stop_after_hours": 72}, "wearable_days": {"warn_after_hours": None}}}
    )
    found = supply.remarks(of | {"hours_since_wearable_days": 900}, declared, [])
    assert found[0].words == first
    assert len(found) == silent + (silent > 2)
    assert found[0].level == ("red" if silent > 2 else "amber")


@pytest.mark.parametrize(("had", "level"), [(73, None), (71, "amber"), (44, "red")])
def test_completeness_is_judged_by_what_is_usual(had, level):
    """The median of the nights on record is usual: 90 of 100, of which 80 % and 50 % are the limits here."""
    declared = NightSettings.model_validate({"completeness": {"stop_below": 0.5}})
    earlier = [NightStatus("2026-06-01", counts=counts(had=n)) for n in (10, 90, 90, 90, 95)]
    found = levels(supply.remarks(counts(had=had), declared, earlier))
    assert found == ([(supply.COMPLETE, level)] * len(supply.SPANS) if level else [])


@pytest.mark.parametrize("nights_before", [0, 3, 10])
def test_an_outage_is_never_learnt_as_usual(nights_before):
    """Nights without data teach nothing, be they those of a telling outage or single ones; what came before and after does."""
    one = counts(had=0)
    out = one | {f"hours_since_{name}": 100 for name in ("mood", "sleep", "wearable", "assessments")}
    earlier = [
        NightStatus("2026-06-01", counts=of)
        for of in [counts()] * nights_before + [out] * 12 + [counts()] * 5 + [one] * 12
    ]
    assert levels(supply.remarks(counts(had=0), NightSettings(), earlier)) == [(supply.COMPLETE, "amber")] * 2
    assert levels(supply.remarks(counts(), NightSettings(), earlier)) == []


def test_a_few_nights_say_nothing_of_what_is_usual():
    """With fewer than five on record nothing is called unusual."""
    earlier = [NightStatus("2026-06-01", counts=counts())] * (supply.FEWEST - 1)
    assert supply.remarks(counts(had=0), NightSettings(), earlier) == []


def test_the_worst_that_is_said_decides(installation):
    """Amber and red are added in any order; the same thing twice is said once, and the worst stands first."""
    night_status.begin(installation, NIGHT, {"on_the_roster": 3})
    for level, reason in (("amber", "a"), ("red", "b"), ("amber", "a"), ("green", "c")):
        night_status.add(installation, NIGHT, level, reason)
    status = night_status.of(installation, NIGHT)
    assert (status.level, status.reasons, status.counts) == ("red", ("b", "a", "c"), {"on_the_roster": 3})
    night_status.begin(installation, NIGHT, {})
    assert night_status.of(installation, NIGHT).reasons == ()


def test_a_refused_night_is_red_and_told_with_counts(installation, told):
    """The refusal goes on to whoever asked; record, index page and notice say why."""
    night_status.begin(installation, NIGHT, {"on_the_roster": 3})
    with pytest.raises(Refused), night_status.watched(installation, NIGHT):
        raise Refused("No champion yet for `foretide-crisis`.")
    status = night_record.last(installation.settings.state_folder)
    assert (status.level, status.reasons, status.is_over) == ("red", ("No champion yet for `foretide-crisis`.",), True)
    index = (installation.settings.reports_folder / "index.html").read_text()
    assert "Last night, 2026-07-01" in index
    assert "No champion yet for foretide-crisis." in index
    (notice,) = told
    assert (notice.kind, notice.level, notice.night, notice.counts) == (
        "night_failed",
        "red",
        NIGHT,
        {"on_the_roster": 3},
    )
    assert "last delivery" in notice.title


def test_an_unforeseen_fault_is_told_by_its_type_alone(installation, told):
    """Its text may hold somebody's data."""
    with pytest.raises(KeyError), night_status.watched(installation, NIGHT):
        raise KeyError("zebra-1")
    assert "zebra" not in json.dumps([status.reasons for status in [night_status.of(installation, NIGHT)]])
    assert "(KeyError)" in told[0].sentences[0]


def test_who_was_superseded_says_nothing_of_the_night(installation, told, tmp_path):
    """The night belongs to the run that took its place."""
    night_status.begin(installation, NIGHT, {})
    lock = locks.take(tmp_path / "lock")
    (tmp_path / "lock").unlink()
    with pytest.raises(Refused), installation.lease.of(lock), night_status.watched(installation, NIGHT):
        raise Refused("too late")
    lock.close()
    assert (night_status.of(installation, NIGHT).level, told) == ("green", [])


def test_who_was_superseded_amid_missed_nights_goes_on_to_no_other(installation, monkeypatch):
    """The next one, tonight's among them, belongs to another run."""

    def overtaken(*_):
        locks.take_place(installation.settings.state_folder / turn.LOCK_NAME).close()
        raise Refused("No champion yet.")

    monkeypatch.setattr(commands, "_score", overtaken)
    with alone(installation), pytest.raises(Refused, match="took this one's place"):
        commands._catch_up(installation, NIGHT)


def test_what_is_said_of_a_night_that_is_over_is_shown_on_its_page(installation):
    """A page that is written already is brought up to date, and so is the index."""
    folder = installation.settings.reports_folder
    content = {
        "serving": [],
        "sections": [],
        "notices": [],
        "roster": "3",
        "delivered": "3",
        "is_whole": True,
        "feedback": None,
    }
    before = NightStatus(NIGHT, is_over=True)
    night_record.write(installation.settings.state_folder, before)
    write_page(
        folder,
        f"nightly {NIGHT}",
        "nightly",
        "Night",
        "fine",
        Context(date(2026, 7, 1), "d"),
        status=before,
        alerts=(),
        **content,
    )
    write_index(folder)
    assert all("Green: nothing is wrong with the night" in path.read_text() for path in folder.glob("*.html"))
    night_status.add(installation, NIGHT, "amber", "The sink `postgres` is 1 night behind.")
    for path in folder.glob("*.html"):
        assert "Green" not in path.read_text()
        assert "The sink postgres is 1 night behind." in path.read_text()


def test_what_was_removed_is_said_again_by_a_night_that_was_cut_off_before_it_told(installation, monkeypatch):
    """The kill comes when somebody is to be told; the night begins anew, and says it."""
    note = installation.lake.root / "derived" / "removed.txt"
    note.parent.mkdir(parents=True)
    note.write_text("Removed and made anew: 1 file of `derived/days`.")
    monkeypatch.setattr(night_status, "_of_models", lambda installation: [])

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.notices.give", killed)
    night_status.begin(installation, NIGHT, {})
    with pytest.raises(KeyboardInterrupt):
        night_status.conclude(installation, NIGHT)
    given: list[Notice] = []
    monkeypatch.setattr("pipelines.notices.give", lambda installation, notice: given.append(notice) or [])
    for _ in range(2):
        night_status.begin(installation, NIGHT, {})
        night_status.conclude(installation, NIGHT)
    assert [notice.sentences for notice in given] == [("Removed and made anew: 1 file of `derived/days`.",)]


def test_a_damaged_record_is_no_record(installation):
    """A reader goes on; the night that writes next puts it right."""
    night_status.begin(installation, NIGHT, {})
    (installation.settings.state_folder / "nights" / f"{NIGHT}.json").write_text("{")
    assert night_status.of(installation, NIGHT) is None


def test_a_subject_is_never_in_a_record():
    """A status holds words and counts, by the types of its fields."""
    assert {field.name for field in dataclasses.fields(NightStatus)} == {
        "night",
        "level",
        "reasons",
        "counts",
        "levels",
        "is_over",
    }


@pytest.mark.parametrize(
    ("error", "passes"),
    [(OSError(5, "input/output error"), True), (OSError(28, "no space left"), False), (FileNotFoundError(2, "no"), False),
     (OperationalError("SELECT", {}, Exception("database is locked")), True), (Refused("no champion"), False),
     (KeyError("x"), False)],
)  # fmt: skip
def test_only_what_may_pass_is_tried_again(error, passes):
    """A share that is away and a locked registry are; a refusal, a full disk and a fault of ours are not."""
    with pytest.raises(RetryRequested if passes else type(error)), retries.tried_again():
        raise error


def test_the_sensor_says_in_words_what_a_step_refused():
    """An error of ours in its own words, wherever in the chain it is; of any other nothing."""
    for error, words in ((Refused("No champion yet."), "No champion yet."), (KeyError("zebra-1"), None)):
        try:
            raise RuntimeError("step failed") from error
        except RuntimeError:
            assert sensors.in_words(serializable_error_info_from_exc_info(sys.exc_info())) == words


def test_what_a_night_counts_can_be_told(installation, told):
    """The counts of a real night, windows of days among them, make a notice."""
    night_status.begin(installation, NIGHT, counts())
    night_status.add(installation, NIGHT, "amber", "Nothing of `mood` has come in for 3 days.")
    night_status.fail(installation, NIGHT, Refused("No champion."))
    (notice,) = told
    assert notice.counts["had_data_in_1d"] == 90
    assert any("docs/operations.md" in sentence for sentence in notice.sentences)


def point(installation, content: str) -> None:
    """Put a pointer to the night's delivery in place."""
    folder = installation.settings.deliveries_folder / NIGHT
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "manifest.json").touch()
    (folder / "latest.json").write_text(content)


def test_what_fails_after_the_scores_are_out_makes_no_night_without_scores(installation, told):
    """Scores of the night are in force: amber, and nobody is told that there are none."""
    point(installation, '{"run_id": "a"}')
    night_status.fail(installation, NIGHT, Refused("The champion's files were altered."))
    status = night_status.of(installation, NIGHT)
    assert status.level == "amber"
    assert "are delivered" in status.reasons[0]
    assert [notice.level for notice in told] == ["amber"]


@pytest.mark.parametrize("damage", ["{", "[]", "", '{"run_id": "b"}'])
def test_a_damaged_pointer_hides_no_failure(damage, installation, told):
    """Nobody can tell whether scores are in force: the night is red and told, and its own error goes on to whoever asked."""
    point(installation, damage)
    with pytest.raises(RuntimeError, match="disk"), night_status.watched(installation, NIGHT):
        raise RuntimeError("disk")
    status = night_status.of(installation, NIGHT)
    assert (status.level, status.is_over) == ("red", True)
    assert [(notice.kind, notice.level) for notice in told] == [("night_failed", "red")]


def test_a_night_with_a_damaged_pointer_that_could_not_begin_is_told(installation, told):
    """It counts as not delivered."""
    point(installation, "{")
    night_status.waits(installation, NIGHT)
    assert [notice.kind for notice in told] == ["night_waits"]


def test_a_failure_that_cannot_be_put_on_record_is_told(installation, told):
    """The record's place is taken by a file: somebody hears of the night all the same, and of its own error."""
    installation.settings.state_folder.mkdir(parents=True, exist_ok=True)
    (installation.settings.state_folder / "nights").write_text("")
    with pytest.raises(Refused, match="No champion"), night_status.watched(installation, NIGHT):
        raise Refused("No champion yet.")
    assert [notice.kind for notice in told] == ["night_failed"]


@pytest.mark.parametrize(
    ("night", "why"), [("0026-07-01", "before 1970"), ("26-07-01", "not a date"), ("9999-12-31", "not over")]
)
def test_a_night_that_none_can_be_is_a_matter_of_usage(night, why, installation, told):
    """Nothing is waited for, on record or told."""
    with pytest.raises(Usage, match=why), held_for_a_night(installation.settings, True, night):
        pytest.fail("it began")
    assert (told, installation.settings.state_folder.exists()) == ([], False)


def test_a_night_that_could_not_begin_is_told_though_it_cannot_be_put_on_record(installation, told):
    """The record's place is taken by a file."""
    installation.settings.state_folder.mkdir(parents=True, exist_ok=True)
    (installation.settings.state_folder / "nights").write_text("")
    night_status.waits(installation, NIGHT)
    assert [notice.kind for notice in told] == ["night_waits"]


def test_a_disk_that_takes_no_lock_is_told(installation, told, monkeypatch):
    """The file system has been read-only since it met a bad block: nobody can begin, and somebody hears of it."""

    def takes_none(_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(locks, "take", takes_none)
    with pytest.raises(OSError, match="Read-only"), held_for_a_night(installation.settings, True, NIGHT):
        pytest.fail("it began")
    assert [(notice.kind, notice.night, notice.sentences[0]) for notice in told] == [
        ("night_failed", NIGHT, "The disk is full, or fails. Make room.")
    ]


@pytest.mark.parametrize("at_work_on", ["2026-06-30", NIGHT, None])
def test_a_night_that_could_not_begin_is_told_unless_the_other_is_at_work_on_it(at_work_on, installation, told):
    """Not finished, never red; of the night that the holder of the lock says it is for, nothing is said."""
    with alone(installation, at_work_on):
        night_status.waits(Installation(installation.settings), NIGHT)
    status = night_status.of(installation, NIGHT)
    if at_work_on == NIGHT:
        assert (status, told) == (None, [])
        return
    assert (status.level, status.is_over) == ("amber", False)
    assert [(notice.kind, notice.level) for notice in told] == [("night_waits", "amber")]


def test_a_night_that_could_not_begin_takes_nothing_from_what_is_on_record(installation, told):
    """It may be under way, or over: what that one says stands."""
    night_status.begin(installation, NIGHT, {"on_the_roster": 3})
    night_status.waits(installation, NIGHT)
    assert (night_status.of(installation, NIGHT).counts, told) == ({"on_the_roster": 3}, [])
    assert [path.name for path in (installation.settings.state_folder / "nights").iterdir()] == [f"{NIGHT}.json"]


def test_a_night_that_has_its_scores_waits_for_nothing(installation, told, monkeypatch):
    """Though nothing is on record of it, as after a restored backup: nobody is told that there are none."""
    monkeypatch.setattr(night_status, "is_delivered", lambda *_: True)
    night_status.waits(installation, NIGHT)
    assert (night_status.of(installation, NIGHT), told) == (None, [])


def test_under_the_daemon_a_place_that_is_taken_is_no_fault_of_the_night(tmp_path, monkeypatch, told):
    """The run that found another at work fails before any step; the sensor says that it could not begin, and not red."""
    settings = settings_from({"outcomes": OUTCOMES}, tmp_path)
    monkeypatch.setattr(sensors, "load_settings", lambda: settings)

    @resource
    def taken():
        raise turn.AtWork("process 12")

    @op(required_resource_keys={"taken"})
    def step():
        pytest.fail("it began")

    @job(resource_defs={"taken": taken}, tags={dagster_home.PARTITION: NIGHT})
    def nightly():
        step()

    with DagsterInstance.ephemeral() as instance:
        result = nightly.execute_in_process(instance=instance, raise_on_error=False)
        (event,) = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
        sensors.night_failed(build_run_status_sensor_context(
            "night_failed", event, instance, result.dagster_run).for_run_failure())  # fmt: skip
    status = night_record.read(settings.state_folder, NIGHT)
    assert (status.level, status.is_over) == ("amber", False)
    assert [notice.kind for notice in told] == ["night_waits"]
