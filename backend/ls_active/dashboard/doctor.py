"""The doctor, asked from the page: the command line's own, in a process of its own.

It waits for Label Studio, which calls us back meanwhile; and it cannot disagree with itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import anyio

from ls_active.dashboard.views import FindingView
from ls_active.errors import Busy
from ls_active.settings import Settings, as_environment, plain_environment

PATIENCE = 60.0
FRESH = 10.0
"""Seconds for which findings are shown again: a page that is loaded twice asks once."""


class Doctor:
    """Runs the doctor, one at a time.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        # Our own path: it must be the very same service that looks.
        path = {"PYTHONPATH": os.pathsep.join(sys.path)}
        self._env = {**plain_environment(), **as_environment(settings), **path}
        self._lock = anyio.Lock()
        self._found: dict[str, tuple[float, list[FindingView]]] = {}

    async def look(self, uid: str) -> list[FindingView]:
        """Return the findings about the service, Label Studio and one project.

        Raises
        ------
        Busy
            If it does not come to an end within a minute.
        """
        async with self._lock:
            looked_at, found = self._found.get(uid, (0.0, []))
            if not found or time.monotonic() - looked_at > FRESH:
                found = await self._run(uid)
                self._found = {uid: (time.monotonic(), found)}
            return found

    async def _run(self, uid: str) -> list[FindingView]:
        command = [sys.executable, "-m", "ls_active", "doctor", uid, "--json"]
        try:
            with anyio.fail_after(PATIENCE):
                done = await anyio.run_process(
                    command, env=self._env, check=False, stderr=subprocess.PIPE
                )
        except TimeoutError:
            raise Busy(f"the doctor found no end within {PATIENCE:g} s; try again") from None
        try:
            lines = json.loads(done.stdout)
        except ValueError:
            said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise Busy(f"the doctor could not look: {said[:300]}") from None
        return [FindingView(**line) for line in lines]
