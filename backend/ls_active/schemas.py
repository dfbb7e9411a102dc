"""The wire, exactly as Label Studio 1.23.2 speaks it, and nothing of it that we do not use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import from_json

from ls_active.errors import BadRequest

Uid: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,17}\.[0-9]{1,12}$")]
"""``"<project id>.<created_at epoch>"``. It becomes a folder name: nothing but digits and a dot."""

Message = TypeVar("Message", bound="Wire")

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Action(StrEnum):
    """The events Label Studio 1.23.2 sends that mean something to us."""

    ANNOTATION_CREATED = "ANNOTATION_CREATED"
    ANNOTATION_UPDATED = "ANNOTATION_UPDATED"
    ANNOTATIONS_CREATED = "ANNOTATIONS_CREATED"
    ANNOTATIONS_DELETED = "ANNOTATIONS_DELETED"
    TASKS_CREATED = "TASKS_CREATED"
    TASKS_DELETED = "TASKS_DELETED"
    PROJECT_UPDATED = "PROJECT_UPDATED"
    START_TRAINING = "START_TRAINING"


ACTIONS: frozenset[str] = frozenset(Action)


class Wire(BaseModel):
    """A message. Fields it does not declare are skipped unread, so a 4 MB body costs 3 ms."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", strict=True, protected_namespaces=(), populate_by_name=True
    )


def _as_task(task: object) -> dict[str, Any]:
    """Make anything an object with an object as `data`: a broken task costs only itself."""
    if not isinstance(task, dict):
        return {"data": {}}
    return task if isinstance(task.get("data"), dict) else {**task, "data": {}}


Task: TypeAlias = Annotated[
    dict[str, Any],
    BeforeValidator(_as_task),
    WithJsonSchema(
        {"description": "An object with `data`; of anything else nothing is predicted."}
    ),
]
"""A task as Label Studio sends it. `data` is always an object, everything else may be missing."""


class SetupRequest(Wire):
    """``POST /setup``: sent on connecting and, again and again, whenever the state is looked at."""

    project: Uid
    label_config: str = Field("", alias="schema")
    hostname: str = ""
    access_token: SecretStr = SecretStr("")
    extra_params: dict[str, Any] | str | None = None


class SetupReply(Wire):
    """What Label Studio shows as the backend's version; without one annotators cannot work."""

    model_version: str = Field(min_length=1)


class PredictRequest(Wire):
    """``POST /predict``: one task, or up to some thousand in one body."""

    tasks: list[Task]
    project: Uid | None = None
    label_config: str | None = None
    # Label Studio puts what a person may have typed into it.
    params: dict[str, Any] | None = Field(None, repr=False)


class Prediction(Wire):
    """The answer for one task. Label Studio stores an infinite score and then fails on it."""

    result: list[dict[str, Any]]
    score: float = Field(ge=0, le=1, allow_inf_nan=False)
    model_version: str = Field(min_length=1)


class PredictReply(Wire):
    """One prediction per task, in the order of the tasks; Label Studio drops all otherwise."""

    results: list[Prediction]
    model_version: str = Field(min_length=1)


def _as_moment(value: object) -> object:
    """Refuse numbers, in quotes or not, which Pydantic takes for seconds since 1970."""
    if not (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        raise ValueError("a moment is written as 2026-01-31T12:00:00Z")
    return value


Moment: TypeAlias = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_as_moment)]
"""A time of day with its zone, as RFC 3339 writes it."""


class ProjectReference(Wire):
    """The part of a webhook's project that we read; the rest holds an invite token."""

    id: int = Field(ge=1, lt=10**18)
    created_at: Moment = Field(ge=datetime(1970, 1, 1, tzinfo=UTC))
    label_config: str = ""

    @property
    def uid(self) -> str:
        """Return the project's full uid, as /setup and /predict spell it."""
        return f"{self.id}.{int(self.created_at.timestamp())}"


class WebhookEvent(Wire):
    """``POST /webhook``: a hint from anyone. Only what names the project is read."""

    action: str = Field(min_length=1, max_length=100)
    project: ProjectReference | None = None

    @property
    def known(self) -> bool:
        """Whether it is an event that Label Studio 1.23.2 sends and we act on."""
        return self.action in ACTIONS

    @property
    def uid(self) -> str | None:
        """Return the project's uid, None where the event names no project."""
        return self.project.uid if self.project else None


class Problem(Wire):
    """Every answer that is not a success."""

    error: str
    detail: str


UNEXPECTED = "something went wrong here; the log of the backend says what"
"""All that leaves of an error nobody foresaw."""


def problem(code: str, detail: str) -> bytes:
    """Return the body of an error."""
    return Problem(error=code, detail=detail).model_dump_json().encode()


def refusals(reasons: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Return how a route declares the statuses it may refuse with, and why."""
    return {status: {"model": Problem, "description": reason} for status, reason in reasons.items()}


def parse(message: type[Message], body: bytes) -> Message:
    """Read a request body.

    Raises
    ------
    BadRequest
        Not JSON, NaN or Infinity, nested beyond reason, or a field missing or of the wrong type.
        The text names the fields and never quotes their values: they may be secrets.
    """
    if b"NaN" in body or b"Infinity" in body:
        _refuse_nan(body)
    try:
        return message.model_validate_json(body)
    except ValidationError as error:
        if error.errors()[0]["type"] != "json_invalid" or b"\\ud" not in body.lower():
            raise BadRequest(explain(error.errors())) from None
    try:
        return message.model_validate_json(_mend_surrogates(body))
    except ValidationError as error:
        raise BadRequest(explain(error.errors())) from None


def _refuse_nan(body: bytes) -> None:
    """Look for what `model_validate_json` lets through where any value may stand."""
    try:
        from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"invalid JSON (NaN and Infinity are, too): {error}") from None


def _mend_surrogates(body: bytes) -> bytes:
    """Replace half emojis by question marks.

    Data that was cut in the middle of an emoji holds lone surrogates; Label Studio stores and sends
    them, and a whole batch must not fail for one.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not valid JSON") from None
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def explain(errors: Iterable[Mapping[str, Any]]) -> str:
    """Say what is wrong with a message, without its values, by Pydantic's account of it."""
    problems = []
    for item in errors:
        where = ".".join(str(part) for part in item["loc"][:4])
        problems.append(f"{where}: {item['msg']}" if where else item["msg"])
    return "; ".join(problems[:5])
