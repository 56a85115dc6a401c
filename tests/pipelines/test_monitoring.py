"""Watching an installation: what is kept of a night, what is told once, what asks for a retraining, and that nobody is in it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from dagster import DagsterInstance, build_sensor_context

from models.monitoring import counts
from models.monitoring.signals import DECAY, DRIFT, MISSINGNESS, ORDER, SCORES, Signal
from pipelines import by_night, night_status
from pipelines.cli import monitoring as command
from pipelines.consent.erasure import erase_subjects
from pipelines.defs import monitor, sensors
from pipelines.delivery.nights import POINTER_NAME
from pipelines.delivery.publish import publish
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.monitoring import (
    published,
    record,
    reporting,
    retraining,
    silence,
    store,
    telling,
    trial,
    turnout,
    watching,
)
from pipelines.monitoring.record import NightRecord
from pipelines.monitoring.store import Bins
from pipelines.night_sections import NightSettings
from pipelines.reports import monitoring as monitoring_page
from pipelines.settings import settings_from
from tests.pipelines.small_job import ROOT
from tests.pipelines.spoilt_histories import HEART, NIGHT, Fault
from tests.pipelines.test_delivery import AS_OF, context, night
from tests.pipelines.watched_histories import FIRST, histories, is_about, told_of_data

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

HIGHER = Signal(DRIFT, "crisis", "heart_resting_mean_7d_bpm", "all", "level", "2026-06-20", 0.9, 0.1, 0.4)
IN_SOUTH = replace(HIGHER, group="site=south", value=1.8)
UNSURE = Signal(DECAY, "crisis", "auroc", "all", "ranking", "2026-06-20", 0.55, 0.72, 0.17, "foretide-crisis/2 (rule)")
FEATURES = ("heart_resting_z_3d", "heart_resting_mean_7d_bpm", "sleep_duration_z_3d", "activity_steps_mean_7d")


def installed(folder, **monitoring) -> Installation:
    """An installation with the project's configuration and nothing in it."""
    content = yaml.safe_load((ROOT / "foretide.yaml").read_text()) | {"monitoring": monitoring}
    return Installation(settings_from(content, folder))


@pytest.fixture
def installation(tmp_path) -> Installation:
    """One that asks for a retraining after drift."""
    return installed(tmp_path, retrain_on=["drift"])


def by_other_rules(installation: Installation, monitoring: object) -> Installation:
    """The same installation with another section `monitoring:`."""
    return Installation(installation.settings.model_copy(update={"monitoring": monitoring}))


def on(date: str, *found: Signal, new: tuple[int, ...] = ()) -> NightRecord:
    """A record of a night with these signals."""
    return NightRecord(date, {DRIFT: 10}, list(found), list(new))


def deliver(installation: Installation, **changed) -> None:
    """Publish the small night of the delivery's tests."""
    of = context(**changed)
    publish(installation.settings.deliveries_folder, night(of), of)


def test_a_record_is_read_as_it_was_kept(installation):
    """Signals, new ones and figures come back; the night before is the newest earlier one."""
    kept = replace(
        on("2026-06-21", HIGHER, UNSURE, new=(1,)), looked_on="2026-06-21", figures=[{"metric": "auroc", "value": 0.5}]
    )
    record.keep(installation, kept)
    assert record.of(installation, "2026-06-21") == kept
    assert record.before(installation, "2026-06-21") is None
    assert record.before(installation, "2026-06-25").new_signals == [UNSURE]
    assert record.newest(installation) == "2026-06-21"


def test_drift_asks_for_one_retraining_in_four_weeks(installation):
    """Neighbours of a signal follow it: they ask for none; decay was not configured to; the same night again changes nothing."""
    assert retraining.ask(installation, "2026-06-21", [UNSURE]) == ""
    assert retraining.ask(installation, "2026-06-21", [HIGHER]) == "new signals of drift"
    assert retraining.ask(installation, "2026-06-21", []) == "new signals of drift"
    assert retraining.ask(installation, "2026-06-28", [IN_SOUTH]) == ""
    assert retraining.ask(installation, "2026-07-19", [HIGHER]) == "new signals of drift"
    assert [of.night for of in retraining.requests(installation)] == ["2026-06-21", "2026-07-19"]


def test_nothing_asks_for_a_retraining_unless_configured(tmp_path):
    """By default drift and decay are told, and start nothing."""
    assert retraining.ask(installed(tmp_path), "2026-06-21", [HIGHER, UNSURE]) == ""


def test_the_sensor_starts_each_retraining_once(installation, monkeypatch, tmp_path):
    """A request becomes a run of its night with a key of its own, which Dagster lets run once."""
    monkeypatch.setattr(sensors, "load_settings", lambda: installation.settings)
    retraining.ask(installation, "2026-06-21", [HIGHER])
    with DagsterInstance.ephemeral() as instance:
        found = list(sensors.retrain_that_was_asked_for(build_sensor_context(instance)))
    assert [(of.run_key, of.partition_key) for of in found] == [("monitoring 2026-06-21", "2026-06-21")]


def test_each_delivery_is_read_once(installation, monkeypatch):
    """A night that is known is not read again; one that was published anew is."""
    read = []
    rows = published._rows
    monkeypatch.setattr(published, "_rows", lambda *told: read.append(told[0].name) or rows(*told))
    deliver(installation)
    for _ in range(2):
        assert published.follow(installation, f"{AS_OF:%Y-%m-%d}") == []
    deliver(installation, input_content="late data")
    published.follow(installation, f"{AS_OF:%Y-%m-%d}")
    stored = published.stored(installation, f"{AS_OF:%Y-%m-%d}")
    assert len(read) == 2
    assert set(stored["run_id"]) == {read[-1]}
    assert stored["horizon_days"].unique().tolist() == [14] if "horizon_days" in stored else len(stored) == 6


def test_a_night_is_watched_once_for_each_delivery_that_is_in_force(installation, tmp_path, monkeypatch):
    """The same night again is taken from the record; one that was published anew, or by another budget, is watched anew."""
    at, watched = f"{AS_OF:%Y-%m-%d}", []

    def watch(made: Installation, night: str) -> watching.Watched:
        watched.append(night)
        return watching.Watched(replace(on(night, HIGHER, new=(0,)), made_of=watching._made_of(made, night)), {})

    monkeypatch.setattr(watching, "watch", watch)
    for changed in ({}, {}, {"input_content": "late data"}):
        deliver(installation, **changed)
        told, found = reporting.watch_and_report(installation, at)
        assert (told["signals"], found.signals) == (1, [HIGHER])
    assert len(watched) == 2
    stricter = installation.settings.monitoring.model_copy(update={"false_alarms_per_year": 1})
    reporting.watch_and_report(by_other_rules(installation, stricter), at)
    assert len(watched) == 3


def test_a_damaged_delivery_is_left_out_and_named(installation):
    """One that cannot be read keeps no other night from being watched."""
    deliver(installation)
    file = next(installation.settings.deliveries_folder.glob("*/*/scores.parquet"))
    file.write_bytes(file.read_bytes()[:-10])
    assert published.follow(installation, f"{AS_OF:%Y-%m-%d}") == [f"{AS_OF:%Y-%m-%d}"]
    assert published.stored(installation, f"{AS_OF:%Y-%m-%d}").empty


def test_a_damaged_pointer_keeps_no_other_night_from_being_watched(installation):
    """It is named where it is looked back on, and of no account where it is not; a copy of a night is none."""
    deliver(installation)
    root, at = installation.settings.deliveries_folder, f"{AS_OF:%Y-%m-%d}"
    shutil.copytree(root / at, root / f"{at}-backup")
    for other in ("2026-06-01", "2025-06-01"):
        (root / other).mkdir()
        (root / other / POINTER_NAME).write_text("{")
    assert published.follow(installation, at) == ["2026-06-01"]
    assert published.stored(installation, at)["as_of_date"].unique().tolist() == [AS_OF]


def test_a_model_that_shuffles_people_is_told_on_its_first_night_and_named(installation):
    """Of forty subjects: the sentence says what the order is compared with; nothing is told where it holds."""
    risks = np.linspace(0.01, 0.5, 40)
    for at, version, told in (("2026-07-01", "m/1 (rule)", risks), ("2026-07-02", "m/2 (rule)", risks[::-1])):
        rows = published.SCHEMA.empty_table().to_pandas()
        rows["subject_id"] = [f"p{k}" for k in range(40)]
        rows = rows.assign(**{by_night.NIGHT: pd.Timestamp(at).date()}, run_id=at, outcome="crisis", status="scored",
                           model_version=version, probability=told)  # fmt: skip
        published.put(installation.lake, pd.Timestamp(at), rows)
    compared = [
        watching.order(installation, at, published.lately(installation, at)) for at in ("2026-07-01", "2026-07-02")
    ]
    assert [n for n, _ in compared] == [0, 1]
    assert compared[0][1] == []
    (of,) = telling.findings(on("2026-07-02", *compared[1][1]), {})
    assert of.kind == ORDER
    assert "order people quite otherwise than those of m/1 (rule) before: rank agreement -1.00" in of.sentence


def test_scores_that_are_no_longer_looked_back_on_are_forgotten(installation):
    """A night before the window leaves no file behind."""
    deliver(installation)
    published.follow(installation, f"{AS_OF:%Y-%m-%d}")
    published.follow(installation, "2026-12-31")
    assert by_night.files(installation.lake, published.TABLE) == []
    assert not list(installation.lake.derived(published.TABLE).rglob("*.parquet"))


def test_who_withdraws_is_erased_from_published_scores(installation):
    """Erasure reaches what monitoring keeps of individuals; counts hold none."""
    deliver(installation)
    published.follow(installation, f"{AS_OF:%Y-%m-%d}")
    with installation.lake.connection() as connection:
        gone = erase_subjects(installation.lake, ["a-ill"], connection)
    assert gone == {f"derived/{published.TABLE}": 1}
    assert "a-ill" not in set(published.stored(installation, f"{AS_OF:%Y-%m-%d}")["subject_id"])


def test_nights_of_counts_come_back_in_their_place(installation):
    """A night counted again replaces itself and no other."""
    row = dict.fromkeys(counts.COUNTED, 5) | dict(zip(counts.KEY, ("feature", "crisis", "x", "all"), strict=True))
    nights = pd.to_datetime(["2026-06-20", "2026-06-21"])
    store.keep(installation, pd.DataFrame([{**row, "as_of_date": of} for of in nights]))
    store.keep(installation, pd.DataFrame([{**row, "missing": 9, "as_of_date": nights[1]}]))
    assert store.load(installation, "2026-06-21")["missing"].tolist() == [5, 9]
    assert store.load(installation, "2026-06-20")["missing"].tolist() == [5]


def test_what_belongs_together_is_one_sentence(installation):
    """What drifted, since when and in whom most, in words; a group more strongly than everybody is named."""
    told = reporting.words_of(installation)
    found = telling.findings(on("2026-06-21", HIGHER, IN_SOUTH, UNSURE, new=(0,)), told)
    assert [of.is_new for of in found] == [True, False]
    assert found[0].sentence.startswith(
        "The heart: resting heart rate, mean of 7 days is 1.70 standard deviations higher"
    )
    assert "since 2026-06-20, in everybody, most in site=south" in found[0].sentence
    assert "AUROC 0.55, where 0.72 was promised" in found[1].sentence
    assert telling.lead(on("2026-06-21"), []) == "Nothing is out of the ordinary."


def begun(installation: Installation, date: str, *silent: str, **hours: int) -> None:
    """A night on record of which some streams are silent; of streams that are named, by how many hours."""
    usual = {name: 100 if name in silent else 1 for name in ("mood", "sleep", "wearable", "signals")}
    counts = {f"hours_since_{name}": n for name, n in {**usual, **hours}.items()}
    night_status.begin(installation, date, counts)


def test_what_a_silent_stream_feeds_follows_from_it_and_asks_for_nobody(installation, monkeypatch):
    """Neither notice nor colour, on the page with a mark of its own; whatever another stream feeds is told."""
    given = []
    monkeypatch.setattr("pipelines.notices.give", lambda of, notice: given.append(notice) or [])
    begun(installation, "2026-06-21", "wearable")
    assert silence.of_night(installation, "2026-06-21").explains(HIGHER)
    of_night = replace(on("2026-06-21", HIGHER, UNSURE, new=(1,)), following=[0], silent=["wearable"])
    telling.spread(installation, of_night)
    assert [notice.kind for notice in given] == ["decay"]
    assert not any("The heart" in reason for reason in night_status.of(installation, "2026-06-21").reasons)
    found = telling.findings(of_night, reporting.words_of(installation))
    assert [(of.kind, of.follows, monitoring_page._mark(of)[0]) for of in found] == [
        ("decay", False, "▲"), ("drift", True, "◌"),
    ]  # fmt: skip
    assert "1 follows from streams that are or were silent" in telling.lead(of_night, found)


@pytest.mark.parametrize(
    ("silent", "name", "kind", "is_so"),
    [(("mood",), "heart_resting_mean_7d_bpm", DRIFT, False), (("mood",), "mood_valence_mean_7d", DRIFT, True),
     (("sleep",), "own_past_distance_7d", DRIFT, True), (("wearable",), "risk", SCORES, False),
     (("wearable",), "scored", MISSINGNESS, False), (("mood", "sleep", "wearable"), "risk", SCORES, True),
     (("mood", "sleep", "wearable"), "scored", MISSINGNESS, True), (("mood", "sleep", "wearable"), "x", DECAY, False),
     (("mood", "sleep", "wearable"), "x", ORDER, False)],
)  # fmt: skip
def test_a_silence_explains_what_it_feeds_and_an_outage_the_night(silent, name, kind, is_so, installation):
    """Who has a score and which is told unless next to nothing comes in; how past scores turned out always."""
    begun(installation, "2026-06-21", *silent)
    assert silence.of_night(installation, "2026-06-21").explains(replace(HIGHER, name=name, kind=kind)) == is_so


def by_themselves(monkeypatch: pytest.MonkeyPatch, found: list[Signal]) -> None:
    """Every night finds the same signals, and nothing is read for them."""
    monkeypatch.setattr(watching.signals, "of_night", lambda *_: found)
    monkeypatch.setattr(watching.signals, "charts", lambda *_: {})
    monkeypatch.setattr(watching.store, "load", lambda *_: None)
    monkeypatch.setattr(watching, "series_of_nights", lambda *_: None)
    monkeypatch.setattr(watching, "order", lambda *_: (0, []))
    monkeypatch.setattr(watching, "_look", lambda *_: ("", [], []))


def test_what_stands_a_week_after_the_silence_is_new(installation, monkeypatch):
    """Not before, and once; what was told before the silence is not told again."""
    before = replace(HIGHER, group="told before")
    by_themselves(monkeypatch, [before, HIGHER])
    record.keep(installation, on("2026-06-09", before, new=(0,)))
    new = {}
    for day in range(10, 23):
        date = f"2026-06-{day}"
        begun(installation, date, *(["wearable"] if day < 13 else []))
        watched = watching.judge(installation, date, None, Bins("2026-06-09", {}, {})).record
        record.keep(installation, watched)
        new[day] = [of.group for of in watched.new_signals]
    assert {day: groups for day, groups in new.items() if groups} == {20: [HIGHER.group]}


@pytest.mark.parametrize(
    ("hours", "name", "is_so"),
    [({"wearable_days": 100}, "heart_resting_mean_7d_bpm", False), ({"wearable": 100}, "heart_resting_mean_7d_bpm", True),
     ({"wearable": 100, "wearable_days": 1}, "heart_resting_mean_7d_bpm", False),
     ({"wearable": 100, "wearable_days": 1}, "circadian_l5_mean_28d", True),
     ({"wearable_days": 100}, "circadian_l5_mean_28d", False),
     ({"wearable": 100, "wearable_days": 9_000}, "heart_resting_mean_7d_bpm", True),
     ({"wearable": 9_000, "wearable_days": 9_000}, "heart_resting_mean_7d_bpm", False),
     ({"sleep": 35 * 24}, "own_past_distance_7d", True), ({"sleep": 35 * 24 + 1}, "own_past_distance_7d", False),
     ({"wearable_days": 100}, "signals_sleep_score_mean_7d", True), ({"wearable_days": 100}, "signals_pain_mean_7d", False),
     ({"mood": 100, "sleep": 9_000, "wearable": 9_000}, "risk", True),
     ({"mood": 9_000, "sleep": 9_000, "wearable": 9_000}, "risk", False)],
)  # fmt: skip
def test_a_stream_that_another_stands_in_for_or_that_ended_long_ago_explains_nothing(hours, name, is_so, installation):
    """Nothing may feed the feature any more, and since five weeks at most: a site that changed its stream hides no drift for good."""
    every_stream = Installation(installation.settings.model_copy(update={"night": NightSettings()}))
    begun(every_stream, "2026-06-21", **hours)
    kind = SCORES if name == "risk" else DRIFT
    assert silence.of_night(every_stream, "2026-06-21").explains(replace(HIGHER, name=name, kind=kind)) == is_so


def test_what_stands_when_a_silence_explains_nothing_more_is_new(installation, monkeypatch):
    """A stream that never comes back: five weeks, and the week in which what it explained still follows, then it is told, once."""
    by_themselves(monkeypatch, [HIGHER])
    nights = [f"{night:%Y-%m-%d}" for night in pd.date_range("2026-05-01", periods=50)]
    new = []
    for age, date in enumerate(nights):
        begun(installation, date, wearable=24 * age + 1)
        watched = watching.judge(installation, date, None, Bins(nights[0], {}, {})).record
        record.keep(installation, watched if age > 2 else on(date))
        new += [age] * (age > 2 and bool(watched.new_signals))
    assert new == [35 + 7]


def test_what_came_of_scores_is_told_by_tens(installation):
    """Of those that the scores foresaw 7 in 10 came, in women 13; what else changed has the verb of its number."""
    told = reporting.words_of(installation)
    few = replace(UNSURE, name="observed_to_expected", statistic="calibration", value=0.7, expected=1.0)
    (found,) = telling.findings(on("2026-06-21", few, replace(few, group="sex=F", value=1.34)), told)
    assert "for every 10 events that the scores foresaw, 7 came to pass" in found.sentence
    assert "for every 10 events that the scores foresaw in sex=F, 13 came to pass" in found.sentence
    (found,) = telling.findings(on("2026-06-21", HIGHER, replace(HIGHER, name="heart_resting_z_3d", value=0.5)), told)
    assert found.sentence.endswith("; 1 further feature has changed, too.")


def test_a_young_installation_says_that_it_cannot_judge(installation):
    """With no night nothing can be told; with one that judges nothing, that is what it says."""
    with pytest.raises(Refused, match="not enough history yet: no night was watched"):
        command._watched(installation, None, as_json=False)
    assert "not enough history" in telling.lead(NightRecord("2026-06-21", {}, []), [])


def test_checks_fail_by_their_own_signals_only():
    """Drift fails the check of features, a poor order that of ranking; a night that could not be watched fails all, as warnings."""
    failed = {of.check_name for of in monitor._checks(on("2026-06-21", HIGHER, UNSURE)) if not of.passed}
    assert failed == {"features_have_not_drifted", "past_scores_ranked_as_promised"}
    unwatched = list(monitor._checks(None))
    assert not any(of.passed for of in unwatched)
    assert {of.severity.value for of in unwatched} == {"WARN"}


def test_what_keeps_a_night_from_being_watched_fails_nothing(installation, monkeypatch):
    """The night is delivered by then: the reason is told, without what an error may hold of somebody."""

    def full(*_):
        raise OSError(28, "No space left on device", "/somewhere/p-17.parquet")

    monkeypatch.setattr(watching, "watch", full)
    told, found = reporting.watch_and_report(installation, "2026-06-21")
    assert found is None
    assert "No space left on device" in told["not watched"]
    assert "p-17" not in told["not watched"]


@pytest.fixture(scope="module")
def history():
    """150 people whose heart is read 8 % faster from the 45th watched night on."""
    fault = Fault("firmware", "scale", "wearable_days", 45, 1.08, HEART, families=("heart",))
    for of in histories(4001, 150, fault, FEATURES):
        yield of, fault


def test_a_faster_heart_is_found_within_days_and_nothing_before(history):
    """From raw rows through lake and features to the signal: in the heart, soon after it began."""
    of, fault = history
    told = told_of_data(of)
    assert told
    assert not [signal for signal in told if signal.night < fault.onset]
    assert all(is_about(signal, fault.families) for signal in told)
    assert told[0].night - fault.onset <= 4


@pytest.fixture
def watched(history, tmp_path):
    """That history as an installation would have it, scores published on 45 of its nights, and the last night judged."""
    of, _ = history
    made, bins = of.installation, Bins(f"{FIRST:%Y-%m-%d}")
    store.write_bins(made, bins)
    store.keep(made, of.counted)
    nights = of.matrix[of.matrix["index_date"] >= pd.Timestamp(NIGHT) - pd.Timedelta(days=45)]
    generator = pd.util.hash_pandas_object(nights["subject_id"], index=False).to_numpy() % 1000
    rows = nights[["subject_id"]].assign(
        as_of_date=nights["index_date"], run_id="r", outcome="crisis", status="scored", model_version="foretide-crisis/1 (rule)",
        tier="baseline", alert=None, probability=0.02 + generator / 4000,
    )  # fmt: skip
    for night_of, part in rows.groupby("as_of_date"):
        published.put(made.lake, night_of, part)
    last = f"{pd.Timestamp(NIGHT) - pd.Timedelta(days=1):%Y-%m-%d}"
    yield made, last, watching.judge(made, last, of.attributes, bins), of
    shutil.rmtree(made.settings.monitoring_folder)


def test_the_page_says_what_changed_and_names_nobody(watched):
    """The finding comes first, charts and tables follow; no subject is on it, nor in the record or in the rows."""
    made, last, found, of = watched
    page = reporting.write(made, found)
    text = page.read_text()
    path = record.keep(made, found.record)
    rows = reporting.rows(made, found)
    assert f"<h1>Monitoring, night of {last}</h1>" in text
    assert "The heart" in text
    assert "<svg" in text
    missing = text[text.index("What is missing, and who") :]
    # Shares are told in per cent, in figures as in charts; what is measured is not.
    assert "Tonight (%)" in missing
    assert "Tonight (%)" not in text[: text.index("What is missing, and who")]
    assert " %</" in missing[: missing.index("</svg>")]
    for name in of.attributes["subject_id"]:
        assert name not in text
        assert name not in path.read_text()
        assert name not in json.dumps(rows, default=str)
    assert {row["split"] for row in rows} == {"published"}
    assert {"drift_level", "missingness_missing"} <= {row["metric"] for row in rows}


def test_scores_turn_out_once_their_horizon_is_over(watched):
    """Nights of the last two weeks are not looked at; the others are judged by what is known now, everybody and by group."""
    made, last, found, of = watched
    rows = turnout.known(made, last, published.stored(made, last), watching.engineering.outcomes(made)[0])
    assert rows["as_of_date"].max() == pd.Timestamp(last) - pd.Timedelta(days=14)
    assert rows["label"].isin([0, 1]).all()
    assert found.record.looked_on == last
    assert {"all", "sex=F"} <= {row["group"] for row in found.record.figures}


def test_a_look_is_taken_weekly(watched, monkeypatch):
    """A night after a look has its figures, and looks at nothing itself."""
    made, last, found, of = watched
    record.keep(made, found.record)
    monkeypatch.setattr(turnout, "look", lambda *_: pytest.fail("looked again"))
    next_night = watching.judge(made, NIGHT, of.attributes, Bins(f"{FIRST:%Y-%m-%d}"))
    assert next_night.record.looked_on == last
    assert next_night.record.figures == record.of(made, last).figures


def test_of_a_night_that_was_not_watched_nothing_is_said_but_that(installation):
    """And which night is the newest that was; another scoring of it may be refused."""
    with pytest.raises(Refused, match=r"The night of 2026-06-01 was not watched\. None was yet: `foretide score`"):
        watching.again(installation, "2026-06-01")
    for watched_night in ("2026-06-19", "2026-06-20"):
        record.keep(installation, NightRecord(watched_night, {}, []))
    with pytest.raises(Refused, match=r"was not watched\. The newest that was is that of 2026-06-20\.$"):
        watching.again(installation, "2026-06-01")


def test_nights_of_a_backtest_can_be_tried(watched, monkeypatch, tmp_path):
    """Scores of any folder are judged, with how they turned out; a folder without a night is refused."""
    made, last, found, of = watched
    with pytest.raises(Refused, match="No night was delivered"):
        trial.of_deliveries(made, tmp_path)
    monkeypatch.setattr(published, "below", lambda *_: published.stored(made, last))
    tried = trial.of_deliveries(made, tmp_path)
    assert tried.nights == 45
    assert {"all", "sex=F"} <= set(tried.figures["group"])
    assert trial.sentences(tried, {}) is not None
