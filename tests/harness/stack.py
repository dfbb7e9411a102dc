"""Our whole service on this machine, as `ls-active serve` runs it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import httpx
from pydantic import SecretStr

from ls_active.engine import processes
from ls_active.engine.valkey import EmbeddedValkey
from ls_active.job_desk import JobDesk
from ls_active.records.project import ProjectStatus
from ls_active.records.store import Store
from ls_active.settings import Settings, plain_environment

T = TypeVar("T")

ROOT = Path(__file__).parents[2]

PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))  # noqa: TID251 - of the tests
"""By how much every wait here is longer, on a machine that is busy with other things."""

TIED = [sys.executable, "-I", "-S", processes.__file__]


class Stack:
    """`ls-active serve` with a data folder of its own.

    Attributes
    ----------
    url : str
        Where our API answers.
    store : Store
        What it keeps.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        env: Mapping[str, str],
        command: Sequence[str] = ("ls_active", "serve"),
    ) -> None:
        self.folder = folder
        self.port = port
        self.url = f"http://localhost:{port}"
        self.store = Store(str(folder / "data"))
        self.log = folder / "serve.log"
        self._env = env
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> dict[str, str]:
        """The environment in which our command line talks to this very service."""
        return {
            **plain_environment(),
            "PYTHONPATH": f"{ROOT / 'backend'}{os.pathsep}{ROOT / 'model'}",
            "DATA_DIR": str(self.folder / "data"),
            "PORT": str(self.port),
            **self._env,
        }

    def start(self) -> None:
        """Start it and return when it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            # Tied to us: a killed test run leaves no service behind.
            self._process = subprocess.Popen(
                [*TIED, str(os.getpid()), sys.executable, "-m", *self._command],
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_until(self._answers, 180)

    def stop(self) -> None:
        """Stop it as an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would: its children die with it."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def pids(self, name: str) -> list[int]:
        """Return the processes last started under a name: ``valkey``, ``worker 1``, ``timer``…"""
        found = re.findall(rf"{name} runs, pid (\d+)", self.log.read_text(errors="replace"))
        return [int(pid) for pid in found[-1:]]

    @cached_property
    def desk(self) -> JobDesk:
        """Where jobs are asked for, as the command line does."""
        local = self.folder / "data" / "local"
        settings = Settings(
            label_studio_url=self._env["LABEL_STUDIO_URL"],
            label_studio_api_key=SecretStr(self._env["LABEL_STUDIO_API_KEY"]),
            data_dir=str(self.folder / "data"),
            redis_url=SecretStr(self._env.get("REDIS_URL") or EmbeddedValkey(local / "valkey").url),
        )
        return JobDesk(settings)

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run our command line against this service and return what it did."""
        return subprocess.run(
            [sys.executable, "-m", "ls_active", *arguments],
            env={**self.env, "COLUMNS": "200", "NO_COLOR": "1"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def status(self, uid: str) -> ProjectStatus:
        """Return what the last job said about a project."""
        return ProjectStatus.load(self.store, uid)

    def wait_for(
        self, uid: str, condition: Callable[[ProjectStatus], bool], seconds: float = 60
    ) -> ProjectStatus:
        """Wait until the project's status meets a condition, and return it."""
        try:
            self.wait_until(lambda: condition(self.status(uid)), seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; the project says {self.status(uid)}") from None
        return self.status(uid)

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until something holds; show the end of the log if it does not."""
        seconds *= PATIENCE
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.05)
        tail = self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""
        raise AssertionError(f"waited {seconds} s in vain; our log ends:\n{tail}")

    def _answers(self) -> bool:
        # Without TLS there is no need to read the authorities' certificates at each question.
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/", timeout=1, verify=False).status_code == 200
        return False

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(40 * PATIENCE)
        self._process = None
        self.wait_until(lambda: not self._answers(), 10)


@contextlib.contextmanager
def serve(
    folder: Path,
    label_studio_url: str,
    api_key: str,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = ("ls_active", "serve"),
) -> Iterator[Stack]:
    """Run our service for a Label Studio, by another module than our own where one is named."""
    credentials = {"LABEL_STUDIO_URL": label_studio_url, "LABEL_STUDIO_API_KEY": api_key}
    stack = Stack(folder, free_port(), {**credentials, **(env or {})}, command)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
