"""A real worker whose work-horse kills itself, once, at a moment that a file names.

``python -m tests.harness.fragile_worker CONTROL``, with the service's environment. In the folder
CONTROL: ``at`` holds who dies, ``horse`` or ``worker`` with it, and the moment: its number, or
``after`` or ``during`` and an effect; ``effects`` gets the name of everything that outlives the
process. ``during`` is when the request has left and the answer is awaited.
"""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from string import digits
from typing import Any

import httpcore

from ls_active import stack
from ls_active.engine import worker
from ls_active.engine.coalesce import Coalescer
from ls_active.engine.lock import Lock
from ls_active.label_studio.client import LabelStudioClient
from ls_active.records import store
from ls_active.settings import get_settings
from ls_active.sync import database, features

SAID = {
    LabelStudioClient: (
        "import_predictions", "update_project", "delete_model_version",
        "create_webhook", "update_webhook", "delete_webhook",
    ),
    Coalescer: ("started", "finish", "hint_later", "rehint"),
    Lock: ("acquire", "release"),
}  # fmt: skip
"""Methods that write somewhere else than into the mirror."""


class Fate:
    """Counts effects, and ends the process before or after one of them."""

    def __init__(self, control: Path) -> None:
        self._control = control
        self._moment = 0
        self.current = ""

    @contextmanager
    def effect(self, name: str) -> Iterator[None]:
        self._pass(f"before {name}")
        self.current = name
        yield
        self.current = ""
        with (self._control / "effects").open("a") as file:
            file.write(f"{name}\n")
        self._pass(f"after {name}")

    def sent(self, event: str, _info: object) -> None:
        """Hear of every step of a request."""
        if event.endswith("receive_response_headers.started"):
            self._end_at(f"during {self.current}")

    def _pass(self, name: str) -> None:
        self._end_at(str(self._moment), name)
        self._moment += 1

    def _end_at(self, *names: str) -> None:
        at = self._control / "at"
        if at.exists():
            whom, _, moment = at.read_text().partition(" ")
            if moment in names:
                at.unlink()
                if whom == "worker":
                    os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            with self.effect(name):
                return function(*args, **kwargs)

        return watched


def watch_everything(fate: Fate) -> None:
    """Make an effect of all that a job leaves behind."""
    for owner, names in SAID.items():
        for name in names:
            setattr(owner, name, fate.watch(getattr(owner, name), f"{owner.__name__}.{name}"))
    features.write = fate.watch(features.write, "features")
    _watch_store(fate)
    _watch_requests(fate)

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            word = sql.split(maxsplit=1)[0]
            writes = word in ("INSERT", "UPDATE", "DELETE") and not self.in_transaction
            if word != "COMMIT" and not writes:
                return super().execute(sql, *values)
            with fate.effect(f"mirror {sql[:40]}"):
                return super().execute(sql, *values)

    def connect(folder: Path) -> sqlite3.Connection:
        return sqlite3.connect(folder / "mirror.sqlite3", isolation_level=None, factory=Watched)

    database._connect = connect


def _watch_store(fate: Fate) -> None:
    """Name what is written by its folder and kind: ``create versions .json``."""

    for word in ("create", "replace"):
        setattr(store.Store, f"_{word}", _watched_write(fate, word))


def _watched_write(fate: Fate, word: str) -> Callable[..., None]:
    write = getattr(store.Store, f"_{word}")

    def watched(self: store.Store, path: PurePosixPath, data: bytes) -> None:
        with fate.effect(f"{word} {_kind(path)}"):
            write(self, path, data)

    return watched


def _kind(path: PurePosixPath) -> str:
    return f"{path.parent.name} {path.name.lstrip(digits)}"


def _watch_requests(fate: Fate) -> None:
    handle = httpcore.ConnectionPool.handle_request

    def handle_watched(pool: httpcore.ConnectionPool, request: httpcore.Request) -> Any:
        request.extensions = {**request.extensions, "trace": fate.sent}
        return handle(pool, request)

    httpcore.ConnectionPool.handle_request = handle_watched  # type: ignore[method-assign]


if __name__ == "__main__":
    settings = get_settings()
    stack.configure_logging(settings)
    watch_everything(Fate(Path(sys.argv[1])))
    worker.run_worker(settings.redis_url.get_secret_value())
