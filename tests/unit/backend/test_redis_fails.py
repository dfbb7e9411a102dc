"""A Redis that is away, frozen, full or wiped: what each route answers, and that it heals."""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import redis
from pydantic import SecretStr

from ls_active.engine.valkey import EmbeddedValkey
from ls_active.job_desk import JobDesk
from ls_active.service import Service
from ls_active.web.app import create_app
from tests.harness.redis_door import RedisDoor
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_http import KEY, Wire, on_a_socket
from tests.harness.simulated_project import CONFIG, UID
from tests.harness.stack import Stack, serve
from tests.http_fakes import serve as serve_app

EVENT = {"action": "ANNOTATION_CREATED", "project": {"id": 1, "created_at": "2026-01-01T00:00:00Z"}}
SETUP = {"project": UID, "schema": CONFIG, "hostname": "http://studio.example:8080"}
PREDICT = {
    "tasks": [{"id": 1, "data": {"text": "my cat purrs"}}],
    "project": UID,
    "label_config": CONFIG,
}


class Server:
    """A Valkey that can be broken, and a door to it that can be as well."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedValkey(folder)
        self._process = self._server.start()
        self._door = RedisDoor(str(self._server.socket)).__enter__()
        self.url = self._door.url
        self.redis = redis.Redis.from_url(self._server.url)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def start(self) -> None:
        if self._process.poll() is not None:
            self._process = self._server.start()

    def stop(self) -> None:
        self.redis.close()
        self._process.send_signal(signal.SIGCONT)
        self._door.__exit__()
        self._server.stop()

    @contextmanager
    def killed(self) -> Iterator[None]:
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def full(self) -> Iterator[None]:
        self.redis.config_set("maxmemory", 1)
        try:
            yield
        finally:
            self.redis.config_set("maxmemory", 0)

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Let it run a fifth of the time only, in steps well below what the web waits for."""
        over = threading.Event()

        def hold_up() -> None:
            while not over.wait(0.02):
                self._process.send_signal(signal.SIGSTOP)
                over.wait(0.08)
                self._process.send_signal(signal.SIGCONT)

        thread = threading.Thread(target=hold_up)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextmanager
    def late(self) -> Iterator[None]:
        """Have each answer come later than the web waits for it."""
        with self._door.late(0.8):
            yield

    @contextmanager
    def vanished(self) -> Iterator[None]:
        """Let the connections there are go on for ever and carry nothing."""
        self._door.vanish()
        yield


GONE = {
    "killed": Server.killed, "frozen": Server.frozen, "full": Server.full, "late": Server.late,
}  # fmt: skip
BROKEN = {**GONE, "slow": Server.slow, "vanished": Server.vanished}


pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        running = Server(Path(folder))
        yield running
        running.stop()


@pytest.fixture(scope="module")
def quiet_rig(tmp_path_factory) -> Rig:
    rig = Rig(tmp_path_factory.mktemp("rig"), SimulatedLabelStudio(TEXTS[:16]))
    rig.connect()
    rig.label(6)
    rig.run()
    return rig


class TestRoutes:
    @pytest.fixture
    def client(self, quiet_rig, server) -> Iterator[httpx.Client]:
        server.redis.flushall()
        settings = quiet_rig.settings.model_copy(update={"redis_url": SecretStr(server.url)})
        desk = JobDesk(settings)
        with serve_app(create_app(settings, service=Service(settings), jobs=desk)) as opened:
            yield opened
        desk.redis.close()

    @pytest.mark.parametrize("broken", GONE.values(), ids=GONE)
    def test_answer_what_they_can_in_time_and_recover_by_themselves(self, client, server, broken):
        assert client.post("/webhook", json=EVENT).status_code == 200
        with broken(server):
            for path, body in (("/predict", PREDICT), ("/setup", SETUP)):
                answer = client.post(path, json=body)
                assert (answer.status_code, answer.json()["model_version"]) == (200, "al-1")
            for action in ("ANNOTATION_CREATED", "START_TRAINING"):
                answer = client.post("/webhook", json=EVENT | {"action": action})
                assert answer.status_code == 503, answer.text
                # Label Studio waits one second.
                assert answer.elapsed.total_seconds() < 1.5
            assert client.get("/versions").json() == {"versions": ["al-1"]}
            metrics = client.get("/metrics")
            assert metrics.status_code == 200
            assert client.get("/health").json()["redis"] == "down"
            assert client.get("/").status_code == 200
        assert client.post("/webhook", json=EVENT).status_code == 200
        assert client.get("/health").json()["redis"] == "up"

    def test_a_full_one_is_not_called_silent(self, client, server):
        with server.full():
            said = client.post("/webhook", json=EVENT).json()
        assert said["error"] == "queue_down"
        assert "maxmemory" in said["detail"]

    def test_a_wiped_one_takes_hints_at_once(self, client, server):
        client.post("/webhook", json=EVENT)
        server.redis.flushall()
        assert client.post("/webhook", json=EVENT).status_code == 200
        assert server.redis.exists(f"al:{UID}:queued")

    def test_one_that_vanished_is_noticed(self, client, server):
        assert client.post("/webhook", json=EVENT).status_code == 200
        with server.vanished():
            answers = [client.post("/webhook", json=EVENT).status_code for _ in range(12)]
        assert set(answers[-3:]) == {200}

    def test_a_slow_one_is_waited_for(self, client, server):
        with server.slow():
            answers = [client.post("/webhook", json=EVENT).status_code for _ in range(10)]
        assert set(answers) == {200}


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with on_a_socket(SimulatedLabelStudio(TEXTS * 2)) as running:
        yield running


@pytest.fixture(scope="module")
def stack(wire, server, tmp_path_factory) -> Iterator[Stack]:
    """Started while Redis was down."""
    server.start()
    server.redis.flushall()
    env = {"REDIS_URL": server.url, "WORKERS": "1", "PREDICT_PROCESSES": "1"}
    with server.killed():
        stack = serve(tmp_path_factory.mktemp("service"), wire.url, KEY, env)
        running = stack.__enter__()
        assert httpx.get(f"{running.url}/health").status_code == 200
        assert httpx.post(f"{running.url}/webhook", json=EVENT).status_code in (404, 503)
    yield running
    stack.__exit__(None, None, None)


@pytest.fixture(scope="module")
def rig(stack, wire) -> Rig:
    wire.studio.connect(stack.url, "our model", {"min_interval": 0, "head_size": 10})
    httpx.post(f"{stack.url}/setup", json=SETUP | {"hostname": wire.url}).raise_for_status()
    stack.wait_for(UID, lambda status: status.state == "waiting", 60)
    return Rig(stack.folder / "data", wire.studio)


@pytest.mark.slow
class TestWholeService:
    """Nobody restarts ours: once Redis is back, all that was said is learned."""

    def label(self, rig: Rig, wire: Wire, stack: Stack, *, told: bool = True) -> int:
        with wire.lock:
            rig.label(2)
            total = sum(bool(row.annotations) for row in wire.studio.rows.values())
            secret = wire.studio.hooks[0]["headers"]
        if told:
            httpx.post(f"{stack.url}/webhook", json=EVENT, headers=secret, timeout=5)
        return total

    def wait_learned(self, labels: int, stack: Stack, wire: Wire) -> None:
        def learned() -> bool:
            status = stack.status(UID)
            with wire.lock:
                served = wire.studio.fields["model_version"]
                whole = wire.studio.serves_whole()
            return whole and (status.labels, status.publication) == (labels, served)

        stack.wait_until(learned, 60)

    @pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
    def test_broken_for_a_while(self, rig, wire, stack, server, broken):
        self.wait_learned(self.label(rig, wire, stack), stack, wire)
        with broken(server):
            self.label(rig, wire, stack)
            time.sleep(10)
        labels = self.label(rig, wire, stack)
        self.wait_learned(labels, stack, wire)

    def test_wiped(self, rig, wire, stack, server):
        self.label(rig, wire, stack)
        server.redis.flushall()
        self.wait_learned(self.label(rig, wire, stack), stack, wire)

    def test_vanished_in_silence_loses_no_label(self, rig, wire, stack, server):
        labels = self.label(rig, wire, stack, told=False)
        with server.vanished():
            self.wait_learned(labels, stack, wire)

    def test_wiped_in_silence_loses_no_label(self, rig, wire, stack, server):
        labels = self.label(rig, wire, stack, told=False)
        server.redis.flushall()
        self.wait_learned(labels, stack, wire)
