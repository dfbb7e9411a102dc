"""What Label Studio 1.23.2 was recorded to send, replayed; and answers it can live with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from label_studio_sdk.label_interface.interface import LabelInterface

from ls_active.job_desk import JobDesk
from ls_active.records.project import Connection
from ls_active.records.store import Store
from ls_active.service import Service
from ls_active.web.app import create_app
from tests.http_fakes import FakeDesk, FakeService, make_settings, serve

RECORDED = Path(__file__).parents[1] / "recorded"
UIDS = ["1.1795351743", "2.1795351810"]


def names(prefix: str) -> list[str]:
    found = sorted(path.stem for path in RECORDED.glob(f"{prefix}*.json"))
    assert found, f"no recording {prefix}*"
    return found


def request_of(name: str) -> dict[str, Any]:
    return dict(json.loads((RECORDED / f"{name}.json").read_text())["request"])


def replay(client: httpx.Client, name: str) -> Any:
    """Send a recorded request as it was; return the JSON of the answer."""
    recorded = request_of(name)
    body = recorded["body"]
    response = client.request(
        recorded["method"],
        recorded["path"],
        content=b"" if body is None else json.dumps(body).encode(),
        headers={"User-Agent": recorded["headers"]["User-Agent"]},
    )
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture(scope="module")
def client(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Our app with nothing replaced, but that both recorded projects are connected."""
    settings = make_settings(
        tmp_path_factory.mktemp("data"),
        redis_url=valkey,
        label_studio_url="http://localhost:18080",
        label_studio_api_key="key",
    )
    for uid in UIDS:
        Connection(uid).save(Store(settings.data_dir))
    app = create_app(settings, service=Service(settings), jobs=JobDesk(settings))
    with serve(app) as client:
        yield client


@pytest.fixture(scope="module")
def with_a_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Our app around a service that has an answer to every text."""
    settings = make_settings(tmp_path_factory.mktemp("data"))
    with serve(create_app(settings, service=FakeService(), jobs=FakeDesk())) as client:
        yield client


def assert_label_studio_takes(reply: dict[str, Any], request: dict[str, Any]) -> None:
    """Facts 7.1: one result a task, none null, a finite score, a version that is a string."""
    validate: Any = LabelInterface(request["label_config"]).validate_prediction
    assert len(reply["results"]) == len(request["tasks"])
    for result in reply["results"]:
        assert validate(result, return_errors=True) == []
        assert isinstance(result["score"], float)
        assert result["model_version"] == reply["model_version"]
    assert isinstance(reply["model_version"], str)
    assert reply["model_version"]


def test_health_is_an_object(client: httpx.Client) -> None:
    assert replay(client, "backend_health")["status"] == "UP"


@pytest.mark.parametrize("name", names("backend_setup"))
def test_setup_says_a_version(client: httpx.Client, name: str) -> None:
    reply = replay(client, name)
    assert isinstance(reply, dict)
    assert reply["model_version"] == "al-0"


@pytest.mark.parametrize("name", names("backend_predict"))
def test_predict_says_something_of_every_task(client: httpx.Client, name: str) -> None:
    reply = replay(client, name)

    assert_label_studio_takes(reply, request_of(name)["body"])
    # Another version than /setup's would be stored once more at every next task.
    assert reply["model_version"] == replay(client, "backend_setup_on_create")["model_version"]


@pytest.mark.parametrize("name", names("backend_predict"))
def test_predictions_pass_label_studios_own_validator(
    with_a_model: httpx.Client, name: str
) -> None:
    reply = replay(with_a_model, name)

    assert_label_studio_takes(reply, request_of(name)["body"])
    assert all(result["result"] for result in reply["results"])


def test_versions_are_a_list_under_a_key(with_a_model: httpx.Client) -> None:
    recorded = json.loads((RECORDED / "backend_versions.json").read_text())["response"]["body"]
    reply = replay(with_a_model, "backend_versions")

    assert reply.keys() == recorded.keys()
    assert all(isinstance(version, str) for version in reply["versions"])


def test_start_training_answers_with_a_job(client: httpx.Client) -> None:
    job = replay(client, "backend_train_webhook_START_TRAINING")["job"]
    assert isinstance(job, str)
    assert job


@pytest.mark.parametrize("name", names("webhook_"))
def test_every_webhook_is_a_hint(client: httpx.Client, name: str) -> None:
    assert replay(client, name) == {"status": "accepted"}
