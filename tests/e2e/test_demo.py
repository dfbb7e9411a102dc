"""The demo, as `make demo LABELS=…` runs it, from nothing to its summary."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.harness.label_studio import installation

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

RUN = """
import signal
import sys
from pathlib import Path
from ls_active.demo import run as demo

# Whoever started the tests in the background had it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
demo.FOLDER = Path(sys.argv[1])
labels = int(sys.argv[2]) or None
sys.exit(demo.run(labels=labels, port=None, pace=5, keep=False))
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], subprocess.Popen[str]]:
    """Start a demo; all of them in one folder, each of which must begin anew."""
    home = tmp_path_factory.mktemp("demo")

    def start(labels: int) -> subprocess.Popen[str]:
        path = os.pathsep.join((str(ROOT / "backend"), str(ROOT / "model")))
        return subprocess.Popen(
            [sys.executable, "-c", RUN, str(home / "demo"), str(labels)],
            env=os.environ  # noqa: TID251 - the test's own child
            | {
                "PYTHONPATH": path,
                "PYTHONUNBUFFERED": "1",
                "LABEL_STUDIO_VENV": str(installation().venv),
                # The demo's service must not see it.
                "REDIS_URL": "redis://127.0.0.1:1",
            },
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def test_a_script_labels_in_our_order_and_sums_up(start):
    process = start(12)
    text, _ = process.communicate(timeout=280)
    assert process.returncode == 0, text
    for words in ("password", "own estimate", "Summary", "accuracy on the rest"):
        assert words in text
    assert re.search(r"handed out in our order +12 of 12", text), text
    assert re.search(r"handed out from our queue +12 of 12", text), text
    assert re.search(r"^ +12  al-\d+\.\d+ +\d+\.\d %", text, re.MULTILINE), text
    assert not _processes_of(text)


def test_ctrl_c_stops_everything(start):
    process = start(0)
    try:
        text = _read_until(process, "Press Label All Tasks")
        # The first project there is: where a demo ran here before, this one began anew.
        url = re.search(r"(http://localhost:\d+)/projects/1/data", text)
        assert url, text
        assert httpx.get(f"{url[1]}/health").is_success
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, rest
    assert "Stopped." in rest
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url[1]}/health")
    assert not _processes_of(text)


def _read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def _processes_of(text: str) -> list[str]:
    """Return what still runs in the demo's folder."""
    folder = re.search(r"our log +(.*)/service/serve.log", text)
    assert folder, text
    time.sleep(0.5)
    listed = subprocess.check_output(["ps", "-eo", "args"], text=True)
    return [line for line in listed.splitlines() if folder[1] in line]
