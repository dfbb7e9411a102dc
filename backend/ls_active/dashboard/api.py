"""The same as JSON, for programs and for the page's own script."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from ls_active.dashboard import actions
from ls_active.dashboard.actions import Wish
from ls_active.dashboard.doctor import Doctor
from ls_active.dashboard.door import TOKEN_HEADER
from ls_active.dashboard.pages import Pages
from ls_active.dashboard.views import (
    ActionReply,
    Chart,
    FindingView,
    JobsView,
    ProjectView,
    QueueView,
    SuspectsView,
    VersionView,
)
from ls_active.schemas import Uid, refusals

Version = Annotated[int, Query(ge=1)]
Token = Annotated[str, Header(alias=TOKEN_HEADER, description="From GET /api/token.")]

Start = Annotated[int, Query(ge=0, le=10**9, description="Places that are passed over.")]

_REFUSED = {
    400: "The action lacks something.",
    403: "No password guards this address, or no page of ours asked for the action.",
    404: "There is no such project, version or action.",
    422: "A parameter or the body is not as described here.",
    503: "Redis, the store or Label Studio does not answer: ask again.",
}


_CONFLICTS = (
    "Code `not_confirmed`: annotators would notice, so say `confirmed`. Code `not_yet`: it cannot "
    "be done as things stand, and the detail says what is lacking."
)


class ActionRequest(BaseModel):
    """What an action needs to know."""

    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(None, ge=1, description="Of `hold` and `promote`.")
    tab: str = Field("", max_length=40, description="Of `tab`: suspects or queue.")
    confirmed: bool = Field(False, description="Yes to what annotators will notice.")


class Api:
    """Handlers of all routes below ``/api``.

    Parameters
    ----------
    pages : Pages
        Shares its books, its door and its threads.
    doctor : Doctor
    """

    def __init__(self, pages: Pages, doctor: Doctor) -> None:
        self._pages = pages
        self._books = pages.books
        self._doctor = doctor

    async def projects(self) -> list[ProjectView]:
        """Say where all projects stand."""
        return await self._pages.threads.read(self._books.projects)

    async def project(self, uid: Uid) -> ProjectView:
        """Say where one project stands."""
        return await self._pages.threads.read(self._books.project, uid)

    async def charts(self, uid: Uid) -> list[Chart]:
        """Return the tables behind the charts of a project."""
        return await self._pages.threads.read(self._books.charts, uid)

    async def queue(self, uid: Uid, start: Start = 0) -> QueueView:
        """Return twelve tasks of the queue as published, without what they show."""
        return await self._pages.threads.read(partial(self._books.queue, show=False), uid, start)

    async def suspects(self, uid: Uid, start: Start = 0) -> SuspectsView:
        """Return twelve labels that are doubted, most doubtful first, without what tasks show."""
        return await self._pages.threads.read(partial(self._books.suspects, show=False), uid, start)

    async def versions(self, uid: Uid) -> Sequence[VersionView]:
        """Return the versions, newest first."""
        return await self._pages.threads.read(self._books.versions, uid)

    async def compare(self, uid: Uid, one: Version, other: Version) -> Chart:
        """Put two versions side by side."""
        return await self._pages.threads.read(self._books.compare, uid, one, other)

    async def jobs(self, uid: Uid) -> JobsView:
        """Return what runs, what people asked for, and the last fifty jobs of note."""
        return await self._pages.threads.read(self._books.jobs, uid)

    async def doctor(self, uid: Uid) -> list[FindingView]:
        """Return what the doctor finds; it takes some seconds."""
        view = await self._pages.threads.read(self._books.project, uid)
        return await self._doctor.look(view.uid)

    async def token(self) -> dict[str, str]:
        """Return what an action must carry, good for twelve hours."""
        return {"token": self._pages.door.token()}

    async def act(
        self, request: Request, uid: Uid, action: str, wish: ActionRequest, token: Token = ""
    ) -> ActionReply:
        """Press a button: retrain, resync, hold, release, promote or tab.

        Pressed twice it does no more than once. 409 `not_confirmed`: annotators would notice, so
        say `confirmed`. 409 `not_yet`: something is lacking, and is named.
        """
        self._pages.door.check_action(request.headers, token)
        do = partial(actions.act, confirmed=wish.confirmed)
        asked = Wish(uid, wish.version, wish.tab)
        return await self._pages.threads.read(
            do, self._books.store, self._books.desk, action, asked
        )


def api_routes(api: Api) -> APIRouter:
    """Return the routes, with the document that describes all routes of the app."""
    routes = APIRouter(prefix="/api", tags=["dashboard"], responses=refusals(_REFUSED))
    of = "/projects/{uid}"
    for path, handler in (
        ("/projects", api.projects),
        (of, api.project),
        (f"{of}/charts", api.charts),
        (f"{of}/queue", api.queue),
        (f"{of}/suspects", api.suspects),
        (f"{of}/versions", api.versions),
        (f"{of}/versions/compare", api.compare),
        (f"{of}/jobs", api.jobs),
        (f"{of}/doctor", api.doctor),
        ("/token", api.token),
    ):
        routes.add_api_route(path, handler, methods=["GET"])
    confirm = refusals({409: _CONFLICTS})
    routes.add_api_route(f"{of}/actions/{{action}}", api.act, methods=["POST"], responses=confirm)

    def document(request: Request) -> Any:
        return request.app.openapi()

    routes.add_api_route("/openapi.json", document, methods=["GET"], include_in_schema=False)
    return routes
