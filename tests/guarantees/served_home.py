"""A home that was trained and scored once, what a consumer finds in it, and what is on record of its nights."""

from pathlib import Path

from pipelines import night_record
from tests.pipelines.small_job import NIGHT, foretide, make_smallest_home


def make_served(folder: Path) -> Path:
    """A small home whose champion serves and whose first night is delivered; takes half a minute."""
    home = make_smallest_home(folder)
    for command in ("train", "score"):
        code, answer, said = foretide(home, command, "--as-of", NIGHT)
        assert code == 0, (answer, said)
    return home


def delivered(folder: Path) -> dict[str, bytes]:
    """Everything that a consumer finds in a folder of deliveries; nothing hidden is meant for anybody."""
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(".")}


def deliveries(home: Path) -> dict[str, bytes]:
    """The same of a home's own deliveries."""
    return delivered(home / ".state" / "deliveries")


def status(home: Path, of: str) -> night_record.NightStatus:
    """What is on record about a night."""
    found = night_record.read(home / ".state", of)
    assert found is not None
    return found
