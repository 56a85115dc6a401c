"""What a training follows from: the data known, the declarations, the code. All that is tried on it names the same."""

import hashlib
import subprocess
from importlib.metadata import version
from pathlib import Path

from pipelines import engineering
from pipelines.installation import Installation


def basis(installation: Installation, night: str) -> str:
    """What a training and all that is tried on it follow from, as a hash: data known, declarations, code."""
    declared = installation.settings.model_dump_json(
        include={"features", "signals", "sites", "door", "outcomes", "training"}
    )
    known_at = engineering.cohort(installation, night).known_at
    parts = (installation.lake.content_version(known_at), declared, code_version())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def dataset_name(installation: Installation) -> str:
    """What results call the data: the formats of the declared sources."""
    return "+".join(sorted({source.format for source in installation.settings.sources})) or "lake"


def code_version() -> str:
    """The package's version, and the commit where the code lies in a git checkout."""
    found = subprocess.run(  # noqa: S603
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    commit = found.stdout.strip()
    return version("foretide") + (f"+{commit}" if found.returncode == 0 and commit else "")
