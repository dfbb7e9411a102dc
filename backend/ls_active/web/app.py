"""The HTTP surface, as Label Studio calls it.

Label Studio waits one second for a health check or a webhook, and an annotator waits with it. So
nothing here computes: health comes from memory, what needs Redis runs in a few threads with a
deadline, predictions in processes of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, RedirectResponse

from ls_active import __version__, schemas
from ls_active.dashboard.door import Door
from ls_active.dashboard.routes import dashboard_routes
from ls_active.errors import Busy, NotFound, QueueDown
from ls_active.job_desk import JobDesk
from ls_active.records.project import ProjectStatus
from ls_active.service import Service
from ls_active.settings import Settings
from ls_active.web.asgi import ERROR_HANDLERS, BasePath, Measured, own_url
from ls_active.web.auth import Guard
from ls_active.web.bodies import Bodies
from ls_active.web.desk import Desk, Predictions, react
from ls_active.web.document import (
    ALIVE,
    METRICS,
    NO_PASSWORD,
    PREDICT,
    SETUP,
    VERSIONS,
    WEBHOOK,
    DocumentedApp,
)
from ls_active.web.metrics import Metrics
from ls_active.web.predict_pool import InlinePool, PredictPool

HINT_SECONDS = 0.9
"""Label Studio gives a webhook one second, and never tries again."""

SETUP_SECONDS = 2.5
"""It gives /setup three."""

WEBHOOK_MB = 16
"""Of a longer one the hint is lost, and the timer sees the change: anybody may send one, and its
secret can only be compared when all of it was read."""

AT_ONCE = 2
"""How many of the longest bodies are held at once, and how many of the longest webhooks beside."""

_DESK_THREADS = 8
"""Threads that talk to Redis; each call takes a millisecond, or half a second when it is down."""

T = TypeVar("T")


class Api:
    """The routes, and what they share."""

    def __init__(
        self, settings: Settings, service: Predictions, jobs: Desk, pool: PredictPool | InlinePool
    ) -> None:
        self._settings = settings
        self._service = service
        self._jobs = jobs
        self._pool = pool
        self._limiter = anyio.CapacityLimiter(_DESK_THREADS)
        self._redis = "unknown"
        self.guard = Guard(settings)
        self._door = Door(settings)
        self._longest = settings.max_body_mb * 2**20
        self._longest_webhook = min(self._longest, WEBHOOK_MB * 2**20)
        self._bodies = Bodies(AT_ONCE * self._longest)
        # Of their own: those who may send them know no password.
        self._webhooks = Bodies(AT_ONCE * self._longest_webhook)
        self.metrics = Metrics(jobs.figures, self._statuses)

    async def alive(self, request: Request) -> Response:
        """Say that the process runs, to anyone; lead a person to the page."""
        if "text/html" in request.headers.get("accept", ""):
            path = urlsplit(self._settings.public_url).path.rstrip("/")
            return RedirectResponse(f"{path}/projects", 303)
        return JSONResponse({"status": "UP"})

    async def health(self) -> dict[str, str]:
        """Say so to Label Studio, which asks at every task an annotator opens. From memory only."""
        return {
            "status": "UP",
            "model_class": "ActiveLearningModel",
            "version": __version__,
            "redis": self._redis,
        }

    async def setup(self, request: Request) -> schemas.SetupReply:
        """Take note of a connection; say the current version."""
        self._door.check_origin(request.headers)
        async with self._bodies.read(request, self._longest) as body:
            message = schemas.parse(schemas.SetupRequest, body)
            address = self._settings.public_url or own_url(request)
            version = await self._in_thread(SETUP_SECONDS, self._jobs.setup, message, address)
        return schemas.SetupReply(model_version=version)

    async def predict(self, request: Request) -> Response:
        """Hand the bytes to a process, and what it says back."""
        self._door.check_origin(request.headers)
        async with self._bodies.read(request, self._longest) as body:
            answer = await self._pool.answer(body)
        return Response(answer.body, answer.status, media_type="application/json")

    async def webhook(self, request: Request) -> dict[str, str]:
        """Note that something changed."""
        self.guard.may_be_webhook(request.headers)
        self._door.check_origin(request.headers)
        async with self._webhooks.read(request, self._longest_webhook) as body:
            event = schemas.parse(schemas.WebhookEvent, body)
            secret = self._jobs.webhook_secret(event.uid) if event.uid else None
            self.guard.check_webhook(request.headers, secret)
            if event.known and event.uid:
                reply = await self._ask(react, self._jobs, event)
            else:
                # Nothing to do needs neither a thread nor Redis.
                reply = react(self._jobs, event)
        self.metrics.webhook(reply["status"])
        return reply

    async def versions(self) -> dict[str, list[str]]:
        """List the versions of the one project there is: Label Studio does not say which it means.

        A 404 has it answer with what it stored.
        """
        projects = await self._in_thread(HINT_SECONDS, self._service.projects)
        if len(projects) != 1:
            raise NotFound(f"GET /versions names no project, and {len(projects)} are known here")
        return {
            "versions": await self._in_thread(HINT_SECONDS, self._service.versions, projects[0])
        }

    async def figures(self) -> Response:
        """Answer Prometheus."""
        text = await anyio.to_thread.run_sync(self.metrics.render, limiter=self._limiter)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    async def _ask(self, call: Callable[..., T], *arguments: Any) -> T:
        """Ask what needs Redis, and remember whether it answered."""
        try:
            answer = await self._in_thread(HINT_SECONDS, call, *arguments)
        except (QueueDown, Busy):
            self._redis = "down"
            raise
        self._redis = "up"
        return answer

    async def _in_thread(self, seconds: float, call: Callable[..., T], *arguments: Any) -> T:
        """Run a blocking call in a thread and give up in time; waiting for a thread counts."""
        try:
            with anyio.fail_after(seconds):
                return await anyio.to_thread.run_sync(
                    partial(call, *arguments), limiter=self._limiter, abandon_on_cancel=True
                )
        except TimeoutError:
            raise Busy(f"no answer within {seconds} s; ask again in a moment") from None

    def _statuses(self) -> list[ProjectStatus]:
        return [self._service.status(uid) for uid in self._service.projects()]


def create_app(
    settings: Settings, *, service: Predictions | None = None, jobs: Desk | None = None
) -> FastAPI:
    """Build the app.

    Parameters
    ----------
    settings : Settings
        The path of `public_url`, if it has one, is served with and without: Label Studio keeps it
        in what it calls, and a reverse proxy may or may not have cut it off.
    service, jobs
        Built from the settings by default. A service that is given answers /predict in a thread of
        this process; otherwise processes build their own.
    """
    pool = InlinePool(service) if service else PredictPool(settings, Service)
    desk = jobs or JobDesk(settings)
    api = Api(settings, service or Service(settings), desk, pool)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        pool.start()
        yield
        await anyio.to_thread.run_sync(pool.close)

    app = DocumentedApp(
        closed=api.guard.closed, lifespan=lifespan, openapi_url=None, redirect_slashes=False
    )
    app.include_router(_routes(api, dashboard_routes(settings, desk)))
    for error, handler in ERROR_HANDLERS.items():
        app.add_exception_handler(error, handler)
    app.add_middleware(Measured, metrics=api.metrics)
    app.add_middleware(BasePath, prefix=urlsplit(settings.public_url).path.rstrip("/"))
    return app


def _routes(api: Api, page: APIRouter) -> APIRouter:
    def guard(request: Request) -> None:
        api.guard.check(request.headers)

    guarded = APIRouter(dependencies=[Depends(guard)], responses=NO_PASSWORD)
    guarded.add_api_route("/health", api.health, methods=["GET"])
    guarded.add_api_route("/setup", api.setup, methods=["POST"], **SETUP)
    guarded.add_api_route("/predict", api.predict, methods=["POST"], **PREDICT)
    guarded.add_api_route("/versions", api.versions, methods=["GET"], **VERSIONS)
    guarded.add_api_route("/metrics", api.figures, methods=["GET"], **METRICS)
    guarded.include_router(page)
    routes = APIRouter()
    routes.include_router(guarded)
    routes.add_api_route("/", api.alive, methods=["GET"], **ALIVE)
    routes.add_api_route(
        "/", api.alive, methods=["HEAD"], response_model=None, include_in_schema=False
    )
    # Its own check: the webhooks of Label Studio carry a secret instead of the password.
    routes.add_api_route("/webhook", api.webhook, methods=["POST"], **WEBHOOK)
    return routes
