"""Wait for what the service does with a project, and hear of it if it fails."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from ls_active.console.terminal import working
from ls_active.errors import BackendError
from ls_active.records.project import ProjectStatus, State
from ls_active.records.store import Store

PATIENCE = 120.0
"""Seconds without any news after which waiting is given up."""

_LOOK_EVERY = 0.1
_HOPELESS = {State.FAILING, State.REFUSED, State.GONE}


class NotDone(BackendError):
    """Raised when what was asked for did not happen."""

    code = "not_done"


def answers(url: str) -> bool:
    """Whether somebody answers there now, and all is well."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def wait_for(
    store: Store,
    uid: str,
    done: Callable[[ProjectStatus], bool],
    *,
    what: str,
    since: float,
    failure: Callable[[], str] = str,
) -> ProjectStatus:
    """Wait until a project is as wished, showing what happens meanwhile; return its status.

    Parameters
    ----------
    done : callable
    what : str
        What is waited for, as a sentence without a full stop.
    since : float
        Unix time; what the status says of before does not count.
    failure : callable
        Returns what made it impossible, empty while nothing did.

    Raises
    ------
    NotDone
        If it fails, or nothing was heard for two minutes.
    """
    heard, heard_at = None, time.monotonic()
    with working(f"{what} …") as say:
        while True:
            status = ProjectStatus.load(store, uid)
            fresh = status.updated_at > since
            if fresh and status.state in _HOPELESS:
                raise NotDone(_reason(status))
            if done(status):
                return status
            if words := failure():
                raise NotDone(words)
            if status.updated_at != heard:
                heard, heard_at = status.updated_at, time.monotonic()
            if time.monotonic() - heard_at > PATIENCE:
                raise NotDone(f"{what}: nothing happened for {PATIENCE:g} s; {_reason(status)}")
            say(f"{what}: {status.detail} …" if fresh and status.detail else f"{what} …")
            time.sleep(_LOOK_EVERY)


def _reason(status: ProjectStatus) -> str:
    return "; ".join(filter(None, (status.detail, status.remedy))) or f"it is {status.state}"
