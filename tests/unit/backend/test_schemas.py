from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ls_active.errors import BadRequest
from ls_active.schemas import (
    Prediction,
    PredictRequest,
    ProjectReference,
    SetupRequest,
    WebhookEvent,
    Wire,
    parse,
)

UID = "1.1795351743"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
MESSAGES: list[type[Wire]] = [SetupRequest, PredictRequest, WebhookEvent]


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@given(
    st.integers(1, 10**18 - 1),
    st.integers(0, 10**10).map(lambda seconds: datetime.fromtimestamp(seconds + 0.7, UTC)),
)
def test_a_webhook_and_a_predict_name_a_project_alike(number: int, created_at: datetime) -> None:
    project = parse(ProjectReference, body(id=number, created_at=created_at.isoformat()))

    # As Label Studio's api_connector spells it.
    assert project.uid == f"{number}.{int(created_at.timestamp())}"
    assert parse(PredictRequest, body(tasks=[], project=project.uid)).project == project.uid


@pytest.mark.parametrize(
    "uid",
    [
        "",
        "1",
        "1.",
        ".1",
        "0.1",
        "1.1/..",
        "../../etc/passwd",
        "1.1\n",
        "1.1\x00",
        "-1.5",
        "\u0661.1",
        1.5,
    ],
)
@pytest.mark.parametrize("message", [SetupRequest, PredictRequest])
def test_what_could_name_another_folder_is_no_project(message: type, uid: object) -> None:
    with pytest.raises(BadRequest, match="project"):
        parse(message, body(tasks=[], project=uid))


@given(st.lists(JSON))
def test_a_broken_task_costs_only_itself(tasks: list[Any]) -> None:
    request = parse(PredictRequest, body(tasks=tasks))

    assert len(request.tasks) == len(tasks)
    for given_task, task in zip(tasks, request.tasks, strict=True):
        assert isinstance(task["data"], dict)
        if isinstance(given_task, dict) and isinstance(given_task.get("data"), dict):
            assert task == given_task


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"tasks=1",
        b"\xff\xfe",
        b'{"tasks": [NaN], "action": NaN, "project": NaN}',
        b'{"tasks": [{"data": {"a": -Infinity}}], "action": "A", "schema": "", "x": Infinity}',
        b'{"tasks": ' + b"[" * 100_000,
        b'{"tasks": ' + b"[" * 900 + b'"\\ud800"' + b"]" * 900 + b"}",
        b'{"tasks": 1' + b"0" * 10_000 + b"}",
        b'{"project": {"id": 1' + b"0" * 400 + b', "created_at": 1e400}, "action": 1}',
    ],
    ids=range(12),
)
def test_what_is_no_message_is_a_bad_request(message: type, raw: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(message, raw)
    assert str(caught.value)


@given(st.binary() | st.text().map(str.encode) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for message in MESSAGES:
        try:
            parse(message, raw)
        except BadRequest:
            continue


@given(st.text())
def test_text_arrives_as_it_was_sent(text: str) -> None:
    message = parse(PredictRequest, body(tasks=[{"data": {"text": text}}]))
    assert message.tasks[0]["data"]["text"] == text


def test_nan_as_a_word_is_text() -> None:
    message = parse(PredictRequest, body(tasks=[{"data": {"text": "NaN or Infinity"}}]))
    assert message.tasks[0]["data"]["text"] == "NaN or Infinity"


def test_half_an_emoji_does_not_cost_the_batch() -> None:
    raw = b'{"tasks": [{"data": {"text": "cut \\ud83d"}}, {"data": {"text": "\\ud83d\\ude00"}}]}'

    texts = [task["data"]["text"] for task in parse(PredictRequest, raw).tasks]

    assert texts == ["cut ?", "😀"]


@pytest.mark.parametrize("extra", [None, "", "strategy=entropy", {"strategy": "entropy"}])
def test_extra_params_come_as_an_object_or_as_text(extra: object) -> None:
    assert parse(SetupRequest, body(project=UID, extra_params=extra)).extra_params == extra


def test_secrets_are_not_shown() -> None:
    message = parse(SetupRequest, body(project=UID, schema="<View/>", access_token="hunter2"))
    event = parse(
        WebhookEvent,
        body(
            action="X", project={"id": 1, "created_at": "2026-11-22T12:49:03Z", "token": "hunter2"}
        ),
    )

    assert "hunter2" not in f"{message!r} {message} {message.model_dump_json()} {event!r}"
    assert message.access_token.get_secret_value() == "hunter2"


def test_an_error_names_the_field_and_not_its_value() -> None:
    with pytest.raises(BadRequest, match="access_token") as caught:
        parse(SetupRequest, body(project=UID, access_token=["hunter2"]))
    assert "hunter2" not in str(caught.value)


def test_what_an_event_carries_besides_its_project_is_not_read() -> None:
    event = parse(WebhookEvent, body(action="TASKS_CREATED", tasks="no list", annotation=7))

    assert event.known
    assert event.uid is None


@pytest.mark.parametrize(
    "created_at", ["2026-11-22T12:49:03", "1960-01-01T00:00:00Z", "soon", None]
)
def test_a_project_without_a_moment_is_refused(created_at: object) -> None:
    with pytest.raises(BadRequest, match="created_at"):
        parse(WebhookEvent, body(action="X", project={"id": 1, "created_at": created_at}))


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1, 1.1, None, "high"])
def test_a_score_that_breaks_label_studio_cannot_be_sent(score: Any) -> None:
    with pytest.raises(ValidationError):
        Prediction(result=[], score=score, model_version="al-1")


@pytest.mark.parametrize("moment", ["0", "1e9", "2026-01-01", "2026-01-01 00:00:00Z", "٢٠٢٦", 5])
def test_a_moment_is_no_number(moment) -> None:
    body = {"action": "x", "project": {"id": 1, "created_at": moment}}
    with pytest.raises(BadRequest, match="created_at"):
        parse(WebhookEvent, json.dumps(body).encode())
