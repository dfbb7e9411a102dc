"""All routes of the page, to be guarded and included by the app."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from ls_active.dashboard.api import Api, api_routes
from ls_active.dashboard.books import Books
from ls_active.dashboard.doctor import Doctor
from ls_active.dashboard.door import SECURITY_HEADERS, Door
from ls_active.dashboard.pages import Pages
from ls_active.dashboard.steering import Steering
from ls_active.settings import Settings

_PROJECT = "/projects/{uid}"


def dashboard_routes(settings: Settings, desk: Steering) -> APIRouter:
    """Build the page.

    Parameters
    ----------
    settings : Settings
    desk : Steering
        Where jobs are asked for.
    """
    door, doctor = Door(settings), Doctor(settings)
    pages = Pages(settings, Books(settings, desk), door, doctor)

    def own_house(request: Request, response: Response) -> None:
        door.check_host(request.headers)
        response.headers.update(SECURITY_HEADERS)

    routes = APIRouter()
    for part in (_page_routes(pages), api_routes(Api(pages, doctor))):
        routes.include_router(part, dependencies=[Depends(own_house)])
    return routes


def _page_routes(pages: Pages) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    for path, handler in (
        ("/projects", pages.projects),
        (_PROJECT, pages.project),
        (f"{_PROJECT}/queue", pages.queue),
        (f"{_PROJECT}/suspects", pages.suspects),
        (f"{_PROJECT}/versions", pages.versions),
        (f"{_PROJECT}/jobs", pages.jobs),
        (f"{_PROJECT}/doctor", pages.doctor),
        (f"{_PROJECT}/confirm/{{action}}", pages.confirm),
        (f"{_PROJECT}/charts/{{name}}.svg", pages.chart),
        (f"{_PROJECT}/tasks/{{task}}/media/{{field:path}}", pages.media),
        ("/static/{name}", pages.static),
    ):
        routes.add_api_route(path, handler, methods=["GET"], response_model=None)
    routes.add_api_route(
        f"{_PROJECT}/actions/{{action}}", pages.act, methods=["POST"], response_model=None
    )
    return routes
