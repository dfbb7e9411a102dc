"""As the image runs it: nobody's user, a root file system that is read-only, a small disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ls_active.records.store import Store
from tests.harness import locked_down
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_http import KEY, Wire, on_a_socket
from tests.harness.simulated_project import CONFIG, UID
from tests.harness.stack import ROOT, Stack, serve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not locked_down.possible(), reason="no right to mount anything here"),
]

MIB = 64
EVENT = {"action": "ANNOTATION_CREATED", "project": {"id": 1, "created_at": "2026-01-01T00:00:00Z"}}


@pytest.fixture
def wire() -> Iterator[Wire]:
    with on_a_socket(SimulatedLabelStudio(TEXTS)) as running:
        yield running


@pytest.fixture
def stack(wire: Wire, tmp_path: Path) -> Iterator[Stack]:
    """A service that learned a few labels."""
    paths = map(str, (ROOT, ROOT / "backend", ROOT / "model"))
    env = {"WORKERS": "1", "PREDICT_PROCESSES": "1", "PYTHONPATH": os.pathsep.join(paths)}
    command = ("tests.harness.locked_down", str(MIB))
    with serve(tmp_path, wire.url, KEY, env, command) as running:
        [api] = running.pids("api")
        running.store = Store(str(locked_down.inside(api)))
        wire.studio.connect(running.url, "our model", {"min_interval": 0, "head_size": 10})
        setup = {"project": UID, "schema": CONFIG, "hostname": wire.url}
        httpx.post(f"{running.url}/setup", json=setup).raise_for_status()
        running.wait_for(UID, lambda status: status.state == "waiting")
        label(running, wire, 6)
        running.wait_for(UID, lambda status: status.labels == 6)
        yield running


def label(stack: Stack, wire: Wire, n: int) -> None:
    with wire.lock:
        Rig(stack.folder, wire.studio).label(n)
        secret = wire.studio.hooks[0]["headers"]
    httpx.post(f"{stack.url}/webhook", json=EVENT, headers=secret)


def predict(stack: Stack) -> httpx.Response:
    body = {
        "tasks": [{"id": 1, "data": {"text": TEXTS[0]}}],
        "project": UID,
        "label_config": CONFIG,
    }
    return httpx.post(f"{stack.url}/predict", json=body)


def test_it_does_its_work_without_any_right(stack: Stack, wire: Wire) -> None:
    for name in ("api", "worker 1", "timer", "valkey"):
        [pid] = stack.pids(name)
        facts = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        assert set(facts["Uid"].split()) == {str(locked_down.USER)}
        assert int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0
        assert facts["NoNewPrivs"] == "1"
        mounts = [line.split() for line in Path(f"/proc/{pid}/mounts").read_text().splitlines()]
        ours = {place: options.split(",") for _, place, _, options, *_ in mounts}
        assert [place for place in ("/", "/mnt", "/mnt/code") if "rw" in ours[place]] == []
    label(stack, wire, 4)
    stack.wait_for(UID, lambda status: status.labels == 10)
    assert predict(stack).json()["results"][0]["result"]
    assert "Read-only file system" not in stack.log.read_text()
    assert "Traceback" not in stack.log.read_text()


def test_a_full_disk_is_said_and_all_is_learned_when_there_is_room(
    stack: Stack, wire: Wire
) -> None:
    served = wire.studio.fields["model_version"]
    filler = locked_down.inside(*stack.pids("api")) / "filler"
    fill(filler)
    label(stack, wire, 4)
    stack.wait_until(lambda: "No space left on device" in stack.log.read_text(), 60)
    for _ in range(20):
        fill(filler)
        assert httpx.get(f"{stack.url}/health").status_code == 200
        assert predict(stack).json()["model_version"]
        assert httpx.post(f"{stack.url}/webhook", json=EVENT).status_code in (200, 401, 503)
        assert wire.studio.serves_whole()
        time.sleep(0.25)
    assert wire.studio.fields["model_version"] == served
    filler.unlink()
    stack.wait_for(UID, lambda status: (status.state, status.labels) == ("ready", 10), 90)
    assert wire.studio.serves_whole()
    assert "Traceback" not in stack.log.read_text()


def fill(filler: Path) -> None:
    """Take what room there is."""
    with filler.open("ab", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
