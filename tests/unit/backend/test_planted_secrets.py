"""Secrets that are planted wherever one may come in are found nowhere that anybody may look."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from ls_active import schemas
from ls_active.job_desk import JobDesk
from ls_active.loop.workshop import connect
from ls_active.records.secret import SECRET_HEADER, webhook_secret
from ls_active.settings import Settings
from tests.harness.rig import TEXTS
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_http import KEY, Trouble, Wire, on_a_socket
from tests.harness.simulated_project import CONFIG, UID
from tests.harness.stack import Stack, serve
from tests.redis_fixture import fresh_valkey

pytestmark = pytest.mark.slow

PASSWORD = "planted-password-of-basic-auth"
SERVER_SECRET = "planted-server-secret"
TOKEN = "planted-token-of-setup"
INVITE = "planted-invite-of-the-webhook"
STORAGE = "planted-password-of-a-storage"
GUESS = "planted-guess-of-a-stranger"
REDIS = "planted-password-of-redis"
IN_A_HEADER = base64.b64encode(f"label-studio:{PASSWORD}".encode()).decode()
PLANTED = (KEY, PASSWORD, IN_A_HEADER, SERVER_SECRET, TOKEN, INVITE, STORAGE, GUESS, REDIS)

PAGES = (
    "/projects", f"/projects/{UID}", f"/projects/{UID}/jobs", f"/projects/{UID}/versions",
    f"/projects/{UID}/doctor", f"/api/projects/{UID}/jobs", "/api/openapi.json",
)  # fmt: skip
CREDENTIALS = ("label-studio", PASSWORD)
PROJECT = {"id": 1, "created_at": "2026-01-01T00:00:00Z", "token": INVITE}


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with on_a_socket(SimulatedLabelStudio(TEXTS[:24])) as running:
        yield running


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """Return the address of a Redis that asks for a password."""
    with fresh_valkey() as url:
        with redis.Redis.from_url(url) as connection:
            connection.config_set("requirepass", REDIS)
        yield url.replace("unix://", f"unix://:{REDIS}@")


@pytest.fixture(scope="module")
def stack(wire: Wire, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    env = {
        "LOG_LEVEL": "DEBUG", "BASIC_AUTH_USER": CREDENTIALS[0], "BASIC_AUTH_PASS": PASSWORD,
        "SERVER_SECRET": SERVER_SECRET, "REDIS_URL": redis_url, "WORKERS": "1",
        "PREDICT_PROCESSES": "1",
    }  # fmt: skip
    with serve(tmp_path_factory.mktemp("planted"), wire.url, KEY, env) as running:
        yield running


@pytest.fixture(scope="module")
def said(wire: Wire, stack: Stack) -> list[str]:
    """Connect, label, train, predict, and do all of it wrongly as well; return the answers."""
    with httpx.Client(base_url=stack.url, auth=CREDENTIALS, timeout=30) as client:
        answers = [_connect(wire, stack, client), *_learn(wire, stack, client)]
        answers += _go_wrong(wire, stack, client)
    with httpx.Client(base_url=stack.url, timeout=30) as stranger:
        answers += _knock(stranger)
    return [f"{answer.status_code} {answer.headers} {answer.text}" for answer in answers]


def _connect(wire: Wire, stack: Stack, client: httpx.Client) -> httpx.Response:
    wire.studio.connect(stack.url, "our model", {"min_interval": 0})
    setup = {"project": UID, "schema": CONFIG, "hostname": wire.url, "access_token": TOKEN}
    answer = client.post("/setup", json=setup).raise_for_status()
    stack.wait_for(UID, lambda status: status.state == "waiting")
    return answer


def _learn(wire: Wire, stack: Stack, client: httpx.Client) -> Iterator[httpx.Response]:
    with wire.lock:
        for task in sorted(wire.studio.rows)[:6]:
            text = wire.studio.rows[task].data["text"]
            wire.studio.annotate(task, "cat" if "cat" in text else "dog")
    secret = {SECRET_HEADER: wire.studio.hooks[0]["headers"][SECRET_HEADER]}
    event = {"action": "ANNOTATION_CREATED", "project": PROJECT}
    with httpx.Client(base_url=stack.url) as webhook:
        yield webhook.post("/webhook", json=event, headers=secret).raise_for_status()
    stack.wait_for(UID, lambda status: status.labels == 6 and status.state == "ready")
    yield client.post("/webhook", json={"action": "START_TRAINING", "project": PROJECT})
    task = {"id": 1, "data": {"text": "my cat"}}
    params = {"login": "storage", "password": STORAGE, "context": None}
    body = {"tasks": [task], "project": UID, "label_config": CONFIG, "params": params}
    yield client.post("/predict", json=body).raise_for_status()
    for path in ("/health", "/versions", "/metrics", *PAGES):
        yield client.get(path).raise_for_status()


def _go_wrong(wire: Wire, stack: Stack, client: httpx.Client) -> Iterator[httpx.Response]:
    yield client.post("/setup", json={"project": "../etc", "access_token": TOKEN, "schema": 3})
    yield client.post("/setup", content=f'{{"access_token": "{TOKEN}"')
    yield client.post("/predict", json={"tasks": 3, "params": {"password": STORAGE}})
    yield client.post("/webhook", json={"action": "X" * 200, "project": PROJECT})
    # What quotes a request in its refusal, as servers and proxies in between do.
    echo = f'{{"detail": "who is Token {KEY}?"}}'.encode()
    wire.troubles.append(Trouble(" /api", status=401, body=echo))
    yield client.post("/webhook", json={"action": "START_TRAINING", "project": PROJECT})
    stack.wait_for(UID, lambda status: status.state == "failing")
    yield client.get(f"/projects/{UID}/jobs")
    wire.troubles.clear()
    yield from _without_redis(stack, client)


def _without_redis(stack: Stack, client: httpx.Client) -> Iterator[httpx.Response]:
    """Have Redis take another password for a while, and forget who gave the right one."""
    own = stack.desk.redis
    own.config_set("requirepass", "another")
    own.client_kill_filter(skipme=True, _type="normal")
    try:
        for _ in range(3):
            yield client.post("/webhook", json={"action": "START_TRAINING", "project": PROJECT})
            yield client.get(f"/projects/{UID}/jobs")
        stack.wait_until(lambda: "the timer cannot work" in stack.log.read_text(), 60)
    finally:
        own.config_set("requirepass", REDIS)
    stack.wait_until(lambda: "the timer works again" in stack.log.read_text(), 60)


def _knock(stranger: httpx.Client) -> Iterator[httpx.Response]:
    for path in ("/health", "/versions", "/metrics"):
        yield stranger.get(path, auth=("label-studio", GUESS))
    event = {"action": "START_TRAINING", "project": PROJECT}
    yield stranger.post("/webhook", json=event, headers={SECRET_HEADER: GUESS})
    yield stranger.post("/webhook", json=event, headers={"Authorization": f"Basic {GUESS}"})


def assert_clean(text: str | bytes, where: str) -> None:
    raw = text.encode() if isinstance(text, str) else text
    assert [name for name in PLANTED if name.encode() in raw] == [], where


def test_answers(said: list[str]) -> None:
    assert {answer[:3] for answer in said} >= {"200", "400", "401"}
    for answer in said:
        assert_clean(answer, answer[:60])


def test_logs_at_debug(said: list[str], stack: Stack) -> None:
    log = stack.log.read_text()
    assert "DEBUG" in log or " D " in log
    assert "published" in log
    assert "WRONGPASS" in log or "AuthenticationError" in log
    assert_clean(log, "log")
    assert webhook_secret(_settings(stack), UID) not in log


def test_everything_in_redis(said: list[str], stack: Stack, wire: Wire) -> None:
    kept = stack.desk.redis
    # Among them the jobs, failed ones with their tracebacks.
    values = {key: _value(kept, key) for key in kept.scan_iter()}
    assert any(key.startswith(b"rq:job:") for key in values)
    assert_clean(repr(values), "Redis")
    assert webhook_secret(_settings(stack), UID) not in repr(values)


@pytest.mark.parametrize(
    "command", [("status",), ("status", "--json"), ("doctor", UID), ("doctor", UID, "--json")]
)
def test_what_the_command_line_says(said: list[str], stack: Stack, command: tuple[str]) -> None:
    done = stack.run(*command)
    assert done.stdout
    assert_clean(done.stdout + done.stderr, " ".join(command))


def test_every_file(said: list[str], stack: Stack) -> None:
    files = [path for path in (stack.folder / "data").rglob("*") if path.is_file()]
    assert {"state.json", "connection.json", "mirror.sqlite3", "000001.npz"} <= {
        path.name for path in files
    }
    for path in files:
        assert_clean(path.read_bytes(), str(path))


def test_what_processes_are_started_with(stack: Stack) -> None:
    # Any user of the machine may read these; an environment is the owner's alone.
    for name in ("api", "worker 1", "timer"):
        [pid] = stack.pids(name)
        assert_clean(Path(f"/proc/{pid}/cmdline").read_bytes(), name)


def test_representations(stack: Stack, wire: Wire) -> None:
    desk = JobDesk(_settings(stack))
    setup = {"project": UID, "access_token": KEY, "schema": CONFIG}
    predict = {"tasks": [], "params": {"login": "ann", "password": PASSWORD}}
    with connect(desk.settings) as client:
        things = [
            desk.settings, desk, desk.store, wire.studio, client, client.http,
            schemas.parse(schemas.SetupRequest, json.dumps(setup).encode()),
            schemas.parse(schemas.PredictRequest, json.dumps(predict).encode()),
        ]  # fmt: skip
        for thing in things:
            assert_clean(f"{thing!r} {thing}", type(thing).__name__)


def test_the_complaint_about_settings() -> None:
    code = "from ls_active.settings import Settings; Settings()"
    env = {"BASIC_AUTH_PASS": PASSWORD, "LABEL_STUDIO_API_KEY": KEY, "PORT": "none"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "PORT" in done.stderr.upper()
    assert_clean(done.stderr, "complaint")


def _settings(stack: Stack) -> Settings:
    known = {name.lower(): value for name, value in stack.env.items()}
    names = Settings.model_fields.keys()
    return Settings(**{name: value for name, value in known.items() if name in names})


def _value(kept: redis.Redis, key: bytes) -> Any:
    kind = kept.type(key)
    if kind == b"hash":
        return kept.hgetall(key)
    if kind == b"zset":
        return kept.zrange(key, 0, -1, withscores=True)
    if kind == b"set":
        return kept.smembers(key)
    if kind == b"list":
        return kept.lrange(key, 0, -1)
    return kept.xrange(key) if kind == b"stream" else kept.get(key)
