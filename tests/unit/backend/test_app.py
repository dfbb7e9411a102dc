from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ls_active.records.project import Connection
from ls_active.records.secret import SECRET_HEADER
from ls_active.records.store import Store
from ls_active.schemas import PredictReply, PredictRequest
from ls_active.web import app as app_module
from ls_active.web.app import create_app
from tests.http_fakes import CONFIG, EVENT, UID, FakeDesk, FakeService, make_settings, serve
from tests.redis_fixture import wait_until

ROUTES = ["/predict", "/setup", "/webhook"]
BASIC = {"Authorization": "Basic " + base64.b64encode(b"ann:pass").decode()}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def shared_desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def desk(shared_desk: FakeDesk) -> FakeDesk:
    """A desk that was asked nothing yet."""
    vars(shared_desk).update(vars(FakeDesk()))
    return shared_desk


def make_app(folder: Path, desk: FakeDesk, **values: Any) -> FastAPI:
    return create_app(make_settings(folder, **values), service=FakeService(), jobs=desk)


@pytest.fixture(scope="module")
def served(
    shared_desk: FakeDesk, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    with serve(make_app(tmp_path_factory.mktemp("data"), shared_desk)) as client:
        yield client


@pytest.fixture
def client(served: httpx.Client, desk: FakeDesk) -> httpx.Client:
    """One app for all tests but those that it remembers something of."""
    return served


@pytest.fixture(scope="module")
def guarded(
    shared_desk: FakeDesk, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("data")
    app = make_app(folder, shared_desk, basic_auth_user="ann", basic_auth_pass="pass")
    with serve(app) as client:
        yield client


def predict_body(*texts: object, **fields: Any) -> dict[str, Any]:
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    return {"tasks": tasks, "project": UID, "label_config": CONFIG, **fields}


def assert_problem(response: httpx.Response, status: int, error: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    problem = response.json()
    assert problem["error"] == error
    assert problem["detail"]
    assert set(problem) == {"error", "detail"}


def test_liveness_is_for_everyone_and_health_says_more(tmp_path: Path, desk: FakeDesk) -> None:
    with serve(make_app(tmp_path, desk)) as client:
        assert client.get("/").json() == {"status": "UP"}
        assert client.head("/").status_code == 200
        health = client.get("/health").json()
    assert health["status"] == "UP"
    assert health["model_class"] == "ActiveLearningModel"
    assert health["redis"] == "unknown"


def test_health_remembers_whether_redis_answered(client: httpx.Client, desk: FakeDesk) -> None:
    client.post("/webhook", json=EVENT)
    assert client.get("/health").json()["redis"] == "up"
    desk.down = True
    client.post("/webhook", json=EVENT)
    assert client.get("/health").json()["redis"] == "down"


def test_setup_says_the_version_and_passes_on_our_address(
    client: httpx.Client, desk: FakeDesk
) -> None:
    body = {"project": UID, "schema": CONFIG, "hostname": "http://ls", "extra_params": "seed=1"}

    assert client.post("/setup", json=body).json() == {"model_version": "al-7"}

    ((request, own_url),) = desk.setups
    assert (request.project, request.label_config) == (UID, CONFIG)
    assert own_url == str(client.base_url)


def test_a_public_url_wins_and_its_path_is_served_with_and_without(
    tmp_path: Path, desk: FakeDesk
) -> None:
    with serve(make_app(tmp_path, desk, public_url="https://al.example/base/")) as client:
        for path in ("/health", "/base/health", "/base/", "/base"):
            assert client.get(path).json()["status"] == "UP"
        assert_problem(client.get("/basement/health"), 404, "not_found")
        client.post("/base/setup", json={"project": UID, "schema": CONFIG})
    assert desk.setups[0][1] == "https://al.example/base"


@pytest.mark.parametrize("route", ["/setup", "/predict", "/webhook"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_page_of_another_site_may_send_nothing(
    client: httpx.Client, desk: FakeDesk, route: str, headers: dict[str, str]
) -> None:
    response = client.post(route, json=GOOD[route], headers=headers)
    assert_problem(response, 403, "forbidden")
    assert (desk.setups, desk.hints) == ([], [])


def test_a_webhook_is_not_read_without_end(tmp_path: Path, desk: FakeDesk) -> None:
    with serve(make_app(tmp_path, desk, max_body_mb=64)) as client:
        whole = {**EVENT, "tasks": "x" * (17 * 2**20)}
        assert_problem(client.post("/webhook", json=whole), 413, "payload_too_large")
        predict = {**predict_body("a"), "more": "x" * (17 * 2**20)}
        assert client.post("/predict", json=predict).status_code == 200
    assert desk.hints == []


def test_a_host_that_is_none_is_refused(client: httpx.Client) -> None:
    response = client.post(
        "/setup", json={"project": UID, "schema": CONFIG}, headers={"Host": "a/../b@c"}
    )
    assert_problem(response, 400, "bad_request")


def test_predict_answers_one_result_a_task_in_order(client: httpx.Client) -> None:
    reply = client.post("/predict", json=predict_body("a", None, "b")).json()

    assert reply["model_version"] == "al-7"
    assert [len(result["result"]) for result in reply["results"]] == [1, 0, 1]


def test_a_webhook_is_a_hint(client: httpx.Client, desk: FakeDesk) -> None:
    response = client.post("/webhook", json=EVENT)

    assert (response.status_code, response.json()) == (200, {"status": "accepted"})
    assert desk.hints == ["ANNOTATION_CREATED"]


@pytest.mark.parametrize("event", [EVENT | {"action": "TELEPATHY"}, {"action": "TASKS_CREATED"}])
def test_what_means_nothing_to_us_is_ignored_without_redis(
    client: httpx.Client, desk: FakeDesk, event: dict[str, Any]
) -> None:
    desk.down = True
    response = client.post("/webhook", json=event)

    assert response.status_code == 200
    assert response.json()["status"] == "ignored"


def test_an_unknown_project_is_not_found(client: httpx.Client, desk: FakeDesk) -> None:
    # The same id in a fresh Label Studio: created at another moment.
    event = EVENT | {"project": {"id": 1, "created_at": "2027-01-01T00:00:00Z"}}

    assert_problem(client.post("/webhook", json=event), 404, "not_found")
    assert desk.hints == []


def test_start_training_answers_with_its_job(client: httpx.Client, desk: FakeDesk) -> None:
    response = client.post("/webhook", json=EVENT | {"action": "START_TRAINING"})

    assert response.json()["job"] == "job-1"
    assert desk.trainings == [UID]


def test_redis_down_is_said(client: httpx.Client, desk: FakeDesk) -> None:
    desk.down = True
    assert_problem(client.post("/webhook", json=EVENT), 503, "queue_down")


def test_a_desk_that_hangs_is_given_up(
    client: httpx.Client, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(desk, "hint", lambda _: gate.wait(30))
    monkeypatch.setattr(app_module, "HINT_SECONDS", 0.05)
    try:
        assert_problem(client.post("/webhook", json=EVENT), 503, "busy")
    finally:
        gate.set()
    assert client.get("/health").json()["redis"] == "down"


def test_a_client_that_hangs_up_is_nobody_s_error(client: httpx.Client, caplog: Any) -> None:
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")

    seen = 'route="/predict",status="400"'
    wait_until(lambda: seen in client.get("/metrics").text)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_versions_are_those_of_the_one_project(
    tmp_path: Path, desk: FakeDesk, client: httpx.Client
) -> None:
    assert client.get("/versions").json() == {"versions": ["al-6", "al-7"]}

    service = FakeService()
    service.known = [UID, "2.1795351743"]
    with serve(create_app(make_settings(tmp_path), service=service, jobs=desk)) as other:
        assert_problem(other.get("/versions"), 404, "not_found")


# Credentials


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/health"), ("GET", "/versions"), ("GET", "/metrics"), ("POST", "/setup"),
     ("POST", "/predict"), ("POST", "/webhook")],
)  # fmt: skip
def test_every_route_but_liveness_asks_who_it_is(
    guarded: httpx.Client, method: str, path: str
) -> None:
    response = guarded.request(method, path)

    assert_problem(response, 401, "unauthorized")
    assert response.headers["www-authenticate"] == "Basic"
    assert guarded.request(method, path, headers=BASIC).status_code in {200, 400}
    assert guarded.get("/").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (BASIC, 200),
        ({SECRET_HEADER: f"secret-of-{UID}"}, 200),
        ({SECRET_HEADER: "secret-of-2.1"}, 401),
        ({}, 401),
    ],
    ids=["password", "secret", "another project's secret", "nothing"],
)
def test_a_webhook_comes_by_password_or_secret(
    guarded: httpx.Client, desk: FakeDesk, headers: dict[str, str], status: int
) -> None:
    assert guarded.post("/webhook", json=EVENT, headers=headers).status_code == status
    assert len(desk.hints) == (status == 200)
    training = EVENT | {"action": "START_TRAINING"}
    assert guarded.post("/webhook", json=training, headers=headers).status_code == status
    assert len(desk.trainings) == (status == 200)


def test_a_wrong_secret_stays_out_of_an_open_house(client: httpx.Client) -> None:
    response = client.post("/webhook", json=EVENT, headers={SECRET_HEADER: "wrong"})
    assert_problem(response, 401, "unauthorized")


# Bad input


GOOD = {
    "/predict": predict_body("a"),
    "/setup": {"project": UID, "schema": CONFIG},
    "/webhook": EVENT,
}
BAD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"tasks=1&project=1",
    "no UTF-8": b"\xff\xfe{}",
    "a list": b"[]",
    "null": b"null",
    "nothing in it": b"{}",
    "cut off": b'{"tasks": [{"id": 1',
    "NaN": b'{"tasks": [{"data": {"text": NaN}}], "project": NaN, "action": NaN}',
    "Infinity": b'{"tasks": [Infinity], "project": "1.1", "action": "A", "x": -Infinity}',
    "nested": b'{"tasks": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "huge number": b'{"tasks": 1' + b"9" * 100_000 + b"}",
    "wrong types": b'{"tasks": {"id": 1}, "project": 7, "schema": [], "action": {}}',
    "a folder": b'{"tasks": [], "project": "../../etc", "schema": "", "action": []}',
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_makes_no_sense_is_a_400(client: httpx.Client, route: str, body: bytes) -> None:
    assert_problem(client.post(route, content=body), 400, "bad_request")


@pytest.mark.parametrize("route", ["/predict", "/setup"])
@pytest.mark.parametrize(
    "xml", ["<View>", "no XML", "<!DOCTYPE a [<!ENTITY x 'y'>]><View/>", "<View>" * 5000]
)
def test_a_broken_label_config_is_a_422(client: httpx.Client, route: str, xml: str) -> None:
    body = GOOD[route] | {"schema": xml, "label_config": xml}
    assert_problem(client.post(route, json=body), 422, "bad_label_config")


@pytest.mark.parametrize("route", ROUTES)
def test_too_long_a_body_is_a_413_told_or_not(tmp_path: Path, desk: FakeDesk, route: str) -> None:
    def pour() -> Iterator[bytes]:
        for _ in range(3):
            yield b" " * 2**19

    with serve(make_app(tmp_path, desk, max_body_mb=1)) as client:
        assert_problem(client.post(route, content=b" " * (2**20 + 1)), 413, "payload_too_large")
        assert_problem(client.post(route, content=pour()), 413, "payload_too_large")
        padded = json.dumps(GOOD[route]).encode().ljust(2**20)
        assert client.post(route, content=padded).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/docs", 404, "not_found"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("DELETE", "/", 405, "method_not_allowed"),
        ("GET", "/..%2f..%2fetc/passwd", 404, "not_found"),
    ],
)
def test_routes_that_are_none(
    client: httpx.Client, method: str, path: str, status: int, error: str
) -> None:
    assert_problem(client.request(method, path), status, error)


def test_an_unforeseen_error_says_nothing_about_itself(
    client: httpx.Client, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(desk, "hint", lambda _: 1 / 0)
    caplog.set_level(logging.ERROR)
    predict = client.post("/predict", json=predict_body("boom"))
    webhook = client.post("/webhook", json=EVENT)

    for response in (predict, webhook):
        assert_problem(response, 500, "internal_error")
        assert not any(word in response.text for word in ("hunter2", "Traceback", "division"))
    assert "hunter2" in caplog.text  # The log has what the answer has not.


FIELDS = (
    "tasks", "project", "label_config", "params", "schema", "hostname", "access_token",
    "extra_params", "action", "annotation",
)  # fmt: skip


@given(
    st.sampled_from(ROUTES),
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_json_is_answered_and_never_by_a_500(
    client: httpx.Client, route: str, fields: dict[str, Any]
) -> None:
    for body in (fields, GOOD[route] | fields):
        response = client.post(route, content=json.dumps(body).encode())

        assert response.status_code < 500
        if response.status_code != 200:
            assert_problem(response, response.status_code, response.json()["error"])


# Under load


class Gate(FakeService):
    """Holds every batch until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()

    def predict(self, request: PredictRequest) -> PredictReply:
        assert self.open.wait(30)
        return super().predict(request)


def test_health_answers_while_batches_are_in_flight(tmp_path: Path, desk: FakeDesk) -> None:
    gate = Gate()
    app = create_app(make_settings(tmp_path), service=gate, jobs=desk)

    async def run() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://al") as client:
            batches = [
                asyncio.create_task(client.post("/predict", json=predict_body("a")))
                for _ in range(50)
            ]
            assert (await client.get("/health")).status_code == 200
            assert (await client.post("/webhook", json=EVENT)).status_code == 200
            assert not any(batch.done() for batch in batches)
            gate.open.set()
            assert all(reply.status_code == 200 for reply in await asyncio.gather(*batches))

    asyncio.run(run())


def test_by_default_processes_of_our_own_answer(tmp_path: Path, desk: FakeDesk) -> None:
    settings = make_settings(tmp_path, predict_processes=1)
    with serve(create_app(settings, jobs=desk)) as client:
        unknown = client.post("/predict", json=predict_body("a", 5))
        Connection(UID).save(Store(settings.data_dir))
        reply = client.post("/predict", json=predict_body("a", 5)).json()

    assert (unknown.status_code, unknown.json()["error"]) == (404, "not_found")
    assert [result["result"] for result in reply["results"]] == [[], []]
    assert {result["model_version"] for result in reply["results"]} == {"al-0"}
