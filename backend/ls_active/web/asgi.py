"""What the routes share: a base path, measuring, and errors as JSON."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ls_active import schemas
from ls_active.errors import BackendError, BadRequest
from ls_active.web.metrics import Metrics

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Request, Exception], Response | Awaitable[Response]]

_HOST = re.compile(r"([A-Za-z0-9._~\-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


class Measured:
    """Middleware that counts and times every request by its route, never by its raw path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.request(route, status, time.perf_counter() - started)


class BasePath:
    """Middleware that takes a leading `prefix` for the place where the app is mounted."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through."""
        path = scope.get("path", "")
        if self._prefix and f"{path}/".startswith(f"{self._prefix}/"):
            # What people are told to open has no slash at its end.
            whole = f"{path}/" if path == self._prefix else path
            scope = {**scope, "path": whole, "root_path": self._prefix}
        await self._app(scope, receive, send)


def own_url(request: Request) -> str:
    """Return our address as the caller spelled it.

    Raises
    ------
    BadRequest
        What it spelled is no address.
    """
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise BadRequest("the Host header is no host name; set PUBLIC_URL to our address")
    return f"{request.url.scheme}://{host}"


def _on_error(request: Request, error: Exception) -> Response:
    status, code, detail = 500, BackendError.code, schemas.UNEXPECTED
    headers: Mapping[str, str] | None = None
    if isinstance(error, BackendError):
        status, code, detail = error.status, error.code, str(error)
        headers = {"WWW-Authenticate": "Basic"} if status == 401 else None
        # Label Studio shows its admin the status alone: the reason is here or nowhere.
        logger.warning("%s answered %d: %s", request.url.path, status, detail)
    elif isinstance(error, RequestValidationError):
        status, code, detail = 422, BadRequest.code, schemas.explain(error.errors())
    elif isinstance(error, HTTPException):
        status, detail, headers = error.status_code, error.detail, error.headers
        code = detail.lower().replace(" ", "_")
    # Anything else is raised again by Starlette, so the server logs it with its traceback.
    return Response(schemas.problem(code, detail), status, headers, "application/json")


def _on_disconnect(_: Request, __: Exception) -> Response:
    # Nobody reads it; without it the server logs a traceback for every client in a hurry.
    return Response(status_code=400)


ERROR_HANDLERS: dict[type[Exception], Handler] = {
    BackendError: _on_error,
    HTTPException: _on_error,
    RequestValidationError: _on_error,
    Exception: _on_error,
    ClientDisconnect: _on_disconnect,
}
