"""The OpenAPI document of all routes for programs: what they read, and all that they may answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from fastapi import FastAPI, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ls_active import __version__, schemas
from ls_active.records.secret import SECRET_HEADER
from ls_active.schemas import refusals

_SCHEMA = "#/components/schemas/{model}"
_READ: Sequence[tuple[type[BaseModel], Literal["validation"]]] = (
    (schemas.SetupRequest, "validation"),
    (schemas.PredictRequest, "validation"),
    (schemas.WebhookEvent, "validation"),
)
_SCHEMES = {
    "password": {"type": "http", "scheme": "basic"},
    "secret": {"type": "apiKey", "in": "header", "name": SECRET_HEADER},
}


def _reads(message: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _SCHEMA.format(model=message.__name__)}}}
    return {"requestBody": {"required": True, "content": content}}


NO_PASSWORD = refusals({401: "Basic auth is asked for, and this is not it."})

_BODY = refusals(
    {
        400: "The body cannot be read.",
        403: "A page of another site sent it.",
        408: "The body did not arrive in time.",
        413: "The body is longer than MAX_BODY_MB, or a webhook longer than 16 MiB.",
    }
)
_CONFIG = refusals({422: "The label config, the options or our key cannot be used."})
_PROJECT = refusals({404: "The project is not connected here, or not the only one."})
_AGAIN = refusals(
    {503: "Redis, the store, a free process or room for the body is missing: ask again."}
)

# What the app tells FastAPI of each route.
ALIVE: dict[str, Any] = {
    "response_model": None,
    "responses": {303: {"description": "A browser is led to the page."}},
    "openapi_extra": {"security": []},
}
SETUP: dict[str, Any] = {
    "openapi_extra": _reads(schemas.SetupRequest),
    "responses": _BODY | _CONFIG | _AGAIN,
}
PREDICT: dict[str, Any] = {
    "openapi_extra": _reads(schemas.PredictRequest),
    "responses": {200: {"model": schemas.PredictReply}, **_BODY, **_PROJECT, **_CONFIG, **_AGAIN},
}
WEBHOOK: dict[str, Any] = {
    "openapi_extra": _reads(schemas.WebhookEvent),
    "responses": NO_PASSWORD | _BODY | _PROJECT | _AGAIN,
}
VERSIONS: dict[str, Any] = {"responses": _PROJECT | _AGAIN}
METRICS: dict[str, Any] = {
    "response_class": Response,
    "responses": {200: {"content": {"text/plain": {}}}},
}


class DocumentedApp(FastAPI):
    """An app whose document is whole.

    FastAPI knows neither the bodies that routes parse by themselves nor how the doors are guarded.

    Parameters
    ----------
    closed : bool
        Whether basic auth is asked for.
    **settings
        FastAPI's.
    """

    def __init__(self, *, closed: bool, **settings: Any) -> None:
        super().__init__(title="label-studio-active-learning", version=__version__, **settings)
        self._closed = closed

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        document = super().openapi()
        _, found = models_json_schema(_READ, ref_template=_SCHEMA)
        document["components"]["schemas"] |= found["$defs"]
        if self._closed:
            document["components"]["securitySchemes"] = _SCHEMES
            document["security"] = [{"password": []}]
            document["paths"]["/webhook"]["post"]["security"] = [{"password": []}, {"secret": []}]
        return document
