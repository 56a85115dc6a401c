"""A folder of deliveries as it is found: damaged pointers and manifests, copies beside the nights, and what then is in force."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipelines import alert_simulation, alerts, on_record
from pipelines.consent.notice import publish_notice, tokens_told
from pipelines.delivery.erasure import erase_everywhere
from pipelines.delivery.manifest import MANIFEST_NAME, SEAL
from pipelines.delivery.nights import POINTER_NAME, chain, last_runs, nights, run_in_force, runs
from pipelines.delivery.publish import UNFINISHED, alone_in
from pipelines.delivery.verify import verify_files
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.settings import settings_from
from pipelines.sinks.published import stock
from tests.pipelines.sink_nights import SUBJECTS, publish_night

NIGHT, YEAR_AGO = "2026-07-01", "2025-07-01"
TOKENS = {"zebra-77": "token"}
OTHERS = tuple(name for name in SUBJECTS if name not in TOKENS)


def harm(path: Path) -> None:
    """Cut a file's end off."""
    path.write_bytes(path.read_bytes()[:-3])


def test_only_a_date_is_a_night(tmp_path):
    """Copies, hidden folders, files and other ways to write a date are none, and keep nobody from reading the nights."""
    folder = publish_night(tmp_path, NIGHT)
    for name in (f"{NIGHT}-backup", "20260701", f"{UNFINISHED}{NIGHT}", "2026-13-01"):
        shutil.copytree(tmp_path / NIGHT, tmp_path / name)
    (tmp_path / "2026-07-02").touch()
    assert nights(tmp_path) == [tmp_path / NIGHT]
    assert runs(tmp_path) == [folder]
    assert [delivery.folder for delivery in stock(tmp_path).deliveries] == [folder]
    settings = settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7, 14]}}}, tmp_path)
    assert len(alert_simulation.delivered(Installation(settings), tmp_path)) == 4


def test_who_withdrew_is_erased_from_copies_too(tmp_path):
    """Of a night that somebody copied beside it."""
    publish_night(tmp_path, NIGHT)
    shutil.copytree(tmp_path / NIGHT, tmp_path / f"{NIGHT}-backup")
    with alone_in(tmp_path) as own:
        erase_everywhere(tmp_path, set(TOKENS), own)
    assert not any(b"zebra-77" in path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file())


@pytest.mark.parametrize("name", [POINTER_NAME, MANIFEST_NAME])
def test_what_a_disk_does_not_give_counts_as_damaged(tmp_path, name):
    """A pointer or a manifest of one night that cannot be read keeps no other night from anything."""
    other, folder = publish_night(tmp_path, YEAR_AGO), publish_night(tmp_path, NIGHT)
    path = (other.parent if name == POINTER_NAME else other) / name
    path.unlink()
    path.mkdir()
    assert on_record.cut_off(tmp_path, (), ()) == [folder]
    assert stock(tmp_path).damaged == (YEAR_AGO,)
    assert verify_files(folder).faults == ()
    with pytest.raises(Refused, match=name):
        chain(tmp_path / YEAR_AGO)


@pytest.mark.parametrize("key", ["run_id", "folder", SEAL])
def test_a_pointer_with_one_character_altered_is_damaged(tmp_path, key):
    """Whichever of what it says no longer fits what is there; removed, the same inputs are the same run again."""
    folder = publish_night(tmp_path, NIGHT)
    path = folder.parent / POINTER_NAME
    before = json.loads(path.read_text())
    altered = ("e" if before[key][0] == "f" else "f") + before[key][1:]
    path.write_text(json.dumps(before | {key: altered}))
    with pytest.raises(Refused, match=f"`latest.json` of the night of {NIGHT} is damaged"):
        run_in_force(folder.parent)
    path.unlink()
    assert publish_night(tmp_path, NIGHT) == folder
    assert json.loads(path.read_text()) == before


def test_a_pointer_from_before_an_erasure_that_was_cut_off_is_whole(tmp_path):
    """The delivery was erased from, and the pointer still has the seal it had before: it names that delivery all the same."""
    folder = publish_night(tmp_path, NIGHT)
    path = folder.parent / POINTER_NAME
    before = path.read_bytes()
    with alone_in(tmp_path) as own:
        erase_everywhere(tmp_path, set(TOKENS), own)
    assert path.read_bytes() != before
    path.write_bytes(before)
    assert run_in_force(folder.parent) == folder.name


@pytest.mark.parametrize(("harmed", "left"), [("a", ["c", "b"]), ("b", ["c"]), ("c", None)])
def test_what_came_before_a_damaged_run_is_not_known(tmp_path, harmed, left):
    """The runs after it are; where it is the one in force, none is."""
    made = {name: publish_night(tmp_path, NIGHT, name) for name in ("a", "b", "c")}
    harm(made[harmed] / MANIFEST_NAME)
    if left is None:
        with pytest.raises(Refused, match=MANIFEST_NAME):
            chain(tmp_path / NIGHT)
    else:
        assert [body["run_id"] for body in chain(tmp_path / NIGHT)] == [made[name].name for name in left]


@pytest.mark.parametrize("harmed", ["a", "b", "c"])
@pytest.mark.parametrize("inputs", ["a", "b", "c"])
def test_without_a_pointer_no_run_comes_back_that_may_be_superseded(tmp_path, harmed, inputs):
    """With a damaged manifest among them: scored again with whatever inputs, the run of before or a new one is in force."""
    made = {name: publish_night(tmp_path, NIGHT, name) for name in ("a", "b", "c")}
    harm(made[harmed] / MANIFEST_NAME)
    (tmp_path / NIGHT / POINTER_NAME).unlink()
    in_force = publish_night(tmp_path, NIGHT, inputs)
    assert in_force not in (made["a"], made["b"])
    assert chain(tmp_path / NIGHT)[0]["run_id"] == in_force.name
    assert publish_night(tmp_path, NIGHT, inputs) == in_force


def test_without_a_pointer_a_notice_is_rather_superseded_than_left_out(tmp_path):
    """Beside a run that was killed before it was in force, which supersedes the same one."""
    first = publish_night(tmp_path, NIGHT, "a")
    pointer = (tmp_path / NIGHT / POINTER_NAME).read_bytes()
    killed = publish_night(tmp_path, NIGHT, "b")
    (tmp_path / NIGHT / POINTER_NAME).write_bytes(pointer)
    notice = publish_notice(tmp_path, TOKENS, None)
    (tmp_path / NIGHT / POINTER_NAME).unlink()
    assert last_runs(tmp_path / NIGHT) == [notice.name, killed.name]
    in_force = publish_night(tmp_path, NIGHT, "b", OTHERS)
    assert [body["run_id"] for body in chain(tmp_path / NIGHT)] == [in_force.name, notice.name, first.name]
    assert tokens_told(tmp_path) == {"token"}


@pytest.mark.parametrize("inputs", ["b", "c"])
def test_without_a_pointer_it_is_a_new_run_where_several_could_have_been_in_force(tmp_path, inputs):
    """Two supersede the same one, one of them killed before it was in force: neither comes back under its own name."""
    publish_night(tmp_path, NIGHT, "a")
    path = tmp_path / NIGHT / POINTER_NAME
    pointer = path.read_bytes()
    publish_night(tmp_path, NIGHT, "b")
    path.write_bytes(pointer)
    publish_night(tmp_path, NIGHT, "c")
    path.unlink()
    former = last_runs(tmp_path / NIGHT)
    assert len(former) == 2
    assert publish_night(tmp_path, NIGHT, inputs).name not in former


def test_a_damaged_night_of_long_ago_keeps_no_notice_back(tmp_path):
    """Nothing of it is needed to tell consumers of the newest night who withdrew."""
    for night in (YEAR_AGO, NIGHT):
        publish_night(tmp_path, night)
    (tmp_path / YEAR_AGO / POINTER_NAME).write_text("{")
    notice = publish_notice(tmp_path, TOKENS, None)
    assert notice.parent.name == NIGHT
    assert tokens_told(tmp_path) == {"token"}


@pytest.fixture
def installation(tmp_path) -> Installation:
    """One with a past night whose delivery carried an alert."""
    made = Installation(settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, tmp_path))
    folder = publish_night(made.settings.deliveries_folder, NIGHT)
    alert = {"as_of_date": pd.Timestamp(NIGHT), "outcome": "crisis", "subject_id": "zebra-77", "site": "north",
             "tier": "high", "alert": "new", "risk": 0.4, "is_quiet": True}  # fmt: skip
    for run_id, risk in ((folder.name, 0.4), ("0" * 32, 0.9)):
        kept = pd.DataFrame([alert | {"risk": risk}])[alerts.COLUMNS]
        alerts.keep(made.lake, pd.Timestamp(NIGHT), run_id, kept)
    return made


def past_risks(of: Installation) -> list[float]:
    """Risks of the alerts that matter to the night after."""
    return alerts.past(of, pd.Timestamp(NIGHT) + pd.Timedelta(days=1))["risk"].tolist()


def test_alerts_of_a_past_night_count_though_its_manifest_is_damaged(installation):
    """The pointer names the run that decided them, and they are kept under it."""
    assert past_risks(installation) == [0.4]
    harm(next(installation.settings.deliveries_folder.glob(f"*/*/{MANIFEST_NAME}")))
    assert past_risks(installation) == [0.4]


def test_alerts_of_a_past_night_count_under_a_notice_of_a_withdrawal(installation):
    """It carries those of the run that it supersedes."""
    publish_notice(installation.settings.deliveries_folder, {"ox-1": "token"}, None)
    assert past_risks(installation) == [0.4]


def test_a_past_night_of_which_nobody_can_tell_the_alerts_is_named(installation):
    """The night that rests on it is refused, with the night that is at fault and the command that cures it."""
    root = installation.settings.deliveries_folder
    harm(publish_notice(root, {"ox-1": "token"}, None) / MANIFEST_NAME)
    with pytest.raises(Refused, match=f"night of {NIGHT}.* damaged. Give `foretide score --as-of {NIGHT}`"):
        past_risks(installation)
    publish_night(root, NIGHT, "b")
    assert past_risks(installation) == []
