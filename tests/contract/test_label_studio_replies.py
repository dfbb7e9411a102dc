"""What Label Studio 1.23.2 was recorded to answer, read by our client; and that we ask the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from ls_active.errors import (
    LabelStudioError,
    LabelStudioRejected,
    NotFoundInLabelStudio,
)
from ls_active.label_studio.client import LabelStudioClient, labeled

RECORDED = Path(__file__).parents[1] / "recorded"
DATE = {"Date": "Sun, 22 Nov 2026 13:29:16 GMT"}


class Replay:
    """A server that knows one recorded exchange, and keeps what it was asked."""

    def __init__(self, name: str) -> None:
        recorded = json.loads((RECORDED / f"{name}.json").read_text())
        self.request = recorded.get("request", {})
        response = recorded["response"]
        full = isinstance(response, dict) and set(response) == {"body", "status"}
        self.body: Any = response["body"] if full else response
        self.status: int = response["status"] if full else 200
        self.asked: httpx.Request | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked = request
        return httpx.Response(self.status, json=self.body, headers=DATE)

    def client(self) -> LabelStudioClient:
        transport = httpx.MockTransport(self)
        return LabelStudioClient("http://studio.example", "key", retries=0, transport=transport)

    def assert_asked_as_recorded(self) -> None:
        assert self.asked is not None
        wanted = httpx.URL(self.request["path"])
        assert (self.asked.method, self.asked.url.path) == (self.request["method"], wanted.path)
        assert set(wanted.params.items()) <= set(self.asked.url.params.items())
        sent = json.loads(self.asked.content) if self.asked.content else None
        assert sent == self.request["body"]


@pytest.mark.parametrize(
    ("name", "call", "answer"),
    [
        (
            "api_model_versions",
            lambda client, _: client.prediction_counts(74),
            {"v1": 4, "vdrop": 1},
        ),
        (
            "api_delete_model_version_not_current",
            lambda client, _: client.delete_model_version(74, "vdrop"),
            1,
        ),
        (
            "api_delete_model_version_current_resets_model_version",
            lambda client, _: client.delete_model_version(74, "v1"),
            4,
        ),
        (
            "api_import_predictions",
            lambda client, sent: client.import_predictions(74, sent),
            4,
        ),
        (
            "api_import_predictions_silently_dropped",
            lambda client, sent: client.import_predictions(74, sent),
            1,
        ),
        ("api_ml_list_empty", lambda client, _: client.ml_backends(74), []),
    ],
)
def test_asked_and_read_as_recorded(
    name: str, call: Callable[[LabelStudioClient, Any], Any], answer: Any
) -> None:
    replay = Replay(name)
    with replay.client() as client:
        assert call(client, replay.request["body"]) == answer
    replay.assert_asked_as_recorded()


def test_setting_the_model_version():
    replay = Replay("api_patch_model_version")
    with replay.client() as client:
        project = client.update_project(74, model_version="v1")
    replay.assert_asked_as_recorded()
    assert (project.uid, project.model_version) == ("74.1795354156", "v1")
    assert (project.sampling, project.task_number) == ("Uncertainty sampling", 4)


def test_a_null_model_version_reads_as_empty():
    with Replay("api_project_get_after_current_version_deleted").client() as client:
        assert client.project(74).model_version == ""


def test_the_list_of_unlabeled_tasks():
    replay = Replay("api_tasks_list_unlabeled_ids")
    with replay.client() as client:
        pages = client.tasks(74, filters=[labeled(False)])
        assert [[task["id"] for task in page] for page in pages] == [[50857, 50858, 50859]]
    assert replay.asked is not None
    sent = json.loads(replay.asked.url.params["query"])
    recorded = json.loads(httpx.URL(replay.request["path"]).params["query"])
    assert sent["filters"]["items"][0] == recorded["filters"]["items"][0]
    assert (pages.clock.isoformat(), pages.total) == ("2026-11-22T13:29:16+00:00", 3)


@pytest.mark.parametrize("name", ["api_tasks_list_task_only", "api_tasks_list_fields_all"])
def test_other_task_lists(name: str):
    replay = Replay(name)
    with replay.client() as client:
        assert next(client.tasks(59, fields="all")) == replay.body["tasks"]
        assert client.count(59) == replay.body["total"]


def test_the_next_task():
    replay = Replay("api_project_next_uncertainty")
    with replay.client() as client:
        task = client.next_task(74)
    replay.assert_asked_as_recorded()
    assert task is not None
    assert task["predictions"][0]["model_version"] == "v1"


def test_an_annotation():
    replay = Replay("api_annotation_create")
    with replay.client() as client:
        assert client.annotate(2, replay.body["result"], lead_time=3.2)["task"] == 2


def test_connecting_a_backend():
    replay = Replay("api_ml_create")
    with replay.client() as client:
        made = client.connect_ml_backend(
            1, "http://127.0.0.1:19090", "my-backend", extra_params={"k": "v"}
        )
    assert made["id"] == 1
    assert replay.asked is not None
    sent = json.loads(replay.asked.content)
    assert replay.request["body"] == sent | {"is_interactive": True}


def test_webhooks():
    replay = Replay("api_webhooks_list")
    with replay.client() as client:
        assert client.webhooks(1)[0]["url"] == "http://127.0.0.1:19090/webhook"


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("error_import_predictions_bad_task", LabelStudioRejected, "99999999"),
        ("error_ml_backend_localhost_blocked", LabelStudioRejected, "ML_BLOCK_LOCAL_IP=false"),
        (
            "error_ml_backend_created_but_webhook_blocked",
            LabelStudioRejected,
            "SSRF_PROTECTION_ENABLED=false",
        ),
        ("error_patch_model_version_unknown", LabelStudioRejected, "doesn't exist"),
        ("error_webhook_dotless_host", LabelStudioRejected, "Enter a valid URL"),
        (
            "error_next_when_predict_returns_model_version_null",
            LabelStudioRejected,
            "may not be null",
        ),
        ("api_next_none_left", NotFoundInLabelStudio, "no tasks for admin@example.com"),
    ],
)
def test_errors_say_what_label_studio_said(name: str, error: type[LabelStudioError], says: str):
    replay = Replay(name)
    with replay.client() as client, pytest.raises(error, match=says) as caught:
        client.http.json(
            replay.request["method"], replay.request["path"], body=replay.request["body"]
        )
    assert len(str(caught.value)) < 600
