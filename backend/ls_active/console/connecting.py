"""Connect a project from a terminal, and explain what stands in the way."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from ls_active import options
from ls_active.console import show, terminal
from ls_active.console.known import START_SECONDS, find_in_label_studio, open_desk, read_settings
from ls_active.console.waiting import NotDone, answers, wait_for
from ls_active.errors import (
    BackendError,
    BadLabelConfig,
    BadOptions,
    LabelStudioError,
    LabelStudioUnreachable,
    NotConfigured,
)
from ls_active.label_studio.client import LabelStudioClient, Project
from ls_active.labeling import label_config
from ls_active.labeling.plan import make_plan
from ls_active.loop import adoption
from ls_active.loop.workshop import connect as connect_to_label_studio
from ls_active.records.project import Connection, ProjectStatus, State
from ls_active.records.store import Store
from ls_active.settings import Settings

_POLL_INSTEAD = "or use `ls-active connect {} --poll`, which needs no way from Label Studio to us"


def connect(text: str, title: str, url: str | None, pairs: list[str]) -> None:
    """Connect a project through Label Studio's API and wait for its queue."""
    settings = read_settings()
    chosen = parse_pairs(settings, pairs)
    own_url = (url or default_url(settings)).rstrip("/")
    with connect_to_label_studio(settings) as client, open_desk(settings) as desk:
        project = find_in_label_studio(client, text)
        refuse_unlearnable(project)
        if not (url or settings.public_url):
            _wait_for_api(own_url)
        since = time.time()
        _connect(client, settings, project, own_url, title, chosen)
        status = wait_for_queue(desk.store, client, project, since)
    terminal.say(show.connected(status, settings.browser_url, own_url))


def poll(text: str, pairs: list[str]) -> None:
    """Carry a project's loop by asking only, and wait for its queue."""
    settings = read_settings()
    chosen = parse_pairs(settings, pairs)
    with connect_to_label_studio(settings) as client, open_desk(settings) as desk:
        project = find_in_label_studio(client, text)
        refuse_unlearnable(project)
        since = time.time()
        desk.poll(project.uid, dict(chosen))
        status = wait_for_queue(desk.store, client, project, since)
    terminal.say(show.connected(status, settings.browser_url, ""))


def default_url(settings: Settings) -> str:
    """Return our address as Label Studio reaches it, by the settings.

    Raises
    ------
    NotConfigured
        If the settings name none.
    """
    if settings.public_url:
        return settings.public_url
    if settings.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        raise NotConfigured(
            f"HOST={settings.host} is where we listen, not an address to call: set PUBLIC_URL, or "
            f"say --url http://THIS-MACHINE:{settings.port}"
        )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def parse_pairs(settings: Settings, pairs: list[str]) -> dict[str, str]:
    """Return ``key=value`` arguments as options, once they were checked.

    Raises
    ------
    BadOptions
        Naming the wrong ones, and listing those there are.
    """
    chosen = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise BadOptions(f"an option looks like key=value, got {pair!r}. {options.valid()}")
        chosen[key.strip()] = value.strip()
    options.parse(settings.options, dict(chosen))
    return chosen


def refuse_unlearnable(project: Project) -> None:
    """Say why a project cannot be learned, before Label Studio hides it behind a status code.

    Raises
    ------
    BadLabelConfig
        If nothing in its label config is learned. An empty one may still be filled.
    """
    config = label_config.parse(project.label_config)
    plan = make_plan(config)
    if not plan.heads and not make_plan(config, 1).heads and not config.empty:
        raise BadLabelConfig(
            f"nothing in the label config of {project.title!r} is learned: {plan.reasons}; change "
            "it under Settings > Labeling Interface"
        )


def wait_for_queue(
    store: Store, client: LabelStudioClient, project: Project, since: float
) -> ProjectStatus:
    """Wait until Label Studio serves our queue.

    Raises
    ------
    NotDone
        If it will not.
    """

    def served(now: ProjectStatus) -> bool:
        if now.updated_at <= since or now.state not in (State.WAITING, State.READY):
            return False
        if not now.publication:
            return True
        return client.project(project.id).model_version == now.publication

    return wait_for(store, project.uid, served, what="Setting up the queue", since=since)


def _wait_for_api(own_url: str) -> None:
    """Wait for our API, which may have been started a moment ago."""
    if answers(f"{own_url}/"):
        return
    ends = time.monotonic() + START_SECONDS
    with terminal.working(f"Waiting for our API at {own_url} …"):
        while not answers(f"{own_url}/"):
            if time.monotonic() > ends:
                raise NotDone(
                    f"nothing answers at {own_url}: is `ls-active serve` running here, with the "
                    "same HOST and PORT? If it is elsewhere, say --url"
                )
            time.sleep(0.2)


def _connect(
    client: LabelStudioClient,
    settings: Settings,
    project: Project,
    own_url: str,
    title: str,
    chosen: dict[str, str],
) -> None:
    store = Store(settings.data_dir)
    known = _row_of_ours(client.ml_backends(project.id), store, project.uid, own_url)
    if known is not None:
        body = {
            "project": project.id,
            "url": own_url,
            "title": known["title"],
            "extra_params": chosen or known["extra_params"],
        }
        with terminal.working("It is connected already; looking again …"):
            client.http.json("PATCH", f"/api/ml/{known['id']}", body=body)
        return
    password = settings.basic_auth_pass.get_secret_value()
    try:
        with terminal.working(f"Label Studio looks for us at {own_url} …"):
            client.connect_ml_backend(
                project.id,
                own_url,
                title,
                extra_params=dict(chosen) or None,
                basic_auth=(settings.basic_auth_user, password) if password else None,
            )
    except LabelStudioError as error:
        if not _is_there(client, project, own_url):
            raise _explained(error, project, own_url) from None
        terminal.complain(
            f"Label Studio connected us but sends no webhooks: {error}. Until then we ask it every "
            "5 s, which works as well."
        )


def _row_of_ours(
    rows: list[dict[str, Any]], store: Store, uid: str, own_url: str
) -> dict[str, Any] | None:
    """Return the row that is us already: the one we know, at any address, or one at this one."""
    connection = Connection.load(store, uid)
    known = connection.backend if connection is not None else None
    # Not "the only one there is": that would turn somebody else's backend into ours.
    return adoption.find_backend(rows, own_url, known if known is not None else -1)


def _is_there(client: LabelStudioClient, project: Project, own_url: str) -> bool:
    """Say whether the row was made all the same: its webhook is refused after that."""
    return any(row["url"].rstrip("/") == own_url for row in client.ml_backends(project.id))


def _explained(error: BackendError, project: Project, own_url: str) -> NotDone:
    said, host = str(error), urlsplit(own_url).hostname
    poll_instead = _POLL_INSTEAD.format(project.id)
    if "reserved network address" in said:
        return NotDone(f"Label Studio refuses to call {own_url}: {said}, {poll_instead}")
    if "Can't resolve" in said:
        return NotDone(
            f"Label Studio cannot resolve {host!r}: give the name it knows this machine by with "
            f"--url or PUBLIC_URL, {poll_instead}"
        )
    if "authentication parameters" in said:
        return NotDone(
            f"what answers at {own_url} wants another password: run this with the BASIC_AUTH_USER "
            "and BASIC_AUTH_PASS that `ls-active serve` runs with"
        )
    if isinstance(error, LabelStudioUnreachable):
        return NotDone(said)
    if "health check failed" in said:
        return NotDone(
            f"Label Studio finds nothing of ours at {own_url}: start `ls-active serve` there, or "
            f"give our address as Label Studio reaches it (--url, PUBLIC_URL), {poll_instead}"
        )
    return NotDone(
        f"Label Studio cannot use {own_url}: {said}. Is it our address as Label Studio reaches it "
        f"(--url, PUBLIC_URL)? The log of `ls-active serve` has what we answered; {poll_instead}"
    )
