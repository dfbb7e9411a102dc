"""The pages, rendered here; they work without the script, which only keeps them fresh."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ls_active.dashboard import actions, charts, previews
from ls_active.dashboard.actions import Wish
from ls_active.dashboard.books import Books
from ls_active.dashboard.doctor import Doctor
from ls_active.dashboard.door import SECURITY_HEADERS, Door
from ls_active.dashboard.rendering import BUILT, FOR_EVER, STATIC, templates
from ls_active.dashboard.threads import Threads
from ls_active.dashboard.views import FindingView
from ls_active.errors import BackendError, BadRequest, NotFound
from ls_active.settings import Settings

_FORM_BYTES = 4096

Handler: TypeAlias = Callable[..., Awaitable[Response]]


def _in_words(handler: Handler) -> Handler:
    """Answer with a page also where something is wrong."""

    @wraps(handler)
    async def answer(self: Pages, *arguments: Any, **named: Any) -> Response:
        try:
            return await handler(self, *arguments, **named)
        except BackendError as error:
            back = "" if isinstance(error, NotFound) else named.get("uid", "")
            return self.render("trouble.html", error.status, trouble=str(error), back=back)

    return answer


class Pages:
    """Handlers of all pages.

    Parameters
    ----------
    settings : Settings
    books : Books
    door : Door
    doctor : Doctor
    """

    def __init__(self, settings: Settings, books: Books, door: Door, doctor: Doctor) -> None:
        self.books = books
        self.door = door
        self._settings = settings
        self._doctor = doctor
        self.threads = Threads()
        # A reverse proxy may or may not have cut the path off; browsers always see it.
        self._prefix = urlsplit(settings.public_url).path.rstrip("/")
        self._templates = templates(self._prefix)

    @_in_words
    async def projects(self) -> Response:
        """List the projects."""
        return self.render("projects.html", projects=await self.threads.read(self.books.projects))

    @_in_words
    async def project(self, uid: str) -> Response:
        """Show one project."""
        view, found = await self.threads.read(self.books.overview, uid)
        return self.render("project.html", project=view, charts=found, asked=None)

    @_in_words
    async def queue(self, request: Request, uid: str) -> Response:
        """Show some of the queue, the head unless asked for more."""
        found = await self.threads.ask(self.books.queue, uid, _start(request))
        return await self._of(request, uid, "queue.html", queue=found)

    @_in_words
    async def suspects(self, request: Request, uid: str) -> Response:
        """Show the labels that are doubted."""
        found = await self.threads.ask(self.books.suspects, uid, _start(request))
        return await self._of(request, uid, "suspects.html", suspects=found)

    @_in_words
    async def versions(self, request: Request, uid: str) -> Response:
        """Show the versions, two of them side by side where that is asked."""
        one, other = (_number(request.query_params.get(name, "")) for name in ("one", "other"))
        compared = None
        if one is not None and other is not None:
            compared = await self.threads.read(self.books.compare, uid, one, other)
        found = await self.threads.read(self.books.versions, uid)
        numbers = [view.number for view in found]
        chosen = (one, other) if compared else (*numbers[:2], 0, 0)[:2]
        return await self._of(
            request, uid, "versions.html", versions=found, compared=compared, chosen=chosen
        )

    @_in_words
    async def jobs(self, request: Request, uid: str) -> Response:
        """Show what runs, what was asked for and what ran."""
        found = await self.threads.read(self.books.jobs, uid)
        return await self._of(request, uid, "jobs.html", jobs=found)

    @_in_words
    async def doctor(self, uid: str) -> Response:
        """Show what the doctor finds."""
        view = await self.threads.read(self.books.project, uid)
        groups: dict[str, list[FindingView]] = {}
        for found in await self._doctor.look(view.uid):
            groups.setdefault(found.about, []).append(found)
        return self.render("doctor.html", project=view, findings=groups, asked=None)

    @_in_words
    async def confirm(self, request: Request, uid: str, action: str) -> Response:
        """Ask before something is changed that annotators notice."""
        number = request.query_params.get("version", "")
        found = actions.find(action)
        back = f"/projects/{uid}/{'versions' if number else 'jobs'}"
        missing = ""
        if action == "retrain":
            missing = await self.threads.read(actions.lacking, self.books.store, uid)
        return await self._of(
            request, uid, "confirm.html",
            action=action, button=found, version=number[:20], back=back, missing=missing,
        )  # fmt: skip

    @_in_words
    async def act(self, request: Request, uid: str, action: str) -> Response:
        """Do what a form asks for, and lead back to what it changes."""
        form = await _form(request)
        self.door.check_action(request.headers, form.get("token", ""))
        wish = Wish(uid, _number(form.get("version", "")), form.get("tab", ""))
        confirmed = form.get("confirmed") == "yes"
        do = partial(actions.act, confirmed=confirmed)
        reply = await self.threads.read(do, self.books.store, self.books.desk, action, wish)
        page = "suspects" if form.get("tab") == "suspects" else "queue" if form.get("tab") else ""
        page = page or ("versions" if action in ("hold", "release", "promote") else "jobs")
        place = f"{self._prefix}/projects/{uid}/{page}?asked={reply.asked}"
        return RedirectResponse(place, 303, SECURITY_HEADERS)

    @_in_words
    async def chart(self, request: Request, uid: str, name: str) -> Response:
        """Draw one chart."""
        theme = request.query_params.get("theme", "light")
        size = request.query_params.get("size", "wide")
        if theme not in charts.THEMES or size not in charts.SIZES:
            raise BadRequest("a chart has the themes light and dark, the sizes wide and narrow")
        key = request.query_params.get("v", "")
        chart = await self.threads.read(self.books.chart, uid, name, key)
        if chart.kind not in charts.DRAWN or not chart.rows:
            raise NotFound(f"chart {name[:40]!r} is a table alone")
        picture = await self.threads.draw(charts.draw, chart, theme, size)
        # The picture's own styles are in it; it may load nothing.
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        fresh = FOR_EVER if key == chart.key else {}
        return Response(picture, 200, {**SECURITY_HEADERS, **policy, **fresh}, "image/svg+xml")

    @_in_words
    async def media(self, uid: str, task: int, field: str) -> Response:
        """Hand out a file behind a task, fetched and cut down by us."""
        view = await self.threads.read(self.books.project, uid)
        content, kind = await self.threads.fetch(
            previews.media_of, self._settings, view.uid, task, field
        )
        policy = {"Content-Security-Policy": "default-src 'none'; sandbox"}
        return Response(content, 200, {**SECURITY_HEADERS, **policy}, kind)

    async def static(self, request: Request, name: str) -> Response:
        """Hand out a file of the page itself."""
        if name not in STATIC:
            raise NotFound(f"no file {name[:40]!r}")
        kind, content = STATIC[name]
        fresh = FOR_EVER if request.url.query == BUILT else {}
        return Response(content, 200, {**SECURITY_HEADERS, **fresh}, kind)

    async def _of(self, request: Request, uid: str, template: str, **facts: Any) -> Response:
        """Show a page of a project, and what became of what was just asked for."""
        wish = request.query_params.get("asked", "")
        asked = await self.threads.read(self.books.asked, uid, wish) if wish else None
        view = await self.threads.read(self.books.project, uid)
        return self.render(template, project=view, asked=asked, **facts)

    def render(self, template: str, status: int = 200, **facts: Any) -> Response:
        """Return a page."""
        html = self._templates.get_template(template).render(
            token=self.door.token(), here=template.removesuffix(".html"), **facts
        )
        return Response(html, status, SECURITY_HEADERS, "text/html")


async def _form(request: Request) -> dict[str, str]:
    """Read a small form; a browser sends it so unless told otherwise."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES:
            raise BadRequest("the form is longer than any of ours")
    values = parse_qs(body.decode("utf-8", "replace"))
    return {name: given[-1] for name, given in values.items()}


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 18 else None


def _start(request: Request) -> int:
    return _number(request.query_params.get("start", "")) or 0
