"""The `fitbit` format: whose files are whose, in folders and zips, and what is never opened."""

import pytest

from pipelines.sources.fitbit import read, reader
from pipelines.sources.fitbit.people import find_people, kind_of
from tests.pipelines.fitbit_exports import ROOT, batches, entry, refusal, write, zipped

STEPS = {"steps-2026-06-01.json": [entry("06/01/26 12:00:00", "3")]}
LATER = {"steps-2026-07-01.json": [entry("07/01/26 12:00:00", "3")]}


def subjects(path) -> list[str]:
    return [person.subject_id for person in find_people(path)[0]]


@pytest.mark.parametrize(
    "root", [ROOT, "", "user-site-export", "MyFitbitData/Zebra Jones/Physical Activity", "Google Health/Global Export Data",
             "fitbit"],
)  # fmt: skip
def test_one_person_is_called_like_the_folder(tmp_path, root):
    """However deep the export nests, the pseudonym is the folder's name, and never a name that the vendor put inside."""
    assert subjects(write(tmp_path / "p01", STEPS, root)) == ["p01"]


def test_a_zip_as_downloaded_bears_its_owners_name_inside(tmp_path):
    """Older exports have a folder of the owner's name: the zip's name counts, with others beside it and alone."""
    old = "ZebraJ/user-site-export/"
    assert subjects(zipped(tmp_path / "p01.zip", STEPS, old)) == ["p01"]
    (tmp_path / "cohort").mkdir()
    for who in ("p01", "p02"):
        zipped(tmp_path / "cohort" / f"{who}.zip", STEPS, old)
        assert subjects(tmp_path / "cohort")[-1] == who


@pytest.mark.parametrize("inside", ["", ROOT, "fitbit"])
def test_one_person_so_far_is_called_as_with_others_beside(tmp_path, inside):
    """A folder of people that holds one folder is not that person, or a second folder would make a third person."""
    write(tmp_path / "exports", STEPS, f"P1/{inside}")
    assert subjects(tmp_path / "exports") == ["P1"]
    write(tmp_path / "exports", STEPS, f"P2/{inside}")
    assert subjects(tmp_path / "exports") == ["P1", "P2"]


def test_one_person_below_several_folders_is_refused(tmp_path):
    """Of `study/p01` it shows only with `study/p02` which one is the person."""
    write(tmp_path / "cohort", STEPS, "study/p01/user-site-export")
    assert "which of them" in refusal(tmp_path / "cohort")
    assert subjects(tmp_path / "cohort" / "study") == ["p01"]


@pytest.mark.parametrize("name", ["ZebraJones", "zebra_jones_1975", "Zebra Jones", "1975-03-02"])
def test_a_folder_called_like_a_person_or_a_day_is_refused(tmp_path, name):
    """It would be everybody's clue; the message counts, and tells none of them."""
    write(write(tmp_path / "cohort", STEPS, "p01"), STEPS, name)
    message = refusal(tmp_path / "cohort")
    assert "1 of 2 folders or zips of people" in message
    assert "pseudonyms" in message
    for alone in (tmp_path / "cohort" / name, zipped(tmp_path / f"{name}.zip", STEPS)):
        assert name not in refusal(alone)


def test_the_folders_of_an_export_are_no_people(tmp_path):
    """Files of one person lie in several folders of the export, scores apart from nights."""
    write(
        tmp_path / "p01",
        {"sleep_score.csv": "timestamp,overall_score\n2026-06-02T07:00:00Z,81\n"},
        "Takeout/Fitbit/Sleep Score",
    )
    assert subjects(write(tmp_path / "p01", STEPS)) == ["p01"]
    assert subjects(write(write(tmp_path / "p02", STEPS, "steps"), {"sleep.json": []}, "sleep")) == ["p02"]


def test_one_person_is_called_like_the_zip(tmp_path):
    """A zip's pseudonym is its name without the ending; its rows are those of the folder."""
    path = zipped(tmp_path / "p01.zip", STEPS)
    assert subjects(path) == ["p01"]
    assert [batch.table for batch in batches(path)] == ["wearable", "subjects"]


def test_several_folders_are_several_people(tmp_path):
    """Each folder below the ingested one is a person, whatever lies between them and the files."""
    for name in ("p01/fitbit", "p02/Zebra Jones/user-site-export"):
        write(tmp_path / "cohort", STEPS, name)
    assert subjects(tmp_path / "cohort") == ["p01", "p02"]
    assert [b.frame["subject_id"][0].as_py() for b in batches(tmp_path / "cohort")] == ["p01", "p01", "p02", "p02"]


def test_folders_that_all_share_are_not_people(tmp_path):
    """A study's folder around everybody is no person."""
    for name in ("study/p01", "study/p02"):
        write(tmp_path / "cohort", STEPS, name)
    assert subjects(tmp_path / "cohort") == ["p01", "p02"]


def test_several_zips_and_the_parts_of_one_export(tmp_path):
    """Zips in a folder are people; those that the vendor cut an export into are one person with all of its files."""
    (tmp_path / "cohort" / "p02").mkdir(parents=True)
    zipped(tmp_path / "cohort" / "p01.zip", STEPS)
    zipped(tmp_path / "cohort" / "p02" / "takeout-20260920T081500Z-001.zip", STEPS)
    zipped(tmp_path / "cohort" / "p02" / "takeout-20260920T081500Z-002.zip", LATER)
    people, _ = find_people(tmp_path / "cohort")
    assert {person.subject_id: len(person.places) for person in people} == {"p01": 1, "p02": 2}
    assert [batch.frame.num_rows for batch in batches(tmp_path / "cohort")] == [1, 1, 2, 1]


def test_one_zip_may_hold_several_people(tmp_path):
    """A zip of folders is read like a folder of folders, and of each person only their own files."""
    path = zipped(
        tmp_path / "cohort.zip", {f"{who}/{ROOT}/{name}": c for who in ("p01", "p02") for name, c in STEPS.items()}, ""
    )
    assert subjects(path) == ["p01", "p02"]
    assert sum(batch.frame.num_rows for batch in batches(path) if batch.table == "wearable") == 2


@pytest.mark.parametrize("name", ["Takeout", "MyFitbitData", "takeout-20260920T081500Z-001", "Fitbit"])
def test_a_name_of_the_vendor_is_no_pseudonym(tmp_path, name):
    """An export that still has the vendor's name is refused with the cure, as a folder and as a zip."""
    for path in (write(tmp_path / name, STEPS, "user-site-export"), zipped(tmp_path / f"{name}.zip", STEPS)):
        assert "pseudonym" in refusal(path)


def test_files_beside_people_are_nobodys(tmp_path):
    """Files of an export beside folders of people are refused: they may be anyone's."""
    write(write(tmp_path / "cohort", STEPS, "p01"), STEPS, "")
    assert "whose are they?" in refusal(tmp_path / "cohort")


def test_names_that_differ_by_case_alone_are_refused(tmp_path):
    """`P01` and `p01` may be one person or two."""
    for name in ("P01", "p01"):
        write(tmp_path / "cohort", STEPS, name)
    assert "case" in refusal(tmp_path / "cohort")


def test_files_that_are_not_known_are_counted_and_left(tmp_path):
    """Profiles, places, notes and the vendor's other files are not ours; they are counted, and nothing of them is told."""
    others = {"Your Profile/Profile.csv": "id,full_name,email\n1,Zebra,quagga@example.org\n", "badge.json": [],
              "weight-2026-06-01.json": [], "Stress Journal.json": "[", "estimated_oxygen_variation-2026-06-01.csv": "",
              "__MACOSX/._steps-2026-06-01.json": "", "steps_2026-06-01.csv": ""}  # fmt: skip
    write(tmp_path / "p01", {**STEPS, **others})
    said: list[str] = []
    assert find_people(tmp_path / "p01")[1] == len(others)
    told = list(read(tmp_path / "p01", "UTC", True, report=lambda what, share=None: said.append(what)))
    assert len(told) == 2
    assert said == [f"reading an export: 1 subjects, 1 files, {len(others)} others left out"]


def test_of_a_zip_only_known_files_are_unpacked(tmp_path, monkeypatch):
    """A profile in a zip never touches the disk."""
    seen: list[list[str]] = []
    unpack = reader.open_source

    def spying(path, is_wanted):
        seen.append([name for name in ("Takeout/Profile.csv", f"{ROOT}/steps-2026-06-01.json") if is_wanted(name)])
        return unpack(path, is_wanted)

    monkeypatch.setattr(reader, "open_source", spying)
    batches(
        zipped(tmp_path / "p01.zip", {f"{ROOT}/{n}": c for n, c in STEPS.items()} | {"Takeout/Profile.csv": "x"}, "")
    )
    assert seen == [[f"{ROOT}/steps-2026-06-01.json"]]


def test_a_place_without_known_files_is_refused(tmp_path):
    """A wrong folder is named, with how many files it has and what they should be called."""
    message = refusal(write(tmp_path / "p01", {"badge.json": [], "Profile.csv": ""}))
    assert "2 others" in message
    assert "sleep-2026-01-01.json" in message


def test_a_single_file_is_refused(tmp_path):
    """A file alone does not say whose it is."""
    (tmp_path / "steps.json").write_text("[]")
    assert "neither a folder nor a zip" in refusal(tmp_path / "steps.json")


def test_names_of_files_by_which_they_are_known():
    """Dated and plain names are known, look-alikes are not."""
    known = ["steps-2026-06-01.json", "heart_rate.json", "exercise-100.json", "a/b/sleep_score.csv", "sleep.json"]
    unknown = [
        "steps_2026-06-01.csv",
        "._steps-2026-06-01.json",
        "sleep_score.json",
        "sleep profile.csv",
        "steps-note.json",
    ]
    assert [kind_of(name) for name in known] == ["steps", "heart_rate", "exercise", "sleep_score", "sleep"]
    assert {kind_of(name) for name in unknown} == {None}
