"""Whether our own side is well: settings, Redis, workers, timer, disk, packages."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ls_active import options
from ls_active.checks import Finding, note, ok, trouble, warning
from ls_active.errors import BadOptions

FREE_BYTES = 2**30
"""Below this a data folder is called nearly full: a mirror of 100 000 short texts fills it."""

OLDEST_REDIS = (5, 0)


def default_options(raw: str) -> Iterator[Finding]:
    """Check the defaults for every project's options."""
    try:
        options.parse(raw)
    except BadOptions as error:
        yield trouble("options", f"OPTIONS: {error}", "correct OPTIONS and start the service again")


def redis_server(info: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that the server is new enough; `info` is what it says of itself."""
    version = str(info.get("redis_version", "0"))
    if _numbers(version) < OLDEST_REDIS:
        yield trouble("redis", f"Redis {version} is too old", "run Redis 5 or newer, or any Valkey")
    else:
        yield ok("redis", f"answers, version {info.get('valkey_version', version)}")


def redis_exposure(url: str) -> Iterator[Finding]:
    """Check that nobody else may write to Redis, and so run our jobs."""
    parts = urlsplit(url)
    if parts.scheme == "unix" or not parts.hostname or _is_here(parts.hostname):
        return
    if not parts.password:
        yield warning(
            "redis",
            f"{parts.hostname} takes jobs from anyone who reaches it: REDIS_URL has no password",
            "set requirepass there, and REDIS_URL=rediss://:PASSWORD@HOST:6379/0 here",
        )
    if parts.scheme != "rediss":
        yield warning(
            "redis",
            f"what goes to {parts.hostname} can be read on the way: REDIS_URL is without TLS",
            "switch TLS on there and write rediss:// instead of redis://, unless the network is "
            "private to the two",
        )


def workers(alive: int) -> Iterator[Finding]:
    """Check that somebody takes jobs."""
    if alive:
        yield ok("workers", f"{alive} alive")
    else:
        yield trouble("workers", "none is alive: nothing is learned", "start `ls-active serve`")


def failed_jobs(count: int) -> Iterator[Finding]:
    """Check that no job failed for good within a day."""
    if count:
        yield warning(
            "jobs",
            f"{count} failed for good within a day",
            "the log of `ls-active serve` has the whole error; projects go on by themselves",
        )


def timer(ticks: bool) -> Iterator[Finding]:
    """Check that there is a timer, which looks for what was forgotten."""
    if ticks:
        yield ok("timer", "ticks")
    else:
        yield trouble(
            "timer",
            "none ticks: lost webhooks stay lost, nothing is polled",
            "restart `ls-active serve`",
        )


def api(url: str, problem: str) -> Iterator[Finding]:
    """Check that our API answers, as seen from here."""
    if problem:
        yield trouble(
            "api",
            f"{url} does not answer from here: {problem}",
            "start `ls-active serve`, or correct PUBLIC_URL, HOST and PORT",
        )
    else:
        yield ok("api", f"answers at {url}")


def disk(folder: str, free: int, *, writable: bool) -> Iterator[Finding]:
    """Check that there is room for what we keep."""
    if not writable:
        yield trouble(
            "disk", f"{folder} cannot be written", "give this user the folder, or set DATA_DIR"
        )
    elif free < FREE_BYTES:
        yield warning(
            "disk",
            f"{folder} has {free / 2**20:,.0f} MiB left",
            "make room; the mirror inside it can be deleted, it is read anew",
        )
    else:
        yield ok("disk", f"{free / 2**30:,.0f} GiB left in {folder}")


def packages(versions: Mapping[str, str]) -> Iterator[Finding]:
    """Check for the lock file: label-studio-ml alone pulls Flask back to 1.1.2 of 2020."""
    flask = versions.get("flask", "")
    if versions.get("label-studio-ml") and flask and _numbers(flask) < (3,):
        yield note(
            "packages",
            f"label-studio-ml pulled in Flask {flask}, which has known holes; our server does not "
            "use it, hosting our model with the SDK's server would",
            "install from the lock file, the supported way: see README, Install",
        )
    else:
        yield ok(
            "packages", f"label-studio-ml {versions.get('label-studio-ml', 'is not installed')}"
        )


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:3]
    return tuple(int(part) for part in parts if part.isdecimal())


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
