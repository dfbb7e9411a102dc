"""What a job works with on one project: settings, store, client, lock, and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ls_active.errors import NotConfigured, NotFoundInLabelStudio
from ls_active.label_studio.client import LabelStudioClient, Project
from ls_active.media import Media, MediaPolicy
from ls_active.records.project import ProjectStatus, State
from ls_active.records.secret import api_key
from ls_active.records.store import Store
from ls_active.settings import Settings


def open_media(
    settings: Settings, client: LabelStudioClient, *, most_seconds: float | None = None
) -> Media:
    """Return what fetches files behind tasks, in the name of the client's key.

    Parameters
    ----------
    most_seconds : float, optional
        For a file, where somebody waits for it: MEDIA_SECONDS is what a job may spend.

    Raises
    ------
    NotConfigured
        If MEDIA_HOSTS names what is no host.
    """
    hosts = tuple(name.strip() for name in settings.media_hosts.split(",") if name.strip())
    try:
        policy = MediaPolicy(
            hosts=hosts,
            aliases=(settings.label_studio_host,) if settings.label_studio_host else (),
            private=settings.media_private,
            max_bytes=settings.media_max_mb * 2**20,
            seconds=min(settings.media_seconds, most_seconds or settings.media_seconds),
            cache_bytes=settings.media_cache_mb * 2**20,
        )
    except ValueError as error:
        raise NotConfigured(f"MEDIA_HOSTS: {error}") from None
    folder = settings.local_dir / "media"
    return Media(client.url, client.http.authorization, policy, folder)


def connect(settings: Settings, *, timeout: float = 30.0, retries: int = 2) -> LabelStudioClient:
    """Return a client for the configured Label Studio.

    Raises
    ------
    NotConfigured
        If the address or the key is missing.
    """
    if not settings.label_studio_url:
        raise NotConfigured("LABEL_STUDIO_URL is not set: where does Label Studio answer?")
    key = api_key(settings)
    if not key:
        raise NotConfigured(
            "LABEL_STUDIO_API_KEY is not set: make a personal access token in Label Studio under "
            "Account & Settings, and set it"
        )
    return LabelStudioClient(settings.label_studio_url, key, timeout=timeout, retries=retries)


def find_project(client: LabelStudioClient, uid: str) -> Project | None:
    """Return the project that was connected, None if it is gone or its id is another's now."""
    try:
        project = client.project(int(uid.partition(".")[0]))
    except NotFoundInLabelStudio:
        return None
    return project if project.uid == uid else None


def _nobody(_stage: str, _share: float | None) -> None:
    return


@dataclass
class Stopwatch:
    """Seconds by stage, in the order the stages first began.

    `tell` hears of every stage that begins, and of the share of a long one that is done.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    tell: Callable[[str, float | None], None] = _nobody

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the body to a stage."""
        self.tell(name, None)
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 4)


@dataclass
class Workshop:
    """Everything one job needs for one project.

    `check` raises LockLost once another worker may have taken over; it is called before every
    effect. `idle` says whether no newer hint waits.
    """

    uid: str
    settings: Settings
    store: Store
    client: LabelStudioClient
    check: Callable[[], None]
    idle: Callable[[], bool] = lambda: True
    clock: Stopwatch = field(default_factory=Stopwatch)

    @property
    def project_id(self) -> int:
        """The project's id in Label Studio's API: the uid's part before the dot."""
        return int(self.uid.partition(".")[0])

    @property
    def mirror_folder(self) -> Path:
        """Where the local copy of the project lives."""
        return self.settings.local_dir / "mirror" / self.uid

    def say(self, state: State, detail: str = "", remedy: str = "", **changes: object) -> None:
        """Write the project's status down."""
        ProjectStatus.load(self.store, self.uid).now(state, detail, remedy, **changes).save(
            self.store
        )
