"""Nights that are over: a backtest gives what the nights gave, late data supersede, a policy is simulated on both."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from models.errors import ModelsError
from pipelines import alert_simulation, engineering, late, locks, night_status, past_nights
from pipelines.consent.withdrawal import withdraw
from pipelines.delivery.publish import current, read_scores
from pipelines.delivery.verify import verify
from pipelines.errors import Fault, Refused
from pipelines.installation import Installation
from pipelines.settings import load_settings, settings_from
from pipelines.turn import LOCK_NAME, alone
from tests.pipelines.small_job import foretide, make_smallest_home

FORETIDE = Path(sys.executable).with_name("foretide")
NIGHTS = ["2026-06-24", "2026-06-25", "2026-06-26"]
MAPPING = """
source: ward
time_zone: UTC
files:
  - path: care.csv
    table: care_status
    columns: {subject_id: id, since: since, status: status}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home that was trained as of the first night, and scored on each of three."""
    made = make_smallest_home(tmp_path_factory.mktemp("nights") / "home")
    code, _, errors = foretide(made, "run", "--as-of", NIGHTS[0])
    assert code == 0, errors
    for night in NIGHTS[1:]:
        code, _, errors = foretide(made, "score", "--as-of", night)
        assert code == 0, errors
    return made


@pytest.fixture(scope="module")
def backtested(home):
    """Deliveries of a backtest of two nights before the training, and what was in force when it began."""
    before = content(home / ".state" / "deliveries")
    code, _, errors = foretide(home, "backtest", "--from", "2026-06-15", "--to", "2026-06-16")
    assert code == 0, errors
    return home / ".state" / "backtests" / "2026-06-15_2026-06-16" / "deliveries", before


def content(folder) -> dict[str, bytes]:
    """Every file below a folder of deliveries that is in force."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_backtest_gives_the_bytes_that_the_nights_gave(home):
    """Features of all nights at once, alerts in memory, the same model: folder by folder the same deliveries."""
    code, answer, errors = foretide(home, "backtest", "--from", NIGHTS[0], "--to", NIGHTS[-1])
    assert code == 0, errors
    made = home / ".state" / "backtests" / f"{NIGHTS[0]}_{NIGHTS[-1]}" / "deliveries"
    assert content(made) == content(home / ".state" / "deliveries")
    assert len(answer["rows"]) == len(NIGHTS)


def test_a_backtest_of_nights_before_the_training_is_by_a_model_that_had_not_seen_them(home, backtested):
    """The champion saw beyond; its recipe is fitted as of the first night, and what is in force stays."""
    deliveries, before = backtested
    folder = current(deliveries, pd.Timestamp("2026-06-16"))
    assert verify(folder).is_whole
    assert read_scores(folder)["model_version"].str.contains("as-of-2026-06-15").all()
    assert content(home / ".state" / "deliveries") == before


def test_nights_that_the_lake_does_not_hold_are_refused(home):
    """In the wrong order, and beyond the newest night."""
    assert foretide(home, "backtest", "--from", "2026-06-20", "--to", "2026-06-19")[0] == 2
    assert foretide(home, "backtest", "--from", "2026-06-20", "--to", "2026-09-01")[0] == 1


def test_a_policy_is_simulated_on_delivered_nights_beside_another(home, tmp_path):
    """Alerts of a smaller capacity are fewer; both policies rest on the same nights."""
    (tmp_path / "other.yaml").write_text("alert_policy: {high: {alerts_per_100_per_week: 0.1, floor: 0.9, action: look}, "
                                         "elevated: {alerts_per_100_per_week: 0.1, floor: 0.8, action: look}}")  # fmt: skip
    code, answer, errors = foretide(home, "policy", str(tmp_path / "other.yaml"), "--simulate")
    assert code == 0, errors
    rows = pd.DataFrame(answer["rows"])
    most = rows[rows["metric"] == "alerts_in_7_nights_most"].groupby("policy")["value"].sum()
    assert most["proposed"] == 0 < most["in force"]


def test_a_simulated_figure_names_what_it_rests_on_and_is_never_of_a_few(home, backtested, tmp_path):
    """How often alerts were given rests on everybody; of alerts that nobody got there is no share."""
    (tmp_path / "other.yaml").write_text("alert_policy: {high: {alerts_per_100_per_week: 0.1, floor: 1, action: look}, "
                                         "elevated: {alerts_per_100_per_week: 0.1, floor: 1, action: look}}")  # fmt: skip
    asked = ["policy", str(tmp_path / "other.yaml"), "--simulate", "--deliveries", str(backtested[0])]
    rows = pd.DataFrame(foretide(home, *asked)[1]["rows"])
    figures = rows[~rows["tier"].str.startswith("site")]
    assert figures["n_subjects"].dropna().ge(10).all()
    assert figures.loc[figures["n_subjects"].isna(), ["value", "low", "high", "n_episodes"]].isna().all(axis=None)
    by = figures[figures["tier"] == "all"].set_index(["policy", "metric"])
    assert np.isnan(by.loc[("proposed", "ppv"), "value"])
    none, some = (by.loc[(policy, "alerts_per_100_subject_weeks")] for policy in ("proposed", "in force"))
    assert none["value"] == 0 < some["low"] < some["value"] < some["high"]
    rests_on = f"{some['n_episodes']:.0f} episodes, {some['n_subjects']:.0f} subjects"
    told = subprocess.run([FORETIDE, *asked], cwd=home, capture_output=True, text=True, check=True).stdout
    assert f"0.00, {rests_on}" in told
    assert f"{some['value']:.2f} ({some['low']:.2f} to {some['high']:.2f}), {rests_on}" in told
    assert "fewer than 10 subjects" in told


def test_a_site_of_a_few_subjects_tells_nothing_of_its_workload():
    """Who is alone at a site would be somebody: neither what it asks nor how many they are; a larger site tells both."""
    decided = pd.DataFrame({
        "as_of_date": pd.Timestamp(NIGHTS[0]), "subject_id": [f"s{n}" for n in range(19)], "site": ["few"] * 9 + ["many"] * 10,
        "tier": "high", "alert": "new", "waits": False,
    })  # fmt: skip
    told = pd.DataFrame(alert_simulation._workload(decided)).set_index("tier")[["value", "n_subjects"]]
    assert told.loc["site few"].isna().all(axis=None)
    assert told.loc["site many", "n_subjects"].eq(10).all()
    assert told.loc["site many", "value"].max() == 10


def test_a_damaged_night_that_cannot_be_simulated_on_is_named(home, tmp_path):
    """With the night and what makes it again."""
    copy = copied(home, tmp_path)
    rows = current(copy / ".state" / "deliveries", pd.Timestamp(NIGHTS[1])) / "scores.parquet"
    rows.write_bytes(rows.read_bytes()[:-1])
    code, answer, _ = foretide(copy, "policy", "--simulate")
    assert code == 1
    assert f"The night of {NIGHTS[1]} cannot be simulated on" in answer["error"]
    assert f"`foretide score --as-of {NIGHTS[1]}` makes it again" in answer["error"]
    assert foretide(copy, "score", "--as-of", NIGHTS[1])[0] == 0
    assert foretide(copy, "policy", "--simulate")[0] == 0


def test_a_wrong_proposal_is_named(home, tmp_path):
    """A file without the section, and one with a wrong key."""
    (tmp_path / "none.yaml").write_text("outcomes: {}")
    (tmp_path / "wrong.yaml").write_text("alert_policy: {refractory_day: 3}")
    assert foretide(home, "policy", str(tmp_path / "none.yaml"))[0] == 2
    assert foretide(home, "policy", str(tmp_path / "wrong.yaml"))[0] == 2


def copied(home: Path, tmp_path: Path) -> Path:
    """A copy of the home that gets its data from no source but what is taken in."""
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    (copy / "care.yaml").write_text(MAPPING)
    settings = yaml.safe_load((copy / "foretide.yaml").read_text())
    (copy / "own.yaml").write_text(yaml.safe_dump({**settings, "sources": []}))
    return copy


def someone_scored(home: Path) -> str:
    """A subject who has a score in the delivery in force of the 26th."""
    rows = read_scores(current(home / ".state" / "deliveries", pd.Timestamp(NIGHTS[2])))
    return rows.query("status == 'scored'")["subject_id"].iloc[0]


def take_in_late(home: Path, subject: str) -> None:
    """Let it come in only now that somebody was admitted on the 24th, as was received on the 25th."""
    (home / subject).mkdir()
    (home / subject / "care.csv").write_text(f"id,since,status\n{subject},2026-06-24T10:00:00Z,inpatient\n")
    told = ("--mapping", "care.yaml", "--received-at", "2026-06-25T20:00:00Z", "--config", "own.yaml")
    code, _, errors = foretide(home, "ingest", "table", subject, *told)
    assert code == 0, errors


def test_late_data_supersede_the_nights_they_concern(home, tmp_path):
    """Somebody was admitted, as was received on the 25th and came in later: the 26th is delivered again, the 25th stays."""
    copy = copied(home, tmp_path)
    root = copy / ".state" / "deliveries"
    former = {night: current(root, pd.Timestamp(night)) for night in NIGHTS}
    page = copy / ".state" / "reports" / f"nightly-{NIGHTS[2]}.html"
    scored = someone_scored(copy)
    take_in_late(copy, scored)
    code, answer, errors = foretide(copy, "score", "--as-of", "2026-06-27", "--config", "own.yaml")
    assert code == 0, errors
    now = {night: current(root, pd.Timestamp(night)) for night in NIGHTS}
    assert [now[night] == former[night] for night in NIGHTS] == [True, True, False]
    made = json.loads((now[NIGHTS[2]] / "manifest.json").read_text())
    assert made["supersedes"] == former[NIGHTS[2]].name
    assert verify(former[NIGHTS[2]]).is_whole
    rows = read_scores(now[NIGHTS[2]]).query("subject_id == @scored")
    assert set(rows["status"]) == {"not_eligible"}
    everybody = read_scores(now[NIGHTS[2]]).drop_duplicates("subject_id")
    n_scored, text = int((everybody["status"] == "scored").sum()), page.read_text()
    assert f"{n_scored} of {len(everybody)} subjects have a score" in text
    assert f"redelivery 1 of the night is run {now[NIGHTS[2]].name}." in text
    assert former[NIGHTS[2]].name not in text
    assert answer["late_nights"] == {NIGHTS[2]: now[NIGHTS[2]].name}


KILLED_AT = """
import os, sys
from pipelines import night, notices
from pipelines.cli.main import main
{place} = lambda *_: os._exit(137)
sys.argv = ["foretide", "score", "--as-of", "2026-06-27", "--config", "own.yaml"]
main()
"""


def test_a_redelivery_that_is_cut_off_is_told_and_put_on_record_by_the_next_night(home, tmp_path):
    """Killed before its notice, and once more before its record; then more comes in late, and that is told as another."""
    copy = copied(home, tmp_path)
    state, before = copy / ".state", someone_scored(copy)
    take_in_late(copy, before)
    first = current(state / "deliveries", pd.Timestamp(NIGHTS[2])).name
    for place in ("notices.give", "night.record"):
        killed = subprocess.run([sys.executable, "-c", KILLED_AT.format(place=place)], cwd=copy, check=False)
        assert killed.returncode == 137
        cut_off = current(state / "deliveries", pd.Timestamp(NIGHTS[2])).name
        assert cut_off != first
        assert cut_off not in recorded(state)
    assert foretide(copy, "score", "--as-of", "2026-06-27", "--config", "own.yaml")[0] == 0
    assert recorded(state) == [first, cut_off]
    assert told(state) == [1]
    page = (state / "reports" / f"nightly-{NIGHTS[2]}.html").read_text()
    assert cut_off in page
    assert first not in page
    take_in_late(copy, someone_scored(copy))
    code, answer, errors = foretide(copy, "score", "--as-of", "2026-06-27", "--config", "own.yaml")
    assert code == 0, errors
    assert recorded(state) == [first, cut_off, answer["late_nights"][NIGHTS[2]]]
    assert told(state) == [1, 2]


def declared_otherwise(home: Path, change: Callable[[dict], object]) -> Path:
    """The home after its configuration was changed, both of its files."""
    for name in ("foretide.yaml", "own.yaml"):
        content = yaml.safe_load((home / name).read_text())
        change(content)
        (home / name).write_text(yaml.safe_dump(content))
    return home


def other_horizons(settings: dict) -> None:
    """Risks within another number of days are asked for than the champion gives."""
    settings["outcomes"]["crisis"] |= {"horizons_days": [10], "alert_horizon_days": 10}


def test_horizons_that_the_champion_was_not_trained_for_are_refused_wherever_it_would_score(home, tmp_path):
    """Tonight, nights of a backtest, promotion and late nights, each with the same words; what is in force stays."""
    copy = declared_otherwise(copied(home, tmp_path), other_horizons)
    before = content(copy / ".state" / "deliveries")
    why = (
        "version 1 was trained for 14 days and gives no others. Run `foretide train`, or declare `horizons_days: [14]`"
    )
    asked = (("score", "--as-of", "2026-06-27"), ("backtest", "--from", NIGHTS[0], "--to", NIGHTS[1]), ("promote",))
    for arguments in asked:
        code, answer, _ = foretide(copy, *arguments)
        assert code == 1, arguments
        assert why in answer["error"]
    findings = {row["check"]: row["finding"] for row in foretide(copy, "doctor")[1]["rows"]}
    assert why in findings["champion"]
    take_in_late(copy, someone_scored(copy))
    installation = Installation(load_settings(copy / "own.yaml"))
    told = late.redeliver(installation, "2026-06-27")
    assert told[NIGHTS[2]].startswith("not delivered again: ")
    assert why in told[NIGHTS[2]]
    assert content(copy / ".state" / "deliveries") == before


def test_a_corrected_time_zone_gives_a_run_that_supersedes(home, tmp_path):
    """What decides rows is part of the run: the night is scored anew, once, and does not stand with what it was before."""

    def corrected(settings: dict) -> None:
        settings["sites"]["time_zones"]["north"] = "Europe/London"

    copy = copied(home, tmp_path)
    former = current(copy / ".state" / "deliveries", pd.Timestamp(NIGHTS[2]))
    declared_otherwise(copy, corrected)
    for _ in range(2):
        code, _, errors = foretide(copy, "score", "--as-of", NIGHTS[2])
        assert code == 0, errors
    now = current(copy / ".state" / "deliveries", pd.Timestamp(NIGHTS[2]))
    assert json.loads((now / "manifest.json").read_text())["supersedes"] == former.name
    assert len([path for path in now.parent.iterdir() if path.is_dir()]) == 2


def recorded(state: Path, night: str = NIGHTS[2]) -> list[str]:
    """Runs of a night by the audit log, in its order, each once."""
    entries = [json.loads(line)["details"] for line in (state / "audit" / "log.jsonl").read_text().splitlines()]
    runs = [entry["run_id"] for entry in entries if entry.get("night") == night and "policy" in entry]
    return list(dict.fromkeys(runs))


def told(state: Path) -> list[int]:
    """Of which redeliveries of the 26th somebody was told."""
    notices = [json.loads(line) for line in (state / "notices.jsonl").read_text().splitlines()]
    of_night = [one for one in notices if (one["kind"], one["night"]) == ("night_redelivered", NIGHTS[2])]
    return [one["counts"]["redeliveries"] for one in of_night]


def killed_before_its_record(home: Path) -> str:
    """Score the 27th and kill it once its delivery is in force; the run that it was."""
    killed = subprocess.run([sys.executable, "-c", KILLED_AT.format(place="night.record")], cwd=home, check=False)
    assert killed.returncode == 137
    run = current(home / ".state" / "deliveries", pd.Timestamp("2026-06-27")).name
    assert recorded(home / ".state", "2026-06-27") == []
    return run


def declare(home: Path, section: str, **changed: object) -> None:
    """Have the settings of the copied home say something else."""
    settings = yaml.safe_load((home / "own.yaml").read_text())
    (home / "own.yaml").write_text(yaml.safe_dump({**settings, section: {**settings[section], **changed}}))


def test_a_delivery_that_was_in_force_is_on_record_before_what_takes_its_place(home, tmp_path):
    """Killed in between; then the policy changes, and the same night is scored again."""
    copy = copied(home, tmp_path)
    first = killed_before_its_record(copy)
    declare(copy, "alert_policy", worsens_by=4)
    assert foretide(copy, "score", "--as-of", "2026-06-27", "--config", "own.yaml")[0] == 0
    now = current(copy / ".state" / "deliveries", pd.Timestamp("2026-06-27")).name
    assert first != now
    assert recorded(copy / ".state", "2026-06-27") == [first, now]


def test_a_delivery_that_a_notice_took_the_place_of_is_put_on_record(home, tmp_path):
    """Killed in between; then somebody withdraws, and the next night looks at no past one for late data. The notice is on record
    with its withdrawal, and no second time."""
    copy = copied(home, tmp_path)
    first, state = killed_before_its_record(copy), copy / ".state"
    with alone(made := at(copy)):
        withdraw(made, [someone_scored(copy)], date(2026, 6, 27))
    notice = current(state / "deliveries", pd.Timestamp("2026-06-27")).name
    assert notice != first
    declare(copy, "delivery", late_nights=0)
    assert foretide(copy, "score", "--as-of", "2026-06-28", "--config", "own.yaml")[0] == 0
    assert recorded(state, "2026-06-27") == [first]
    assert (state / "audit" / "log.jsonl").read_text().count(notice) == 1


@pytest.fixture
def with_late_data(home, tmp_path) -> Path:
    """A copy of the home where something came in late that concerns the 26th."""
    copy = copied(home, tmp_path)
    take_in_late(copy, someone_scored(copy))
    return copy


def at(home: Path, **outcomes: object) -> Installation:
    """The installation of a home, with other outcomes declared."""
    settings = yaml.safe_load((home / "own.yaml").read_text())
    declared = settings["outcomes"]
    return Installation(settings_from({**settings, "outcomes": {**declared, **outcomes}}, home))


def test_a_late_night_is_delivered_again_for_the_outcomes_of_then(with_late_data):
    """An outcome that was declared since has nothing that scored it."""
    crisis = yaml.safe_load((with_late_data / "own.yaml").read_text())["outcomes"]["crisis"]
    told = late.redeliver(at(with_late_data, another={**crisis, "events": ["emergency"]}), "2026-06-27")
    folder = current(with_late_data / ".state" / "deliveries", pd.Timestamp(NIGHTS[2]))
    assert told == {NIGHTS[2]: folder.name}
    assert set(read_scores(folder)["outcome"]) == {"crisis"}
    assert recorded(with_late_data / ".state")[-1] == folder.name


@pytest.mark.parametrize("obstacle", ["horizons", "model", "memory"])
def test_a_late_night_that_cannot_be_made_stays_and_tonight_says_so(obstacle, with_late_data, monkeypatch):
    """Over other horizons than those of its model, by a model whose feature is off, without memory: told, and tonight goes on."""
    made, former = at(with_late_data), current(with_late_data / ".state" / "deliveries", pd.Timestamp(NIGHTS[2]))
    crisis = yaml.safe_load((with_late_data / "own.yaml").read_text())["outcomes"]["crisis"]
    if obstacle == "horizons":
        made = at(with_late_data, crisis={**crisis, "horizons_days": [7, 14]})
    else:
        error = ModelsError("It has no such feature.") if obstacle == "model" else MemoryError()
        monkeypatch.setattr(past_nights, "matrices", lambda *_: (_ for _ in ()).throw(error))
    told = late.redeliver(made, "2026-06-27")
    assert told[NIGHTS[2]].startswith(late.STAYS)
    assert current(with_late_data / ".state" / "deliveries", pd.Timestamp(NIGHTS[2])) == former
    (reason,) = night_status.of(made, "2026-06-27").reasons
    assert NIGHTS[2] in reason
    assert {"horizons": "and gives no others", "model": "no such feature", "memory": "MemoryError"}[obstacle] in reason


def test_nights_that_stay_are_one_sentence(with_late_data):
    """Pointers of two nights are damaged; a third cannot be made, for its alerts rest on theirs."""
    for night in NIGHTS[:2]:
        (with_late_data / ".state" / "deliveries" / night / "latest.json").write_text("{")
    made = at(with_late_data)
    assert set(late.redeliver(made, "2026-06-27")) == set(NIGHTS)
    (said,) = night_status.of(made, "2026-06-27").reasons
    assert all(night in said for night in NIGHTS)


def test_a_night_is_made_again_as_it_was_made_then(home, tmp_path, monkeypatch):
    """Where nothing new is known it is the very run that is in force: by the model and the past alerts of then, with whatever is
    champion today, and no further back than is declared."""
    copy = copied(home, tmp_path)
    declare(copy, "delivery", late_nights=2)
    made, root = at(copy), copy / ".state" / "deliveries"
    before = content(root)
    monkeypatch.setattr(late, "_is_late", lambda *_: True)
    monkeypatch.setattr(type(made.registry), "champion", lambda *_: pytest.fail("today's champion was asked for"))
    assert late.redeliver(made, "2026-06-27") == {
        night: current(root, pd.Timestamp(night)).name for night in NIGHTS[1:]
    }
    assert content(root) == before


def test_nights_after_a_late_one_follow(home, tmp_path, monkeypatch):
    """Their alerts rest on its own, though nothing of them is late, as after a night that could be made only at the second try."""
    monkeypatch.setattr(late, "_is_late", lambda _, of: f"{of.night:%Y-%m-%d}" == NIGHTS[1])
    monkeypatch.setattr(late, "_again", lambda _, of: of.folder.name)
    monkeypatch.setattr(engineering, "panel", lambda *_: None)
    assert list(late.redeliver(at(copied(home, tmp_path)), "2026-06-27")) == NIGHTS[1:]


def test_who_was_superseded_delivers_no_further_night_again(home, tmp_path, monkeypatch):
    """What it failed at then is nothing to say of the night: it belongs to another run."""
    made = at(copied(home, tmp_path))

    def overtaken(*_):
        locks.take_place(made.settings.state_folder / LOCK_NAME).close()
        raise Fault("The model registry cannot be reached.")

    monkeypatch.setattr(late, "_is_late", lambda *_: True)
    monkeypatch.setattr(late, "_again", overtaken)
    monkeypatch.setattr(engineering, "panel", lambda *_: None)
    with alone(made), pytest.raises(Refused, match="took this one's place"):
        late.redeliver(made, "2026-06-27")
    assert night_status.of(made, "2026-06-27") is None


def test_late_data_of_a_night_with_the_notice_of_a_withdrawal_are_told(home, tmp_path):
    """It stays, for consumers must find the notice, and tonight says so, each night until it is scored anew by hand; no other does
    for want of late data."""
    copy = copied(home, tmp_path)
    state, names = copy / ".state", read_scores(current(copy / ".state" / "deliveries", pd.Timestamp(NIGHTS[2])))
    gone, admitted = names.query("status == 'scored'")["subject_id"].drop_duplicates().iloc[:2]
    with alone(made := at(copy)):
        withdraw(made, [gone], date(2026, 6, 26))
    notice = current(state / "deliveries", pd.Timestamp(NIGHTS[2]))
    assert late.redeliver(made, "2026-06-27") == {}
    take_in_late(copy, admitted)
    for _ in range(2):
        assert late.redeliver(made, "2026-06-27") == {NIGHTS[2]: f"{late.STAYS}: {late.NOTICE}"}
    assert current(state / "deliveries", pd.Timestamp(NIGHTS[2])) == notice
    (said,) = night_status.of(made, "2026-06-27").reasons
    assert f"{NIGHTS[2]}: the notice of a withdrawal is in force" in said
    code, _, errors = foretide(copy, "score", "--as-of", NIGHTS[2], "--config", "own.yaml")
    assert code == 0, errors
    rows = read_scores(current(state / "deliveries", pd.Timestamp(NIGHTS[2]))).query("subject_id == @admitted")
    assert set(rows["status"]) == {"not_eligible"}
    assert late.redeliver(made, "2026-06-27") == {}


UNMADE = """
import sys
from models.errors import ModelsError
from pipelines import past_nights
from pipelines.cli.main import main
def matrices(*_): raise ModelsError("It has no such feature.")
past_nights.matrices = matrices
sys.argv = ["foretide", "score", "--as-of", "2026-06-27", "--config", "own.yaml"]
main()
"""


def test_tonights_notice_says_which_night_stays(with_late_data):
    """Under the daemon nobody sees what a command says."""
    subprocess.run([sys.executable, "-c", UNMADE], cwd=with_late_data, check=True)
    (with_words,) = [
        one["sentences"]
        for one in map(json.loads, (with_late_data / ".state" / "notices.jsonl").read_text().splitlines())
        if (one["kind"], one["night"]) == ("night_incomplete", "2026-06-27")
    ]
    (said,) = [sentence for sentence in with_words if sentence.startswith("Late data:")]
    assert f"{NIGHTS[2]}: It has no such feature." in said
