"""No two releases tell of a few by their difference; the ledger that sees to it knows nobody by name.

The differencing test: a made-up cohort is released, then every cohort that differs from it by one subject, or by one
subject's outcome, is tried.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from models.fairness import showing
from pipelines.errors import Fault, Refused
from pipelines.release import releases
from pipelines.release.releases import release
from pipelines.reports import bundle
from pipelines.tokens import Tokens
from tests.guarantees import installation_with_a_sentinel as made
from tests.guarantees.installation_with_a_sentinel import SENTINEL
from tests.guarantees.releasing_that_is_killed import PAGE, audit, release_at
from tests.models.small_audit import audit_of, cohort, with_tables

PROGRAM = Path(__file__).with_name("releasing_that_is_killed.py")
STEPS_AT_LEAST = 30
MONTHS = {"2026-04": {f"person-{k:03}" for k in range(0, 120)}, "2026-05": {f"person-{k:03}" for k in range(30, 121)}}


def files(root: Path) -> dict[str, bytes]:
    """Everything that lies under a folder, but locks."""
    return {
        str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file() and p.name != ".lock"
    }


def audit_of_first(n: int, without: str | None = None, otherwise: str | None = None):
    """The audit of the first so many subjects, by months, with one left out, or one to whom the other thing happened."""
    attributes, episodes = cohort(n)
    if otherwise is not None:
        episodes = {**episodes, otherwise: 1 - episodes.get(otherwise, 0)}
    return audit_of(attributes[attributes["subject_id"] != without], episodes, MONTHS)


def shown(of) -> list[tuple[frozenset[str], frozenset[str]]]:
    """Who is in each cell that a release of the audit shows, and who of them had an event."""
    return [(of.members[cell], of.event_members[cell]) for cell in showing.releasable(of).cells]


def tells(one: list[tuple[frozenset[str], ...]], other: list[tuple[frozenset[str], ...]]) -> bool:
    """Whether a cell of one release and a cell of the other differ by one to nine subjects, or so many with an event."""
    return any(1 <= len(a ^ b) <= 9 for these in one for those in other for a, b in zip(these, those, strict=True))


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A folder in which the cohort of 120 was released."""
    root = tmp_path_factory.mktemp("released")
    release_at(root, audit_of_first(120))
    return root


def test_no_cohort_with_one_subject_less_or_more_is_released_beside_it(released, tmp_path):
    """Each of the 120 left out, and one more: refused, and not a byte of the bundle is left."""
    before, whole = files(released), audit_of_first(120)
    shown_before = shown(whole)
    neighbours = [audit_of_first(120, without=name) for name in sorted(whole.members["all"])] + [audit_of_first(121)]
    assert len(neighbours) == 121
    for neighbour in neighbours:
        assert tells(shown_before, shown(neighbour))
        with pytest.raises(
            Refused, match=r"cells to be shown differ by fewer than 10 subjects from cells of release 1"
        ):
            release_at(released, neighbour, night="2026-07-01", name="again")
        assert files(released) == before


def test_no_cohort_in_which_one_outcome_is_another_is_released_beside_it(released):
    """Each of the 120 with an event who had none, or none who had one; the same subjects are in every cell."""
    before, whole = files(released), audit_of_first(120)
    for name in sorted(whole.members["all"]):
        neighbour = audit_of_first(120, otherwise=name)
        assert neighbour.members == whole.members
        assert len(neighbour.event_members["all"] ^ whole.event_members["all"]) == 1
        with pytest.raises(
            Refused, match=r"cells to be shown differ by fewer than 10 subjects with an event from cells of"
        ):
            release_at(released, neighbour, night="2026-07-01", name="again")
        assert files(released) == before


def test_within_a_release_no_two_cells_tell_of_a_few():
    """Of the cohort and of each of its neighbours, nested cells or not, months and rests of the cohort among them."""
    everybody = sorted(audit_of_first(120).members["all"])
    neighbours = [{}, *({how: name} for how in ("without", "otherwise") for name in everybody)]
    for neighbour in neighbours:
        cells = shown(audit_of_first(120, **neighbour))
        assert len(cells) > 10
        assert not tells(cells, cells)


@pytest.mark.parametrize(("more", "is_refused"), [(9, True), (10, True), (100, False)])
def test_a_grown_cohort_is_released_once_ten_differ_in_every_cell_that_changed(tmp_path, more, is_refused):
    """Ten more in all are not enough while a group of them has grown by less."""
    small, grown = audit(120), audit(120 + more)
    release_at(tmp_path, small)
    assert tells(shown(small), shown(grown)) == is_refused
    if is_refused:
        with pytest.raises(Refused):
            release_at(tmp_path, grown, night="2026-07-30", name="later")
    else:
        assert release_at(tmp_path, grown, night="2026-07-30", name="later").number == 2
    assert (tmp_path / "later" / "releasable").exists() != is_refused


def test_of_all_releases_that_were_accepted_no_two_tell_of_a_few(tmp_path):
    """A cohort that grows by seven subjects a night, released whenever the ledger lets it."""
    accepted = []
    for night, n in enumerate(range(60, 500, 7)):
        of = audit(n)
        try:
            release_at(tmp_path, of, night=str(night), name=str(night))
        except Refused:
            continue
        accepted.append(shown(of))
    assert len(accepted) > 2
    assert not any(tells(one, other) for one in accepted for other in accepted)


def test_another_model_on_the_same_cohort_is_released(tmp_path):
    """The same subjects in every cell: other figures of them tell of nobody."""
    of = audit()
    release_at(tmp_path, of)
    rows = of.tables["rows"].assign(value=0.5)
    other = replace(of, tables={**of.tables, "rows": rows})
    assert release_at(tmp_path, other, name="other model").number == 2
    assert "0.5" in (tmp_path / "other model" / "releasable" / "rows.csv").read_text()


def test_counts_of_two_releases_do_not_give_a_hidden_group_together(tmp_path):
    """Each hides the count of one of two groups beside one of five; the two together would hide neither."""
    names = [f"s{k}" for k in range(125)]
    attributes = pd.DataFrame({"subject_id": names, "sex": ["F"] * 60 + ["M"] * 60 + ["X"] * 5})
    of = audit_of(attributes, dict.fromkeys(names[::2], 1))
    audits = []
    for reference in ("sex=F", "sex=M"):
        cells = of.cells.assign(is_reference=of.cells["cell"] == reference)
        audits.append(with_tables(replace(of, cells=cells)))
    assert [set(showing.releasable(a).counted) & {"sex=F", "sex=M"} for a in audits] == [{"sex=F"}, {"sex=M"}]
    release_at(tmp_path, audits[0])
    with pytest.raises(Refused, match="together give the size of a group of fewer than 10 subjects"):
        release_at(tmp_path, audits[1], name="other")
    assert not (tmp_path / "other" / "releasable").exists()


def test_releasing_twice_is_once(released):
    """The same bundle at the same place: the release that it was, and no byte changed."""
    before = files(released)
    assert release_at(released, audit_of_first(120)).number == 1
    assert files(released) == before
    assert [row["number"] for row in releases.table(released / "ledger")] == [1]


def test_a_released_bundle_is_not_written_over(released):
    """Another report for the same folder is refused: the ledger says that a release lies there."""
    before = files(released)
    of = audit_of_first(120)
    with pytest.raises(Refused, match="holds release 1, which is never written over") as refusal:
        release_at(released, replace(of, tables={"rows": of.tables["rows"].assign(value=0.4)}))
    assert "folder" not in str(refusal.value)
    assert files(released) == before


def test_a_bundle_that_is_not_on_record_is_not_written_over(tmp_path):
    """Another ledger may have it, and nobody here can tell what the two would tell together."""
    (tmp_path / "out" / "releasable").mkdir(parents=True)
    with pytest.raises(Refused, match="a bundle that this ledger does not know"):
        release_at(tmp_path, audit_of_first(120))
    assert files(tmp_path / "out") == {}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["releasable"]


def test_another_folder_for_the_reports_of_a_scores_file_has_the_same_ledger(tmp_path, monkeypatch):
    """By a relative path and by a link, too; nothing is kept in the folder of the reports."""
    scores = tmp_path / "scores" / "scores.csv"
    scores.parent.mkdir()
    scores.touch()
    (tmp_path / "link.csv").symlink_to(scores)
    monkeypatch.chdir(scores.parent)
    ledgers = {releases.ledger_of(path) for path in (scores, Path("scores.csv"), tmp_path / "link.csv")}
    assert ledgers == {scores.parent / ".foretide-releases"}
    for n, folder in ((120, "one"), (121, "other")):
        of = audit_of_first(n)
        told = {"night": "2026-06-30", "report": "scores.csv", "folder": tmp_path / folder}
        if folder == "one":
            release(*ledgers, showing.releasable(of), of.members, of.event_members, **told)
        else:
            with pytest.raises(Refused, match="cells of release 1"):
                release(*ledgers, showing.releasable(of), of.members, of.event_members, **told)
    assert [path.name for path in tmp_path.rglob("*") if path.name == "subjects.json"] == ["subjects.json"]


def test_a_ledger_that_cannot_be_written_releases_nothing(tmp_path):
    """It is not kept anywhere else instead."""
    (tmp_path / "ledger").write_text("in its way")
    with pytest.raises(Refused, match="cannot be written. Nothing was released"):
        release_at(tmp_path, audit_of_first(120))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("blocked", [".subjects.json.partial", ".0001.json.partial"])
def test_an_error_before_a_release_is_on_record_leaves_nothing_of_its_bundle(blocked, tmp_path):
    """Tokens or the record cannot be written: no bundle, finished or not, and the next try releases."""
    (tmp_path / "ledger" / blocked).mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        release_at(tmp_path, audit_of_first(120))
    assert [*(tmp_path / "out").iterdir()] == []
    (tmp_path / "ledger" / blocked).rmdir()
    assert release_at(tmp_path, audit_of_first(120)).number == 1


def test_a_release_that_shows_nothing_is_on_record_like_any(tmp_path):
    """Nobody had an event: no cell is shown, nothing is told by the next one either."""
    attributes, _ = cohort(120)
    of = audit_of(attributes, {})
    assert showing.releasable(of).cells == ()
    release_at(tmp_path, of)
    assert release_at(tmp_path, audit_of_first(120), name="later").number == 2


def test_a_refusal_says_where_the_earlier_release_lies_and_what_to_do(released):
    """How many cells, which release, of which night, where, and how long to wait; no subject."""
    with pytest.raises(Refused) as refusal:
        release_at(released, audit_of_first(120, "person-007"), name="again")
    said = str(refusal.value)
    assert all(
        part in said for part in ("of night 2026-06-30", str(released / "out" / "releasable"), "wait until at least 10")
    )
    assert "person" not in said


def test_only_what_is_releasable_is_released(tmp_path):
    """The internal bundle cannot be put on record by mistake."""
    of = audit()
    with pytest.raises(ValueError, match="only the releasable bundle"):
        release(
            tmp_path,
            showing.internal(of),
            of.members,
            of.event_members,
            night="2026-06-30",
            report="x",
            folder=tmp_path,
        )
    assert not any(tmp_path.iterdir())


def test_no_file_of_ledger_or_bundle_holds_a_subject_id(released):
    """Searched in every byte, whole ids and their numbers' own prefix, beside the names of files."""
    for name, content in files(released).items():
        assert b"person-" not in content
        assert "person-" not in name
    record = json.loads((released / "ledger" / "0001.json").read_bytes())
    assert len(record["tokens"]) == 120
    assert (released / "ledger" / "key").stat().st_mode & 0o077 == 0


def test_kill_9_at_any_step_leaves_a_release_whole_and_on_record_or_none(tmp_path):
    """Readers never see a bundle that is half or off the record; the same command again ends the same."""
    (tmp_path / "before").mkdir()
    undisturbed = tmp_path / "undisturbed"
    release_at(undisturbed, audit())
    whole = files(undisturbed / "out")
    subprocess.run([sys.executable, str(PROGRAM), str(tmp_path)], check=True, env={**os.environ, "PYTHONPATH": "."})
    trials = sorted(tmp_path.glob("killed-*"))
    assert len(trials) > STEPS_AT_LEAST
    seen = []
    for root in trials:
        there = (root / "out" / "releasable").exists()
        seen.append(there)
        if there:
            assert files(root / "out") == whole, root.name
            assert (root / "ledger" / "0001.json").exists(), root.name
        if not (root / "ledger" / "0001.json").exists():
            assert not there
        elif not there:
            # On record and cut off: a neighbour is refused, and what it is told to give out is there by then.
            copy = shutil.copytree(root, tmp_path / f"copy-{root.name}")
            with pytest.raises(Refused, match="release 1"):
                release_at(copy, audit(121), name="again")
            assert files(copy / "out") == whole
        assert release_at(root, audit()).number == 1
        assert files(root / "out") == whole, root.name
        assert sorted(p.name for p in (root / "ledger").iterdir()) == [".lock", "0001.json", "key", "subjects.json"]
    assert seen == sorted(seen)
    assert {True, False} == set(seen)


def test_a_ledger_that_lost_a_release_releases_nothing(released, tmp_path):
    """A missing or damaged record is a fault, never an empty history; so is a lost key."""
    for number, damage in enumerate((
        lambda ledger: (ledger / "0001.json").rename(ledger / "0002.json"),
        lambda ledger: (ledger / "0001.json").write_bytes((ledger / "0001.json").read_bytes()[:100]),
        lambda ledger: (ledger / "key").unlink(),
        lambda ledger: (ledger / "subjects.json").write_text("{"),
    )):  # fmt: skip
        root = Path(shutil.copytree(released, tmp_path / str(number)))
        damage(root / "ledger")
        with pytest.raises(Fault, match="ledger"):
            release_at(root, audit(300), name="later")
        assert not (root / "later" / "releasable").exists()


def test_ids_that_may_be_one_subject_are_refused(tmp_path):
    """`s7` and `S07` cannot be told apart by withdrawal, so they must not be by the ledger."""
    attributes, episodes = cohort(120)
    ids = attributes["subject_id"].where(attributes["subject_id"] != "person-008", "PERSON-7")
    with pytest.raises(Refused, match="1 of the subjects' ids differ from another only in case"):
        release_at(tmp_path, audit_of(attributes.assign(subject_id=ids), episodes))


def test_a_moved_ledger_finds_its_bundles(tmp_path):
    """The ledger and what lies beside it move together."""
    release_at(tmp_path / "here", audit())
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(Refused, match=str(tmp_path / "there" / "out" / "releasable")):
        release_at(tmp_path / "there", audit(121), name="again")


# Withdrawal


def test_after_a_withdrawal_the_token_stands_for_nobody_and_the_release_stands(tmp_path):
    """Under any spelling; the cohort without the subject is refused, for it would tell of them."""
    done = release_at(tmp_path, audit())
    ledger = tmp_path / "ledger"
    token = Tokens(ledger).of(["person-007"])["person-007"]
    assert token in json.loads((ledger / "0001.json").read_bytes())["tokens"]
    assert token in (ledger / "subjects.json").read_text()
    record = (ledger / "0001.json").read_bytes()
    assert Tokens(ledger).forget(["Person_7"]) == 1
    assert Tokens(ledger).forget(["person-007", "never-there"]) == 0
    assert token not in (ledger / "subjects.json").read_text()
    assert Tokens(ledger).of(["person-007"])["person-007"] != token
    assert (ledger / "0001.json").read_bytes() == record
    assert bundle.digest(done.bundle) == done.sha256
    with pytest.raises(Refused, match="release 1"):
        release_at(tmp_path, audit_of_first(120, "person-007"), name="again")


def test_forgetting_takes_what_a_killed_command_was_writing_too(tmp_path):
    """A link that never came to be is none that stays."""
    release_at(tmp_path, audit())
    partial = tmp_path / "ledger" / ".subjects.json.partial"
    partial.write_bytes((tmp_path / "ledger" / "subjects.json").read_bytes())
    Tokens(tmp_path / "ledger").forget(["person-007"])
    assert not partial.exists()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """An installation with the sentinel, whose report with the sentinel among others was released."""
    home = made.make_home(tmp_path_factory.mktemp("releases") / "home")
    attributes, episodes = cohort(120)
    ids = attributes["subject_id"].replace("person-007", SENTINEL)
    of = audit_of(attributes.assign(subject_id=ids), episodes)
    state = home / ".state"
    release(state / "releases", showing.releasable(of), of.members, of.event_members, night="2026-06-30", report="fairness",
            folder=state / "reports" / "fairness", page=PAGE)  # fmt: skip
    return home


def links(home: Path) -> set[str]:
    return set(json.loads((home / ".state" / "releases" / "subjects.json").read_bytes()).values())


def test_withdraw_destroys_the_link_and_says_so(home, tmp_path):
    """The real command: the sentinel's token is linked to nobody, everybody else's stays; a restored backup loses it again."""
    before = Path(shutil.copytree(home, tmp_path / "before"))
    after = Path(shutil.copytree(home, tmp_path / "after"))
    token = Tokens(before / ".state" / "releases").of([SENTINEL])[SENTINEL]
    done = made.withdraw(after, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {"place": "links of tokens", "rows_erased": 1} in answer["rows"]
    assert any("released" in sentence for sentence in answer["beyond_reach"])
    assert links(before) - links(after) == {token}
    assert made.places_that_tell(after) == {}
    made.restore(before, after)
    assert token in links(after)
    assert made.foretide(after, "quarantine", "list").returncode == 0
    assert made.foretide(after, "withdraw", "--on", "2026-07-06", stdin="nobody-0\n").returncode == 0
    assert token not in links(after)


def test_withdraw_reaches_who_is_in_a_release_and_nowhere_else(home, tmp_path):
    """A subject of whom the installation has no row, by another spelling: the link goes all the same."""
    after = Path(shutil.copytree(home, tmp_path / "after"))
    token = Tokens(after / ".state" / "releases").of(["person-008"])["person-008"]
    assert token in links(after)
    assert made.foretide(after, "withdraw", "--on", "2026-07-06", stdin="PERSON 8\n").returncode == 0
    assert token not in links(after)


def test_no_name_of_a_small_group_is_in_a_released_bundle(tmp_path):
    """A name says that somebody is in it; in the ledger alone it stands, beside tokens."""
    names = [f"s{k}" for k in range(125)]
    attributes = pd.DataFrame({"subject_id": names, "sex": ["F"] * 60 + ["M"] * 60 + ["quagga"] * 5})
    release_at(tmp_path, audit_of(attributes, dict.fromkeys(names[::2], 1), {"2026-04": set(names)}))
    assert not any(b"quagga" in content for content in files(tmp_path / "out").values())
