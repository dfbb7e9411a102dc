"""Which project somebody means, and the service that looks after it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from pydantic import SecretStr, ValidationError
from redis.exceptions import RedisError

from ls_active.console.terminal import working
from ls_active.engine.valkey import EmbeddedValkey
from ls_active.errors import NotConfigured, NotFound, QueueDown
from ls_active.job_desk import JobDesk
from ls_active.label_studio.client import LabelStudioClient, Project
from ls_active.records.project import Connection, ProjectStatus
from ls_active.records.store import Store
from ls_active.settings import Settings, get_settings

START_SECONDS = 20.0
"""How long a service that was started a moment ago may take to work."""


def read_settings() -> Settings:
    """Return the settings.

    Raises
    ------
    NotConfigured
        Naming every variable that cannot be used, and never its value: it may be a secret.
    """
    try:
        return get_settings()
    except ValidationError as error:
        wrong = (
            f"{'.'.join(map(str, item['loc'])).upper()}: "
            f"{item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )
        raise NotConfigured(f"settings that cannot be used: {'; '.join(wrong)}") from None


def with_redis(settings: Settings) -> Settings:
    """Return settings that name a Redis: the embedded server's where there is no REDIS_URL."""
    if settings.redis_url.get_secret_value():
        return settings
    url = EmbeddedValkey(settings.local_dir / "valkey").url
    return settings.model_copy(update={"redis_url": SecretStr(url)})


@contextmanager
def open_desk(settings: Settings, *, needs_worker: bool = True) -> Iterator[JobDesk]:
    """Use the desk of the service that runs, for the body of a ``with``.

    Raises
    ------
    QueueDown
        If it does not run, or nobody works there.
    """
    try:
        desk = JobDesk(with_redis(settings), patient=True)
    except ValueError as error:
        raise QueueDown(_no_redis(settings, error)) from None
    with closing(desk.redis):
        try:
            desk.redis.ping()
        except RedisError as error:
            raise QueueDown(_no_redis(settings, error)) from None
        try:
            if needs_worker:
                _wait_for_a_worker(desk)
            yield desk
        except RedisError as error:
            raise QueueDown(f"Redis stopped answering ({type(error).__name__})") from None


def _wait_for_a_worker(desk: JobDesk) -> None:
    ends = time.monotonic() + START_SECONDS
    if desk.figures().workers:
        return
    with working("Waiting for a worker to start …"):
        while not desk.figures().workers:
            if time.monotonic() > ends:
                raise QueueDown("no worker is running: start `ls-active serve` (or `… worker`)")
            time.sleep(0.2)


def _no_redis(settings: Settings, error: Exception) -> str:
    if settings.redis_url.get_secret_value():
        return (
            f"Redis at REDIS_URL does not answer ({type(error).__name__}): start it, or correct "
            "REDIS_URL"
        )
    return (
        f"no service is running on the data folder {settings.data_dir}: start `ls-active serve` "
        "first, in the same folder or with the same DATA_DIR"
    )


def find_known(store: Store, text: str) -> str:
    """Return the uid of a project that was connected here, by number, title or uid.

    Raises
    ------
    NotFound
        If there is none or more than one, with those there are.
    """
    statuses = [ProjectStatus.load(store, uid) for uid in store.projects()]
    if text in {status.uid for status in statuses}:
        return text
    found = [s.uid for s in statuses if _names(text, int(s.uid.partition(".")[0]), s.title)]
    # A fresh Label Studio counts from one again: of several the one that is connected is meant.
    active = [uid for uid in found if (c := Connection.load(store, uid)) is not None and c.active]
    for group in (found, active):
        if len(group) == 1:
            return group[0]
    listed = _listed((s.uid, s.title) for s in statuses if not found or s.uid in found)
    if found:
        raise NotFound(f"{text!r} may mean more than one project; say which uid: {listed}")
    raise NotFound(
        f"no project {text!r} is connected here; these are: {listed or 'none'}. "
        "`ls-active connect PROJECT` connects one"
    )


def find_in_label_studio(client: LabelStudioClient, text: str) -> Project:
    """Return a project of Label Studio, by number or title.

    Raises
    ------
    NotFound
        If there is none or more than one, with those there are.
    """
    projects = client.projects()
    found = [project for project in projects if _names(text, project.id, project.title)]
    if len(found) == 1:
        return found[0]
    listed = _listed((str(project.id), project.title) for project in (found or projects))
    if found:
        raise NotFound(f"{text!r} may mean more than one project; say which number: {listed}")
    raise NotFound(
        f"{client.url} shows our key no project {text!r}; it shows: {listed or 'none at all'}"
    )


def _names(text: str, number: int, title: str) -> bool:
    return text == str(number) or text.casefold() == title.casefold()


def _listed(projects: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({title})" if title else name for name, title in projects)
