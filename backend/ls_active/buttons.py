"""What a job does for each button of the page, and what it says of it to who pressed."""

from __future__ import annotations

from ls_active.engine.wishes import Told, only_words
from ls_active.job_desk import JobDesk
from ls_active.loop.gate import Gate
from ls_active.loop.models import ModelShelf
from ls_active.loop.publication import version_name
from ls_active.loop.tabs import make_tab
from ls_active.loop.workshop import connect
from ls_active.records.project import ProjectStatus


def hold(desk: JobDesk, uid: str, version: int) -> None:
    """Hold a project at a version, and have it published."""
    said = f"{version_name(version)} is held, and published next"
    with desk.wishes.told(uid, "hold", said):
        ModelShelf(desk.store, uid).pin(version)
        desk.hint_now(uid)


def release(desk: JobDesk, uid: str) -> None:
    """Let a project go on with its newest version."""
    with desk.wishes.told(uid, "release", "the newest version is published next"):
        ModelShelf(desk.store, uid).pin(None)
        desk.hint_now(uid)


def promote(desk: JobDesk, uid: str, version: int) -> None:
    """Serve a version that the gate holds back."""
    said = f"{version_name(version)} is let through the gate, and published next"
    with desk.wishes.told(uid, "promote", said) as told:
        Gate(desk.store, uid).release(version)
        desk.hint_now(uid)
        pinned = ModelShelf(desk.store, uid).pinned
        if pinned is not None:
            # Somebody held another one since this was asked for.
            told.refused(
                f"{version_name(pinned)} was held meanwhile, and stays in force",
                "let the project go on with the newest version",
            )


def tab(desk: JobDesk, uid: str, kind: str) -> None:
    """Make a tab of ours in the project's Data Manager, or bring it up to date."""
    with desk.wishes.told(uid, "tab", "") as told:
        if not desk.is_active(uid):
            told.refused("the project is disconnected", "connect it first")
            return
        with connect(desk.settings) as client:
            title = make_tab(client, desk.store, uid, kind)
        told.said = f"the tab “{title}” is in Label Studio's Data Manager"


def resynced(desk: JobDesk, uid: str, told: Told, trouble: str, *, read: bool) -> None:
    """Say what came of reading everything anew, unless it went well."""
    if trouble:
        told.failed(f"{trouble}; it is tried again by itself", "")
    elif not read:
        status = ProjectStatus.load(desk.store, uid)
        told.refused(f"nothing was read: {status.detail}", status.remedy or "press again")


def trained(desk: JobDesk, uid: str, request: str, began: float, before: int) -> None:
    """Say what came of the wishes for a new version after version `before`."""
    with only_words(uid):
        _end(desk, uid, request, began, _what_came(desk, uid, before))


def failed(desk: JobDesk, uid: str, request: str, began: float, why: str) -> None:
    """Say that the wishes for a new version were not granted so far."""
    told = Told("")
    told.again(why)
    with only_words(uid):
        _end(desk, uid, request, began, told)


def _end(desk: JobDesk, uid: str, request: str, began: float, told: Told) -> None:
    """Note it of the request a run served, and of all that it took the place of."""
    for wish in {request, *desk.wishes.open(uid, "retrain", began)}:
        desk.wishes.end(uid, "retrain", told, wish=wish)


def _what_came(desk: JobDesk, uid: str, before: int) -> Told:
    status = ProjectStatus.load(desk.store, uid)
    number = max(desk.store.versions(uid), default=0)
    told = Told(f"{version_name(number)} was made")
    if number == before:
        remedy = status.remedy or "press again"
        told.refused(f"no version could be made: {status.detail}", remedy)
    elif status.version != number:
        why = Gate(desk.store, uid).held.get(number) or (
            f"{version_name(status.version)} is held" if status.pinned else "not served yet"
        )
        told.said = f"{version_name(number)} was made; {why}"
    return told
