"""`ls-active serve` as a child of the demo, in a fresh folder and untouched by our environment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import active_learning
import ls_active
from ls_active.console.waiting import NotDone, answers
from ls_active.demo.ports import free_port
from ls_active.demo.studio import Studio
from ls_active.demo.studio_install import tail
from ls_active.engine import processes
from ls_active.records.store import Store
from ls_active.settings import plain_environment

START_SECONDS = 60.0
STOP_SECONDS = 15.0


class DemoService:
    """The running service.

    Attributes
    ----------
    url : str
        Where the API answers.
    store : Store
        What it keeps.
    log : Path
        What it says.
    """

    def __init__(self, folder: Path, studio: Studio) -> None:
        folder.mkdir(parents=True)
        port = free_port()
        self.url = f"http://localhost:{port}"
        self.store = Store(str(folder / "data"))
        self.log = folder / "serve.log"
        self._process = _spawn(folder, self.log, studio, port)

    def check(self) -> None:
        """Raise NotDone, with the end of its log, if it has ended."""
        if self._process.poll() is not None:
            raise NotDone(f"ls-active serve ended, see {self.log}:\n{tail(self.log)}")

    def wait(self) -> None:
        """Return when the API answers."""
        ends = time.monotonic() + START_SECONDS
        while not answers(f"{self.url}/"):
            self.check()
            if time.monotonic() > ends:
                raise NotDone(f"ls-active serve does not answer, see {self.log}:\n{tail(self.log)}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it and all it started."""
        processes.stop(self._process, STOP_SECONDS)


@contextmanager
def demo_service(folder: Path, studio: Studio) -> Iterator[DemoService]:
    """Run the service for the body of a ``with``; call `wait` before using it."""
    service = DemoService(folder, studio)
    try:
        yield service
    finally:
        service.stop()


def _spawn(folder: Path, log: Path, studio: Studio, port: int) -> subprocess.Popen[bytes]:
    # processes.spawn hands on our environment, whose REDIS_URL or DATA_DIR are not for the demo.
    shim = [sys.executable, "-I", "-S", processes.__file__, str(os.getpid())]
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own program, no shell
            [*shim, sys.executable, "-m", "ls_active", "serve"],
            env=_environment(studio, port),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _environment(studio: Studio, port: int) -> dict[str, str]:
    packages = {
        str(Path(str(module.__file__)).parents[1]) for module in (ls_active, active_learning)
    }
    return {
        **plain_environment(),
        "PYTHONPATH": os.pathsep.join(sorted(packages)),
        "LABEL_STUDIO_URL": studio.url,
        "LABEL_STUDIO_API_KEY": studio.api_key,
        "DATA_DIR": "data",
        "PORT": str(port),
        # One project and one annotator: more processes would only take longer to start.
        "WORKERS": "1",
        "PREDICT_PROCESSES": "1",
    }
