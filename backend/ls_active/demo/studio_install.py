"""Label Studio in a virtual environment of its own, installed and migrated once.

Its own, because it pins older versions of what we use.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ls_active.errors import LabelStudioUnreachable

VERSION = "1.23.2"
USERNAME = "admin@example.com"
CREDENTIALS = "credentials.json"

_COMPLETE = ".complete"
_QUIET = {
    "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
    "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
    "LABEL_STUDIO_SENTRY_DSN": "",
    "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
    # Its prints must be in the log when we look there.
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Installation:
    """Where Label Studio is installed, and the data folder that every server starts from."""

    venv: Path
    template: Path
    base_env: Mapping[str, str]
    version: str = VERSION

    @property
    def program(self) -> Path:
        """The command line of Label Studio."""
        return self.venv / "bin" / "label-studio"

    def environment(self, data_dir: Path) -> dict[str, str]:
        """All that a Label Studio with this data folder shall see of an environment."""
        return {**self.base_env, **_QUIET, "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir)}


def ensure_label_studio(
    progress: Callable[[str], None],
    *,
    cache_dir: Path,
    base_env: Mapping[str, str],
    venv: Path | None = None,
    version: str = VERSION,
) -> Installation:
    """Install Label Studio and migrate a template, unless both are there.

    Parameters
    ----------
    progress : callable
        Told in a sentence what takes minutes, before it starts.
    cache_dir : Path
        Where both are kept. Processes that need them at the same time wait for one another.
    base_env : mapping
        All that Label Studio sees of our environment, for it reads names as plain as PORT.
    venv : Path, optional
        A virtual environment that has Label Studio already, of any release.
    version : str
        The release to install where no `venv` is given.

    Raises
    ------
    LabelStudioUnreachable
        If a step fails; the message shows the end of its log.
    """
    version = _version_in(venv) if venv else version
    home = cache_dir.expanduser().resolve() / f"label-studio-{version}"
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home / "lock", progress):
        installation = Installation(venv or home / "venv", home / "template", base_env, version)
        if venv is None:
            _install(installation, home / "install.log", progress)
        _migrate(installation, home / "migrate.log", progress)
    return installation


def _version_in(venv: Path) -> str:
    """Return the release of Label Studio that a virtual environment holds."""
    found = next(venv.glob("lib/*/site-packages/label_studio-*.dist-info"), None)
    if found is None:
        raise LabelStudioUnreachable(f"{venv} holds no Label Studio")
    return found.name.removeprefix("label_studio-").removesuffix(".dist-info")


def _install(installation: Installation, log: Path, progress: Callable[[str], None]) -> None:
    venv, release = installation.venv, f"Label Studio {installation.version}"
    if (venv / _COMPLETE).exists():
        return
    progress(f"Installing {release} into {venv} (once; 1 GB, some minutes) …")
    shutil.rmtree(venv, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(venv)], log, installation.base_env)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    _run([*pip, f"label-studio=={installation.version}"], log, installation.base_env)
    (venv / _COMPLETE).touch()


def _migrate(installation: Installation, log: Path, progress: Callable[[str], None]) -> None:
    template = installation.template
    if template.exists():
        return
    progress("Preparing the database of Label Studio (once; about a minute) …")
    half_made = template.with_name("template.new")
    shutil.rmtree(half_made, ignore_errors=True)
    half_made.mkdir(mode=0o700)
    credentials = {
        "username": USERNAME,
        "password": secrets.token_urlsafe(9),
        "api_key": secrets.token_hex(20),
    }
    initialize(installation, half_made, credentials, log)
    (half_made / CREDENTIALS).write_text(json.dumps(credentials))
    half_made.rename(template)


def initialize(
    installation: Installation,
    data_dir: Path,
    credentials: Mapping[str, str],
    log: Path,
    env: Mapping[str, str] | None = None,
) -> None:
    """Make the tables of a Label Studio and its administrator, where `env` says or in SQLite."""
    environment = installation.environment(data_dir) | {
        "LABEL_STUDIO_USERNAME": credentials["username"],
        "LABEL_STUDIO_PASSWORD": credentials["password"],
        "LABEL_STUDIO_USER_TOKEN": credentials["api_key"],
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    }
    _run([str(installation.program), "init", "--quiet"], log, environment | dict(env or {}))


@contextmanager
def _locked(path: Path, progress: Callable[[str], None]) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("Waiting for another process that prepares Label Studio …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], log: Path, env: Mapping[str, str]) -> None:
    with log.open("ab") as output:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise LabelStudioUnreachable(
            f"{Path(command[0]).name} failed ({done.returncode}), see {log}:\n{tail(log)}"
        )


def tail(log: Path, lines: int = 15) -> str:
    """Return the end of a log, for an error message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
