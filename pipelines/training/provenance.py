"""What a training follows from: the data known, the declarations, the code. All that is tried on it names the same."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from pipelines import cohort, contents
from pipelines.installation import Installation

PACKAGES = ("features", "models", "pipelines")


def basis(installation: Installation, night: str) -> str:
    """What a training and all that is tried on it follow from, as a hash: data known, declarations, code."""
    settings = installation.settings
    declared = settings.model_dump_json(include={"features", "signals", "sites", "door", "outcomes", "training"})
    known_at = cohort.known_at(settings.sites, pd.Timestamp(night))
    parts = (contents.version(installation.lake, known_at), declared, code_version())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def dataset_name(installation: Installation) -> str:
    """What results call the data: the formats of the declared sources."""
    return "+".join(sorted({source.format for source in installation.settings.sources})) or "lake"


def code_version() -> str:
    """The package's version, and a hash of its source files: edited code is other code, in a git checkout or not."""
    return f"{version('foretide')}+{source_hash(Path(__file__).parents[2])}"


@cache
def source_hash(root: Path) -> str:
    """Hash of the names and bytes of every module of the packages in a folder, as they were when it was first asked for."""
    digest = hashlib.sha256()
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        digest.update(
            f"{path.relative_to(root).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        )
    return digest.hexdigest()[:12]
