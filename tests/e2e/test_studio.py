"""The Label Studio that demo and tests run: it comes up, goes on, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ls_active.label_studio.client import LabelStudioClient
from tests.harness.label_studio import label_studio

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]

HOLD = """
import sys
from pathlib import Path
from ls_active.label_studio.client import LabelStudioClient
from tests.harness.data import LABEL_CONFIG
from tests.harness.label_studio import label_studio
with label_studio(Path(sys.argv[1])) as studio:
    with LabelStudioClient(studio.url, studio.api_key) as client:
        print(studio._process.pid, client.create_project("kept", LABEL_CONFIG).uid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no parent-death signal")
def test_it_dies_with_a_parent_that_is_killed_and_goes_on_from_there(tmp_path, monkeypatch):
    # A PostgreSQL of the parent's would die with it, and all that it holds.
    monkeypatch.setenv("LABEL_STUDIO_DATABASE", "sqlite")
    path = os.pathsep.join(map(str, (ROOT / "backend", ROOT / "model", ROOT)))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path},  # noqa: TID251 - the test's own child
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child, uid = parent.stdout.readline().split()
        assert Path(f"/proc/{child}").exists()
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline, "Label Studio outlived its parent"
        time.sleep(0.05)
    with label_studio(tmp_path) as again, LabelStudioClient(again.url, again.api_key) as client:
        assert [project.uid for project in client.projects()] == [uid]


def _runs(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # killed, and only waiting for init to collect it
