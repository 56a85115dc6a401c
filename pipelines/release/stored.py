"""The files of a registered version as they lie in MLflow's artifact store, told by their hash; nothing of them is parsed."""

import hashlib
from pathlib import Path

from pipelines.errors import Refused
from pipelines.release import tracking


def content_hash(folder: Path) -> str:
    """Hash of the names and bytes of all files in a model folder."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def verified_copy(tracking_uri: str, name: str, version: str, registered: str, into: Path) -> Path | None:
    """A copy, made in a folder, of the model folder that lies where MLflow says; None if none lies there.

    Args:
        registered: the hash that was registered with the version.

    Raises:
        Refused: what lies there has another hash, or there is more than one.
    """
    uri, artifacts = f"models:/{name}/{version}", tracking.import_mlflow().artifacts
    whole = Path(artifacts.download_artifacts(uri, dst_path=str(into), tracking_uri=tracking_uri))
    found = [path for path in (whole / "artifacts").glob("*") if path.is_dir()]
    if found and [content_hash(path) for path in found] != [registered]:
        raise Refused(
            f"The files of `{name}` version {version} are not those that were registered: altered or swapped. Restore "
            "MLflow's artifacts from a backup, or train and promote again."
        )
    return found[0] if found else None
