"""The pages, rendered here; they work without the script, which only keeps them fresh."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.to_thread
import jinja2
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ls_active import __version__, words
from ls_active.dashboard import actions, charts, previews
from ls_active.dashboard.actions import Wish
from ls_active.dashboard.books import Books
from ls_active.dashboard.doctor import Doctor
from ls_active.dashboard.door import SECURITY_HEADERS, Door
from ls_active.dashboard.views import FindingView
from ls_active.errors import BackendError, BadRequest, Busy, NotFound
from ls_active.settings import Settings

PATIENCE = 20.0
"""Seconds that a page may take; a queue's tasks are read from Label Studio meanwhile."""

_THREADS = 4
_FORM_BYTES = 4096

_HERE = Path(__file__).parent
STATIC: Mapping[str, tuple[str, bytes]] = {
    "page.css": ("text/css", (_HERE / "static" / "page.css").read_bytes()),
    "page.js": ("text/javascript", (_HERE / "static" / "page.js").read_bytes()),
    "mark.svg": ("image/svg+xml", (_HERE / "static" / "mark.svg").read_bytes()),
}

T = TypeVar("T")
Handler: TypeAlias = Callable[..., Awaitable[Response]]


def _in_words(handler: Handler) -> Handler:
    """Answer with a page also where something is wrong."""

    @wraps(handler)
    async def answer(self: Pages, *arguments: Any, **named: Any) -> Response:
        try:
            return await handler(self, *arguments, **named)
        except BackendError as error:
            return self.render("trouble.html", status=error.status, trouble=str(error))

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
        self._limiter = anyio.CapacityLimiter(_THREADS)
        # A reverse proxy may or may not have cut the path off; browsers always see it.
        self._prefix = urlsplit(settings.public_url).path.rstrip("/")
        self._templates = _templates(self._prefix)

    @_in_words
    async def projects(self) -> Response:
        """List the projects."""
        return self.render("projects.html", projects=await self.read(self.books.projects))

    @_in_words
    async def project(self, uid: str) -> Response:
        """Show one project."""
        found = await self.read(self.books.charts, uid)
        return await self._of(uid, "project.html", charts=found)

    @_in_words
    async def queue(self, uid: str) -> Response:
        """Show the head of the queue."""
        return await self._of(uid, "queue.html", queue=await self.read(self.books.queue, uid))

    @_in_words
    async def suspects(self, uid: str) -> Response:
        """Show the labels that are doubted."""
        found = await self.read(self.books.suspects, uid)
        return await self._of(uid, "suspects.html", suspects=found)

    @_in_words
    async def versions(self, request: Request, uid: str) -> Response:
        """Show the versions, two of them side by side where that is asked."""
        one, other = (_number(request.query_params.get(name, "")) for name in ("one", "other"))
        compared = None
        if one is not None and other is not None:
            compared = await self.read(self.books.compare, uid, one, other)
        found = await self.read(self.books.versions, uid)
        numbers = [view.number for view in found]
        chosen = (one, other) if compared else (*numbers[:2], 0, 0)[:2]
        return await self._of(
            uid, "versions.html", versions=found, compared=compared, chosen=chosen
        )

    @_in_words
    async def jobs(self, uid: str) -> Response:
        """Show what runs and what ran."""
        return await self._of(uid, "jobs.html", jobs=await self.read(self.books.jobs, uid))

    @_in_words
    async def doctor(self, uid: str) -> Response:
        """Show what the doctor finds."""
        view = await self.read(self.books.project, uid)
        groups: dict[str, list[FindingView]] = {}
        for found in await self._doctor.look(view.uid):
            groups.setdefault(found.about, []).append(found)
        return self.render("doctor.html", project=view, findings=groups)

    @_in_words
    async def confirm(self, request: Request, uid: str, action: str) -> Response:
        """Ask before something is changed that annotators notice."""
        number = request.query_params.get("version", "")
        found = actions.find(action)
        back = f"/projects/{uid}/{'versions' if number else 'jobs'}"
        return await self._of(
            uid, "confirm.html", action=action, asked=found, version=number[:20], back=back
        )

    @_in_words
    async def act(self, request: Request, uid: str, action: str) -> Response:
        """Do what a form asks for, and lead back to what it changes."""
        form = await _form(request)
        self.door.check_action(request.headers, form.get("token", ""))
        wish = Wish(uid, _number(form.get("version", "")), form.get("tab", ""))
        confirmed = form.get("confirmed") == "yes"
        do = partial(actions.act, confirmed=confirmed)
        reply = await self.read(do, self.books.store, self.books.desk, action, wish)
        page = "suspects" if form.get("tab") == "suspects" else "queue" if form.get("tab") else ""
        page = page or ("versions" if action in ("hold", "release", "promote") else "jobs")
        done = "asked" if reply.job else "nothing"
        place = f"{self._prefix}/projects/{uid}/{page}?done={done}"
        return RedirectResponse(place, 303, SECURITY_HEADERS)

    @_in_words
    async def chart(self, request: Request, uid: str, name: str) -> Response:
        """Draw one chart."""
        theme = request.query_params.get("theme", "light")
        size = request.query_params.get("size", "wide")
        if theme not in charts.THEMES or size not in charts.SIZES:
            raise BadRequest("a chart has the themes light and dark, the sizes wide and narrow")
        chart = await self.read(self.books.chart, uid, name)
        if chart.kind not in charts.DRAWN or not chart.rows:
            raise NotFound(f"chart {name[:40]!r} is a table alone")
        picture = await self.read(charts.draw, chart, theme, size)
        # The picture's own styles are in it; it may load nothing.
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return Response(picture, 200, {**SECURITY_HEADERS, **policy}, "image/svg+xml")

    @_in_words
    async def media(self, uid: str, task: int, field: str) -> Response:
        """Hand out a file behind a task, fetched and cut down by us."""
        view = await self.read(self.books.project, uid)
        content, kind = await self.read(previews.media_of, self._settings, view.uid, task, field)
        policy = {"Content-Security-Policy": "default-src 'none'; sandbox"}
        return Response(content, 200, {**SECURITY_HEADERS, **policy}, kind)

    async def static(self, name: str) -> Response:
        """Hand out a file of the page itself."""
        if name not in STATIC:
            raise NotFound(f"no file {name[:40]!r}")
        kind, content = STATIC[name]
        fresh = {"Cache-Control": "private, max-age=86400"}
        return Response(content, 200, {**SECURITY_HEADERS, **fresh}, kind)

    async def read(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run what blocks in one of a few threads of the page's own: webhooks never wait for it."""
        try:
            with anyio.fail_after(PATIENCE):
                return await anyio.to_thread.run_sync(
                    partial(call, *arguments), limiter=self._limiter, abandon_on_cancel=True
                )
        except TimeoutError:
            raise Busy(f"no answer within {PATIENCE:g} s; load the page again") from None

    async def _of(self, uid: str, template: str, **facts: Any) -> Response:
        return self.render(template, project=await self.read(self.books.project, uid), **facts)

    def render(self, template: str, status: int = 200, **facts: Any) -> Response:
        """Return a page."""
        html = self._templates.get_template(template).render(
            token=self.door.token(), here=template.removesuffix(".html"), **facts
        )
        return Response(html, status, SECURITY_HEADERS, "text/html")


def _templates(prefix: str) -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    digest = hashlib.sha256(b"".join(content for _, content in STATIC.values())).hexdigest()
    found.globals |= {
        "prefix": prefix,
        "release": __version__,
        "built": digest[:12],
        "drawn": charts.DRAWN,
        "sentence": words.sentence,
    }
    found.filters |= {
        "percent": words.percent,
        "span": words.span,
        "when": _when,
        "ago": lambda moment: words.span(max(time.time() - moment, 0)),
        "sentence": words.sentence,
        "cell": _cell,
    }
    return found


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))


def _cell(value: Any) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


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
