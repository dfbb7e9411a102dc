"""A real worker whose work-horse kills itself, once, at a moment that a file names.

``python -m tests.harness.fragile_worker CONTROL``, with the service's environment. In the folder
CONTROL: ``at`` holds the number of the moment, and whether the worker dies along; ``effects`` gets
the name of everything that outlives the process.
"""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ls_active import stack, store
from ls_active.engine import worker
from ls_active.engine.coalesce import Coalescer
from ls_active.engine.lock import Lock
from ls_active.label_studio.client import LabelStudioClient
from ls_active.settings import get_settings
from ls_active.sync import database, features

SAID = {
    LabelStudioClient: (
        "import_predictions", "update_project", "delete_model_version",
        "create_webhook", "update_webhook", "delete_webhook",
    ),
    Coalescer: ("started", "finish", "hint_later", "rehint"),
    Lock: ("acquire", "release"),
    store.Store: ("_create", "_replace"),
}  # fmt: skip
"""Methods that write somewhere else than into the mirror."""


class Fate:
    """Counts effects, and ends the process before or after one of them."""

    def __init__(self, control: Path) -> None:
        self._control = control
        self._moment = 0

    @contextmanager
    def effect(self, name: str) -> Iterator[None]:
        self._pass()
        yield
        with (self._control / "effects").open("a") as file:
            file.write(f"{name}\n")
        self._pass()

    def _pass(self) -> None:
        at = self._control / "at"
        if at.exists():
            moment, _, whom = at.read_text().partition(" ")
            if self._moment == int(moment):
                at.unlink()
                if whom == "worker":
                    os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
        self._moment += 1

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


if __name__ == "__main__":
    settings = get_settings()
    stack.configure_logging(settings)
    watch_everything(Fate(Path(sys.argv[1])))
    worker.run_worker(settings.redis_url.get_secret_value())
