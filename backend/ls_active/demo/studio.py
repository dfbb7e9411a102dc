"""A running Label Studio of our own, for the demo and the tests: up in seconds.

Every server starts from a copy of a data folder that was migrated once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ls_active.console.waiting import answers
from ls_active.demo.ports import try_port
from ls_active.demo.studio_install import (
    CREDENTIALS,
    VERSION,
    Installation,
    ensure_label_studio,
    tail,
)
from ls_active.errors import LabelStudioUnreachable

__all__ = ["VERSION", "Installation", "Studio", "ensure_label_studio"]

START_TIMEOUT = 120.0
PORT_TRIES = 5

_DATABASE = "label_studio.sqlite3"

_ALLOW_LOCAL_BACKENDS = {
    "LABEL_STUDIO_ML_BLOCK_LOCAL_IP": "false",
    "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "false",
}
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Run between fork and Label Studio: a preexec_fn can dead-lock where there are threads."""


class Studio:
    """A running Label Studio on the loopback address; dies with the thread that started it.

    Attributes
    ----------
    url, username, password, api_key : str
        Where it answers, and its administrator (`api_key` is a legacy token).
    data_dir, log : Path
        What it keeps, and what it says.
    """

    def __init__(self, data_dir: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        credentials = json.loads((data_dir / CREDENTIALS).read_text())
        self.data_dir = data_dir
        self.port = port
        # Not 127.0.0.1: this is the name by which Label Studio introduces itself in /setup.
        self.url = f"http://localhost:{port}"
        self.username: str = credentials["username"]
        self.password: str = credentials["password"]
        self.api_key: str = credentials["api_key"]
        self._process = process

    @classmethod
    def start(
        cls,
        installation: Installation,
        data_dir: Path,
        *,
        port: int = 0,
        env: Mapping[str, str] | None = None,
    ) -> Studio:
        """Start a server and return when it answers.

        Parameters
        ----------
        installation : Installation
            See `ensure_label_studio`.
        data_dir : Path
            Continued if it holds a Label Studio already, else made from the template.
        port : int
            0 for a free one.
        env : mapping, optional
            More settings of Label Studio, such as ``SSRF_PROTECTION_ENABLED``.

        Raises
        ------
        LabelStudioUnreachable
            If the port is taken or the server does not come up.
        """
        if not (data_dir / _DATABASE).exists():
            shutil.copytree(installation.template, data_dir, dirs_exist_ok=True)
        for _ in range(1 if port else PORT_TRIES):
            chosen = _port(port)
            studio = cls(data_dir, chosen, _spawn(installation, data_dir, chosen, env or {}))
            try:
                if studio._came_up():
                    return studio
            except BaseException:
                studio.stop()
                raise
            studio.stop()
        raise LabelStudioUnreachable("other programs took every port that was tried; try again")

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.data_dir / "label-studio.log"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server; what it keeps stays."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _came_up(self) -> bool:
        """Wait until the server answers; False if it went to another port."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise LabelStudioUnreachable(f"Label Studio stopped at once:\n{tail(self.log)}")
            # It takes the next port without more than a line in its log.
            if "is in use." in self.log.read_text(errors="replace"):
                return False
            if answers(f"{self.url}/health"):
                return True
            time.sleep(0.1)
        raise LabelStudioUnreachable(
            f"Label Studio did not answer in {START_TIMEOUT:.0f} s:\n{tail(self.log)}"
        )


def _spawn(
    installation: Installation, data_dir: Path, port: int, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-I",
        "-c",
        _DIE_WITH_PARENT,
        str(os.getpid()),
        str(installation.program),
        "start",
        "--no-browser",
        "--port",
        str(port),
        "--internal-host",
        "127.0.0.1",
    ]
    environment = installation.environment(data_dir) | _ALLOW_LOCAL_BACKENDS
    with (data_dir / "label-studio.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - a fixed command
            command,
            env=environment | _prefixed(env),
            cwd=data_dir,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C at the terminal is for us; we stop it when we are done with it.
            start_new_session=True,
        )


def _prefixed(env: Mapping[str, str]) -> dict[str, str]:
    # With the prefix a name wins over both of its other spellings.
    return {f"LABEL_STUDIO_{name.removeprefix('LABEL_STUDIO_')}": env[name] for name in env}


def _port(port: int) -> int:
    try:
        return try_port(port)
    except OSError as error:
        raise LabelStudioUnreachable(f"port {port} cannot be used: {error.strerror}") from error
