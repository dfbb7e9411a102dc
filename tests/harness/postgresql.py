"""A PostgreSQL of the tests' own for Label Studio; the machine has to have its programs."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

from ls_active.demo.studio_install import CREDENTIALS, Installation, initialize
from tests.harness.stack import TIED, free_port

_USER = "postgres"
_MIGRATED = "migrated"


class Cluster:
    """A server on the loopback address with databases of its own; dies with who started it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="postgresql-")
        self._data, self._log = Path(self._folder.name) / "data", Path(self._folder.name) / "log"
        self._port = str(free_port())
        self._databases: set[str] = set()
        if _is_root():
            shutil.chown(self._folder.name, _USER, _USER)
        # --no-sync, and below fsync=off: nobody needs it after a power cut.
        options = ("-U", _USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        _run(*_as_server("initdb"), "-D", str(self._data), *options)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*TIED, str(os.getpid()), *_as_server("postgres"), "-D", str(self._data), "-h",
                 "127.0.0.1", "-p", self._port, "-k", self._folder.name, "-c", "fsync=off"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._wait()

    def stop(self) -> None:
        """End it; its folder goes as well."""
        # By its own way of being in a hurry: killed, it leaves shared memory behind.
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)
        self._folder.cleanup()

    def environment(self, database: str) -> dict[str, str]:
        """Return the settings of a Label Studio that keeps all it knows in a database."""
        return {
            "LABEL_STUDIO_DJANGO_DB": "default",
            "LABEL_STUDIO_POSTGRE_HOST": "127.0.0.1",
            "LABEL_STUDIO_POSTGRE_PORT": self._port,
            "LABEL_STUDIO_POSTGRE_USER": _USER,
            "LABEL_STUDIO_POSTGRE_NAME": database,
        }

    def database_for(self, installation: Installation, data_dir: Path) -> dict[str, str]:
        """Return the same for a data folder: its database goes on, or is made, with all tables."""
        name = "ls_" + hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
        if name not in self._databases:
            if _MIGRATED not in self._databases:
                self._migrate(installation)
            self._create(name, "-T", _MIGRATED)
        return self.environment(name)

    def _migrate(self, installation: Installation) -> None:
        self._create(_MIGRATED)
        dump = installation.template / "postgresql.sql"
        if dump.exists():
            self._client("psql", "-q", "-d", _MIGRATED, "-f", str(dump))
            return
        print("Preparing PostgreSQL for Label Studio (once; a minute or two) …")
        credentials = json.loads((installation.template / CREDENTIALS).read_text())
        log = installation.template.with_name("postgresql.log")
        with tempfile.TemporaryDirectory() as scratch:
            env = self.environment(_MIGRATED)
            initialize(installation, Path(scratch), credentials, log, env)
        half_made = dump.parent.with_name("postgresql.new")
        self._client("pg_dump", "-d", _MIGRATED, "-f", str(half_made))
        half_made.rename(dump)

    def _create(self, name: str, *options: str) -> None:
        self._client("createdb", name, *options)
        self._databases.add(name)

    def _client(self, program: str, *arguments: str) -> None:
        _run(_program(program), "-h", "127.0.0.1", "-p", self._port, "-U", _USER, *arguments)

    def _wait(self) -> None:
        ends = time.monotonic() + 60
        ready = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", self._port]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < ends, self._log.read_text()
            time.sleep(0.1)


@cache
def cluster() -> Cluster:
    """Return the one of this process, started on first use."""
    started = Cluster()
    atexit.register(started.stop)
    return started


def _run(*command: str) -> None:
    # Somewhere that the server's user may be, too.
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def _as_server(program: str) -> list[str]:
    """Return how to start a program: PostgreSQL refuses to run as root."""
    drop = ["setpriv", "--reuid", _USER, "--regid", _USER, "--clear-groups", "--pdeathsig", "KILL"]
    return [*(drop if _is_root() else []), _program(program)]


def _program(name: str) -> str:
    # Debian keeps those of the server off the PATH.
    places = Path("/usr/lib/postgresql").glob("*/bin")
    path = os.pathsep.join([os.defpath, *map(str, sorted(places, reverse=True))])
    found = shutil.which(name) or shutil.which(name, path=path)
    assert found is not None, f"no {name}: install PostgreSQL, such as apt-get install postgresql"
    return found


def _is_root() -> bool:
    return os.geteuid() == 0
