"""Whose files are where: people and the known files of each, in folders and zips, by names alone.

The pseudonym is what the operator called things: the first folder (or zip) below the ingested one that tells people
apart, also where there is one person so far; else, with no folder but those that an export brings itself, the ingested
folder or zip. Folder names of an export are never a pseudonym, nor the owner's own name, which older zips of the vendor
put above `user-site-export`. What looks like a name or a day is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipelines.deidentification.telling_ids import is_telling
from pipelines.errors import Refused
from pipelines.sources.archive import names_in

KINDS = ("steps", "heart_rate", "sleep", "resting_heart_rate", "time_in_heart_rate_zones", "exercise", "sleep_score")
KNOWN = re.compile(rf"({'|'.join(KINDS[:-1])})(-\d[\d-]*)?\.json|(sleep_score)\.csv")
# Folders of an export, in any case. What lies above the first of them tells whose files they are.
OF_AN_EXPORT = re.compile(
    r"takeout(-\d{8}T\d{6}Z.*)?|my ?fitbit ?data|fitbit|google health|global export data|user-site-export"
    rf"|sleep score|physical activity|heart rate|{'|'.join(KINDS)}",
    re.IGNORECASE,
)
# What older exports have below a folder that bears the owner's name.
BELOW_THE_OWNER = "user-site-export"
Parts = tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A file of an export: the folder or zip it lies in, its name there, and what kind it is."""

    source: Path
    name: str
    kind: str


@dataclass
class Person:
    """A subject and their files, in order of name."""

    subject_id: str
    places: list[Place] = field(default_factory=list)

    def sources(self) -> list[Path]:
        """The folders and zips that hold the files."""
        return sorted({place.source for place in self.places})


def kind_of(name: str) -> str | None:
    """What a file holds, by its name; None if it is none of ours."""
    found = KNOWN.fullmatch(PurePosixPath(name).name)
    return (found[1] or found[3]) if found else None


def find_people(path: Path) -> tuple[list[Person], int]:
    """People with their known files at a folder or zip, and how many other files lie there.

    Raises:
        Refused: no known file; or it cannot be told whose they are.
    """
    found, left_out = [], 0
    for source, above, name in _files(path):
        kind = kind_of(name)
        left_out += kind is None
        if kind is not None:
            found.append((above, Place(source, name, kind)))
    if not found:
        raise Refused(
            f"`{path.name}` holds no file of a Fitbit export that is known, and {left_out} others. Point to the folder or zip "
            "of the export: it has files such as `sleep-2026-01-01.json` or `steps.json`."
        )
    people = _by_person(path, _owned(found))
    _refuse_names(people)
    return people, left_out


def _files(path: Path) -> Iterator[tuple[Path, Parts, str]]:
    """Folder or zip, parts of the path above it, and name of each file; zips in a folder stand for folders."""
    if not path.is_dir() and path.suffix.lower() != ".zip":
        raise Refused(f"`{path.name}` is neither a folder nor a zip. Point to the folder or zip of the export.")
    for name in names_in(path):
        if path.is_dir() and name.lower().endswith(".zip"):
            inside = PurePosixPath(name).with_suffix("").parts
            yield from ((path / name, inside, member) for member in names_in(path / name))
        else:
            yield path, (), name


def _owned(found: list[tuple[Parts, Place]]) -> list[tuple[Parts, Place]]:
    """Each file with the folders that tell whose it is: those above the first that an export brings itself."""
    inside: dict[Path, set[Parts]] = {}
    for _, place in found:
        inside.setdefault(place.source, set()).add(PurePosixPath(place.name).parts[:2])
    bear_a_name = {source for source, tops in inside.items() if not source.is_dir() and _are_a_name(tops)}
    owned = []
    for above, place in found:
        folders = PurePosixPath(place.name).parts[:-1]
        folders = (*above, *(folders[1:] if place.source in bear_a_name else folders))
        own = next((at for at, folder in enumerate(folders) if OF_AN_EXPORT.fullmatch(folder)), len(folders))
        owned.append((folders[:own], place))
    return owned


def _are_a_name(tops: set[Parts]) -> bool:
    """Whether all files of a zip lie in one folder that the vendor called like the owner."""
    top, *rest = tops
    return not rest and len(top) > 1 and top[1].casefold() == BELOW_THE_OWNER and not OF_AN_EXPORT.fullmatch(top[0])


def _by_person(path: Path, found: list[tuple[Parts, Place]]) -> list[Person]:
    owners = {owner for owner, _ in found}
    shared = _shared(owners)
    if len(owners) == 1:
        return [Person(_only_one(path, *owners), [place for _, place in found])]
    if any(len(owner) == shared for owner in owners):
        raise Refused(
            f"`{path.name}` has files of an export beside folders with files of an export: whose are they? Give each person "
            "one folder or zip, named with their pseudonym."
        )
    people: dict[str, Person] = {}
    for owner, place in found:
        name = owner[shared]
        people.setdefault(name, Person(name)).places.append(place)
    if len({name.casefold() for name in people}) < len(people):
        raise Refused(f"`{path.name}` has folders whose names differ by case alone. Name each person differently.")
    return [people[name] for name in sorted(people)]


def _shared(owners: set[Parts]) -> int:
    """How many folders all owners have in common."""
    columns = zip(*owners, strict=False)
    return next((at for at, names in enumerate(columns) if len(set(names)) > 1), min(map(len, owners)))


def _only_one(path: Path, owner: Parts) -> str:
    """What one person alone is called: as they would be with others beside them."""
    if len(owner) > 1:
        raise Refused(
            f"`{path.name}` holds one person's files, in folders within folders: which of them is the person's? Point to the "
            "folder in which that one lies, or to the person's own."
        )
    return owner[0] if owner else _pseudonym(path)


def _refuse_names(people: list[Person]) -> None:
    telling = [number for number, person in enumerate(people, start=1) if is_telling(person.subject_id)]
    if telling:
        raise Refused(
            f"{len(telling)} of {len(people)} folders or zips of people, the first being number {telling[0]} by name, are called "
            "like a person or a day. Rename them to pseudonyms that tell nobody, such as p01."
        )


def _pseudonym(path: Path) -> str:
    name = path.name if path.is_dir() else path.stem
    if OF_AN_EXPORT.fullmatch(name) or not name:
        raise Refused(
            f"`{path.name}` does not say whose export it is. Put it into a folder, or rename it, so that the name is the "
            "person's pseudonym, and point to that."
        )
    return name
