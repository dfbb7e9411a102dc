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
from tests.harness.data import LABEL_CONFIG
from tests.harness.label_studio import label_studio

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]

HOLD = """
import sys
from pathlib import Path
from tests.harness.label_studio import label_studio
with label_studio(Path(sys.argv[1])) as studio:
    print(studio._process.pid, flush=True)
    sys.stdin.read()
"""


def test_a_second_start_finds_what_the_first_made(tmp_path):
    with label_studio(tmp_path) as studio, LabelStudioClient(studio.url, studio.api_key) as client:
        made = client.create_project("kept", LABEL_CONFIG)
    with label_studio(tmp_path) as again, LabelStudioClient(again.url, again.api_key) as client:
        assert client.project(made.id).uid == made.uid


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no parent-death signal")
def test_it_dies_with_a_parent_that_is_killed(tmp_path):
    path = os.pathsep.join(map(str, (ROOT / "backend", ROOT / "model", ROOT)))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path},  # noqa: TID251 - the test's own child
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline, "Label Studio outlived its parent"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # killed, and only waiting for init to collect it
