"""Our model in the hands of Label Studio's SDK: the server of 1.0.9, and the base of 2.x."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import label_studio_ml.api
import label_studio_ml.model
import pytest
from flask import Flask
from flask.testing import FlaskClient

from ls_active import ml_backend
from ls_active.errors import BadLabelConfig
from ls_active.labeling import label_config
from ls_active.records.secret import SECRET_HEADER
from ls_active.schemas import PredictReply, PredictRequest
from ls_active.settings import Settings
from tests.http_fakes import CONFIG, EVENT, UID, FakeDesk, FakeService, make_settings

MODEL_PY = """
from ls_active.ml_backend import ActiveLearningModel

__all__ = ["ActiveLearningModel"]
"""
SETUP = {"project": UID, "schema": CONFIG, "hostname": "http://ls", "access_token": "hunter2"}
TASKS = [{"id": 1, "project": 1, "data": {"text": "a"}}, {"id": 2, "project": 1, "data": None}]
PREDICT = {"tasks": TASKS, "project": UID, "label_config": CONFIG, "params": {"context": None}}
STRANGER = {"id": 9, "created_at": "2026-11-01T00:00:00Z"}


class Parts:
    """What the module under test gets instead of a store and a Redis."""

    def __init__(self, folder: Path) -> None:
        self.settings = make_settings(folder)
        self.service = FakeService()
        self.desk = FakeDesk()

    def put_into(self, module: ModuleType, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, "_service", lambda: self.service)
        patch.setattr(module, "_desk", lambda: self.desk)
        patch.setattr(module, "get_settings", lambda: self.settings)


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    parts = Parts(tmp_path / "data")
    parts.put_into(ml_backend, monkeypatch)
    return parts


@pytest.fixture
def app(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The SDK's server, as its own command line makes it from a folder with a `model.py`."""
    folder = tmp_path / "my_backend"
    folder.mkdir()
    (folder / "model.py").write_text(MODEL_PY)
    monkeypatch.chdir(folder)
    find = label_studio_ml.model.get_all_classes_inherited_LabelStudioMLBase
    (name,) = find(str(folder / "model.py"))
    model_class = getattr(sys.modules["model"], name)
    api = importlib.reload(label_studio_ml.api)  # Its app is a global that remembers.
    yield api.init_app(model_class=model_class, model_dir=str(folder))
    del sys.modules["model"]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return ml_backend.mount(app).test_client()


def test_the_server_of_1_0_9_serves_our_model_as_it_is(app: Flask) -> None:
    client = app.test_client()

    assert client.post("/setup", json=SETUP).status_code == 200
    results = client.post("/predict", json=PREDICT).get_json()["results"]

    assert [len(result["result"]) for result in results] == [1, 0]
    assert {result["model_version"] for result in results} == {"al-7"}


def test_mounted_it_says_our_version(client: FlaskClient, parts: Parts) -> None:
    assert client.post("/setup", json=SETUP).get_json() == {"model_version": "al-7"}
    assert client.post("/predict", json=PREDICT).get_json()["model_version"] == "al-7"
    assert client.get("/versions").get_json() == {"versions": ["al-6", "al-7"]}
    assert client.get("/health").get_json()["status"] == "UP"
    ((request, own_url),) = parts.desk.setups
    assert (request.project, own_url) == (UID, "http://localhost")


def test_mounted_it_hands_on_every_event_and_writes_none_down(
    client: FlaskClient, parts: Parts, tmp_path: Path
) -> None:
    assert client.post("/webhook", json=EVENT).get_json() == {"status": "accepted"}
    training = client.post("/webhook", json=EVENT | {"action": "START_TRAINING"})

    assert training.get_json()["job"] == "job-1"
    assert (parts.desk.hints, parts.desk.trainings) == (["ANNOTATION_CREATED"], [UID])
    assert [path.name for path in (tmp_path / "my_backend").iterdir() if path.is_file()] == [
        "model.py"
    ]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/setup", b"{", 400),
        ("/setup", json.dumps(SETUP | {"schema": "<View>"}).encode(), 422),
        ("/predict", b'{"tasks": NaN}', 400),
        ("/predict", json.dumps(PREDICT | {"tasks": [{"data": {"text": "boom"}}]}).encode(), 500),
        ("/webhook", b"null", 400),
        ("/webhook", json.dumps(EVENT | {"project": STRANGER}).encode(), 404),
        ("/nowhere", b"", 404),
    ],
    ids=range(7),
)
def test_mounted_its_errors_are_ours(
    client: FlaskClient, path: str, body: bytes, status: int
) -> None:
    response = client.post(path, data=body)

    assert response.status_code == status
    assert set(response.get_json()) == {"error", "detail"}
    assert "Traceback" not in response.get_data(as_text=True)
    assert "hunter2" not in response.get_data(as_text=True)


def test_mounted_an_unforeseen_error_is_logged_and_not_told(
    client: FlaskClient, parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(parts.desk, "hint", lambda _: 1 / 0)

    response = client.post("/webhook", json=EVENT)

    assert response.status_code == 500
    assert "division" not in response.get_data(as_text=True)
    assert "division by zero" in caplog.text


def test_mounted_bodies_are_not_logged(client: FlaskClient, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    client.post("/setup", json=SETUP)
    client.post("/webhook", json=EVENT)

    assert "hunter2" not in caplog.text
    assert "invite-me" not in caplog.text


def test_mounted_it_asks_who_it_is(parts: Parts, app: Flask) -> None:
    parts.settings = Settings(_env_file=None, basic_auth_user="ann", basic_auth_pass="pass")
    client = ml_backend.mount(app).test_client()

    assert client.get("/").status_code == 200
    assert client.post("/predict", json=PREDICT).status_code == 401
    assert client.post("/predict", json=PREDICT, auth=("ann", "pass")).status_code == 200
    assert client.post("/webhook", json=EVENT).status_code == 401
    secret = {SECRET_HEADER: f"secret-of-{UID}"}
    assert client.post("/webhook", json=EVENT, headers=secret).status_code == 200
    assert client.post("/webhook", json=EVENT, headers={SECRET_HEADER: "x"}).status_code == 401


@pytest.mark.parametrize("project", [UID, "../outside", None])
@pytest.mark.parametrize("path", ["/train", "/versions", "/is_training", "/metrics"])
def test_mounted_no_other_route_of_theirs_is_left(
    client: FlaskClient, tmp_path: Path, path: str, project: str | None
) -> None:
    """Its /train writes what it is sent into a folder that the sender names."""
    before = sorted(tmp_path.rglob("*"))
    body = {"project": project, "label_config": CONFIG, "annotations": [{"id": "written"}]}
    ask = client.get if path in ("/is_training", "/metrics") else client.post

    response = ask(path, json=body)

    assert response.status_code == 404
    assert set(response.get_json()) == {"error", "detail"}
    assert sorted(tmp_path.rglob("*")) == before


BOMBS = (
    '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><View><Header value="&y;"/></View>',
    '<!DOCTYPE a SYSTEM "file:///etc/passwd"><View/>',
    '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><View>&f;</View>',
)


@pytest.mark.parametrize("mounted", [True, False], ids=["mounted", "as it is"])
@pytest.mark.parametrize("xml", BOMBS)
@pytest.mark.parametrize("path", ["/setup", "/predict", "/train", "/webhook"])
def test_no_route_hands_a_dtd_to_a_parser(
    app: Flask, monkeypatch: pytest.MonkeyPatch, path: str, xml: str, mounted: bool
) -> None:
    for module, name in (
        (label_studio_ml.model, "parse_config"), (label_config, "LabelInterface"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("it was parsed"))
    # The model of an earlier request would do, and no config be looked at.
    monkeypatch.setattr(label_studio_ml.model.LabelStudioMLManager, "_current_model", {})
    client = (ml_backend.mount(app) if mounted else app).test_client()
    project = {**EVENT["project"], "label_config": xml}
    body = SETUP | PREDICT | {"schema": xml, "label_config": xml, "annotations": [{}]}
    client.post(path, json=EVENT | {"project": project} if path == "/webhook" else body)


def test_a_dtd_does_not_reach_the_parser_of_the_sdk(parts: Parts) -> None:
    with pytest.raises(BadLabelConfig, match="DTD"):
        ml_backend.ActiveLearningModel(label_config='<!DOCTYPE a SYSTEM "x"><View/>')


@pytest.mark.parametrize(
    ("known", "meant"),
    [([UID], UID), ([UID, "1.1895351743", "11.1995351743"], "1.1895351743"), ([], None)],
)
def test_tasks_name_the_newest_project_of_their_id(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, known: list[str], meant: str | None
) -> None:
    asked = []
    answer = parts.service.predict

    def predict(request: PredictRequest) -> PredictReply:
        asked.append(request.project)
        return answer(request)

    parts.service.known = known
    monkeypatch.setattr(parts.service, "predict", predict)

    assert len(ml_backend.ActiveLearningModel(label_config=CONFIG).predict(TASKS)) == 2
    assert asked == [meant]


class Base2:
    """The parts of 2.x's base that our model meets, behaving as 2.0.1 does."""

    cache: dict[tuple[str, str], str] = {}  # noqa: RUF012 - global there as well

    def __init__(self, project_id: str | None = None, label_config: str | None = None) -> None:
        self.project_id = project_id or ""
        if not self.get("model_version"):
            self.set("model_version", "0.0.1")
        self.setup()

    def setup(self) -> None: ...

    def get(self, key: str) -> str | None:
        return self.cache.get((self.project_id, key))

    def set(self, key: str, value: str) -> None:
        self.cache[self.project_id, key] = value

    @property
    def label_config(self) -> str | None:
        return self.get("label_config")


def test_the_base_of_2_x_serves_as_well(parts: Parts) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_studio_ml.model, "LabelStudioMLBase", Base2)
        module = importlib.reload(ml_backend)
        parts.put_into(module, patch)

        model = module.ActiveLearningModel(project_id="1", label_config=CONFIG)
        results = model.predict(TASKS, context=None, login=None, password=None)
        job = model.fit("START_TRAINING", EVENT)

        assert model.get("model_version") == "al-7"
        assert [len(result["result"]) for result in results] == [1, 0]
        assert job["job"] == "job-1"
    importlib.reload(ml_backend)
