"""What an admin does from a terminal: run the service, look, ask for something and wait for it."""

from __future__ import annotations

import errno
import json
import socket
import time
from dataclasses import asdict
from shlex import quote

from ls_active import options, stack
from ls_active.console import show, terminal
from ls_active.console.known import find_known, open_desk, read_settings
from ls_active.console.waiting import NotDone, wait_for
from ls_active.errors import BackendError, BadRequest, NotConfigured, NotFound
from ls_active.loop.models import ModelShelf
from ls_active.records.project import Connection, ProjectStatus, State
from ls_active.records.store import Store
from ls_active.settings import Settings
from ls_active.web.auth import Guard, is_loopback

# Running


def serve(host: str | None, port: int | None, *, insecure: bool) -> int:
    """Run everything on this machine; return an exit code."""
    given = {"host": host, "port": port}
    changes = {name: value for name, value in given.items() if value is not None}
    settings = read_settings().model_copy(update=changes)
    _refuse_an_open_door(settings, insecure=insecure)
    _refuse_a_taken_port(settings)
    options.parse(settings.options)
    terminal.say(show.greeting(settings))
    return stack.serve(settings)


def work() -> int:
    """Run workers and timer; return an exit code."""
    settings = read_settings()
    if not settings.redis_url.get_secret_value():
        raise NotConfigured(
            "REDIS_URL is not set: a worker of its own shares the Redis of the API; on one machine "
            "`ls-active serve` runs everything"
        )
    return stack.work(settings)


def _refuse_a_taken_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server does: what lingers of a connection of before is in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return  # Whatever else is wrong, the server says.
            raise NotConfigured(
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror}): stop what "
                "listens there, or set PORT, or HOST"
            ) from None


def _refuse_an_open_door(settings: Settings, *, insecure: bool) -> None:
    if insecure or is_loopback(settings.host) or Guard(settings).closed:
        return
    raise NotConfigured(
        f"listening on {settings.host} lets others in, and nothing guards the service: set "
        "BASIC_AUTH_USER and BASIC_AUTH_PASS, or add --insecure where only Label Studio can reach "
        "this machine"
    )


# Looking


def status(text: str | None, *, as_json: bool) -> None:
    """Print where one project or all of them stand."""
    settings = read_settings()
    store = Store(settings.data_dir)
    uids = [find_known(store, text)] if text else store.projects()
    statuses = [ProjectStatus.load(store, uid) for uid in uids]
    if as_json:
        print(json.dumps([asdict(item) for item in statuses], indent=2))  # noqa: T201
        return
    if not statuses:
        terminal.say("No project is connected here; `ls-active connect PROJECT` connects one.")
    for item in statuses:
        connection = Connection.load(store, item.uid)
        terminal.show(show.project(item, connection))
    terminal.say(_service_line(settings))


def _service_line(settings: Settings) -> str:
    try:
        with open_desk(settings, needs_worker=False) as desk:
            return show.service(desk.figures())
    except BackendError as error:
        return f"Service: {error}"


# Asking


def retrain(text: str) -> None:
    """Ask for a new version and wait for it."""
    settings = read_settings()
    uid = _active(Store(settings.data_dir), text)
    with open_desk(settings) as desk:
        since, before = time.time(), max(desk.store.versions(uid), default=0)
        desk.start_training(uid)

        def trained(_: ProjectStatus) -> bool:
            return desk.coalescer.forced(uid) is None

        after = wait_for(desk.store, uid, trained, what="Training", since=since)
        newest = max(desk.store.versions(uid), default=0)
    if newest == before:
        raise NotDone(f"no new version: {after.detail}; {after.remedy}")
    terminal.say(show.new_version(newest, after, time.time() - since))


def pin(text: str, version: str) -> None:
    """Serve an older version, and hold it."""
    settings = read_settings()
    store = Store(settings.data_dir)
    uid = _active(store, text)
    number = _loadable(store, uid, version)
    _pin(settings, uid, number, f"Publishing al-{number}")
    terminal.say(
        f"al-{number} is in force and stays so until `ls-active rollback {quote(text)} --unpin`."
    )


def unpin(text: str) -> None:
    """Go on with the newest version."""
    settings = read_settings()
    store = Store(settings.data_dir)
    uid = _active(store, text)
    if ModelShelf(store, uid).pinned is None:
        terminal.say("No version is held: nothing to do.")
        return
    after = _pin(settings, uid, None, "Publishing the newest version")
    terminal.say(f"al-{after.version} is in force, and every newer one from now on.")


def _pin(settings: Settings, uid: str, number: int | None, what: str) -> ProjectStatus:
    since = time.time()

    def served(now: ProjectStatus) -> bool:
        published = now.publication.startswith(f"al-{now.version}.")
        return now.updated_at > since and now.pinned == number and published

    with open_desk(settings) as desk:
        job = desk.ask("pin", uid, number)
        return wait_for(
            desk.store, uid, served, what=what, since=since, failure=lambda: desk.failure(job)
        )


def disconnect(text: str) -> None:
    """Give a project back and wait for it."""
    settings = read_settings()
    uid = find_known(Store(settings.data_dir), text)
    what, since = "Disconnecting", time.time()
    known = Connection.load(Store(settings.data_dir), uid)
    if known is not None and not known.active and not known.original:
        terminal.say(f"project {text!r} is disconnected already, and all of it was given back.")
        return
    with open_desk(settings) as desk:
        job = desk.ask("disconnect", uid)

        def gone(now: ProjectStatus) -> bool:
            # Another run says so, too, of a project that this one has only half given back.
            said = now.updated_at > since and now.state == State.DISCONNECTED
            return said and desk.is_done(job)

        after = wait_for(
            desk.store, uid, gone, what=what, since=since, failure=lambda: desk.failure(job)
        )
    terminal.say(f"{after.title or uid} is disconnected: {after.detail}. Annotations stay.")
    if after.remedy:
        terminal.say(f"Next: {after.remedy}.")


def _active(store: Store, text: str) -> str:
    uid = find_known(store, text)
    connection = Connection.load(store, uid)
    if connection is None or not connection.active:
        raise NotDone(
            f"project {text!r} is disconnected; `ls-active connect {quote(text)}` comes first"
        )
    return uid


def _loadable(store: Store, uid: str, text: str) -> int:
    # The name of a queue, al-7.31, says its version, too.
    digits = text.removeprefix("al-").partition(".")[0]
    if not digits.isdecimal():
        raise BadRequest(f"a version looks like 7 or al-7, got {text!r}")
    loadable = store.loadable(uid)
    if int(digits) not in loadable:
        names = ", ".join(f"al-{number}" for number in loadable) or "none yet"
        raise NotFound(f"version al-{digits} cannot be served; these can: {names}")
    return int(digits)
