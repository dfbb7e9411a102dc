"""The buttons: each asks for a job, and asks a person first where annotators notice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ls_active.dashboard.steering import Steering
from ls_active.dashboard.views import ActionReply
from ls_active.engine.wishes import Told
from ls_active.errors import BadRequest, NotConfirmed, NotFound, NotYet
from ls_active.loop.gate import Gate
from ls_active.loop.models import ModelShelf
from ls_active.loop.publication import version_name
from ls_active.loop.tabs import TABS
from ls_active.records.project import Connection, ProjectStatus, State
from ls_active.records.store import Store
from ls_active.words import sentence


@dataclass(frozen=True)
class Wish:
    """What somebody asks for: the project, and a version or a tab where the action needs one."""

    uid: str
    version: int | None = None
    tab: str = ""


@dataclass(frozen=True)
class Action:
    """One button.

    Attributes
    ----------
    label : str
        What it says.
    warning : str
        What a person should know before; empty: it can be pressed without a second thought.
    """

    label: str
    do: Callable[[Store, Steering, Wish], ActionReply]
    warning: str = ""


def act(store: Store, desk: Steering, name: str, wish: Wish, *, confirmed: bool) -> ActionReply:
    """Do what a button says. Pressed twice it does no more than once.

    Raises
    ------
    NotConfirmed
        If annotators would notice, and nobody said yes to that.
    BadRequest, NotFound, NotYet
        If it cannot be done as things stand. The list of what was asked for has it as well.
    """
    action = find(name)
    check_active(store, wish.uid)
    if action.warning and not confirmed:
        raise NotConfirmed(f"{action.warning} Say `confirmed` to go on")
    told = Told("")
    try:
        reply = action.do(store, desk, wish)
    except (BadRequest, NotFound, NotYet) as error:
        told.refused(str(error), "")
        desk.wishes.end(wish.uid, name, told)
        raise
    if reply.job:
        asked = reply.asked or reply.job
        desk.wishes.ask(wish.uid, name, reply.said, wish=asked, job=reply.job)
        return replace(reply, asked=asked)
    if reply.asked:
        return reply  # It was pressed before, and stands in the list already.
    told.said = reply.said
    return replace(reply, asked=desk.wishes.end(wish.uid, name, told))


def find(name: str) -> Action:
    """Return the action of a name."""
    if name not in ACTIONS:
        raise NotFound(f"no action {name[:40]!r}; there are {', '.join(ACTIONS)}")
    return ACTIONS[name]


def check_active(store: Store, uid: str) -> None:
    """Raise NotFound unless a project is connected now."""
    connection = Connection.load(store, uid)
    if connection is None or not connection.active:
        raise NotFound(f"no project {uid} is connected here")


def lacking(store: Store, uid: str) -> str:
    """Say what a version cannot be made without, as the last job found; empty: nothing."""
    status = ProjectStatus.load(store, uid)
    if status.state != State.WAITING or status.pinned:
        return ""  # A version that is pinned and cannot be used keeps no other from being made.
    return f"no version can be made yet: {status.detail}. {sentence(status.remedy)}"


def _retrain(store: Store, desk: Steering, wish: Wish) -> ActionReply:
    request, said = desk.trains(wish.uid), "a new version was asked for already, and is being made"
    if request:
        # Label Studio or the command line may have asked; then the list does not have it yet.
        desk.wishes.ask(wish.uid, "retrain", said, wish=request, job="")
        return ActionReply(said, asked=request)
    missing = lacking(store, wish.uid)
    if missing:
        raise NotYet(missing)
    request, job = desk.ask_version(wish.uid)
    return ActionReply("a new version is being made", job, request)


def _resync(_store: Store, desk: Steering, wish: Wish) -> ActionReply:
    for job in desk.in_hand():
        if (job.uid, job.name) == (wish.uid, "resync"):
            return ActionReply("everything is being read anew already", asked=job.id)
    return ActionReply("everything is being read anew", desk.ask("resync", wish.uid))


def _hold(store: Store, desk: Steering, wish: Wish) -> ActionReply:
    if wish.version is None:
        raise BadRequest("say which version is to be held")
    loadable = store.loadable(wish.uid)
    if wish.version not in loadable:
        names = ", ".join(map(version_name, loadable)) or "none yet"
        raise NotFound(f"{version_name(wish.version)} cannot be served; these can: {names}")
    name = version_name(wish.version)
    if ModelShelf(store, wish.uid).pinned == wish.version:
        return ActionReply(f"{name} is held already")
    return ActionReply(f"{name} is being published", desk.ask("pin", wish.uid, wish.version))


def _promote(store: Store, desk: Steering, wish: Wish) -> ActionReply:
    if wish.version is None or wish.version not in Gate(store, wish.uid).held:
        return ActionReply("the gate does not hold this version back: nothing to do")
    name, shelf = version_name(wish.version), ModelShelf(store, wish.uid)
    if wish.version not in store.loadable(wish.uid):
        raise NotFound(f"{name} cannot be served any more: its model file was pruned")
    if shelf.pinned is not None:
        pinned = version_name(shelf.pinned)
        raise BadRequest(f"{pinned} is held by hand; let the project go on first, or hold {name}")
    if shelf.current_number() > wish.version:
        raise BadRequest(f"a newer version than {name} is served; to serve {name}, roll back to it")
    return ActionReply(f"{name} is being published", desk.ask("promote", wish.uid, wish.version))


def _release(store: Store, desk: Steering, wish: Wish) -> ActionReply:
    if ModelShelf(store, wish.uid).pinned is None:
        return ActionReply("no version is held: nothing to do")
    return ActionReply("the newest version is being published", desk.ask("pin", wish.uid, None))


def _tab(_store: Store, desk: Steering, wish: Wish) -> ActionReply:
    if wish.tab not in TABS:
        raise BadRequest(f"a tab must be one of {', '.join(TABS)}, got {wish.tab[:40]!r}")
    return ActionReply("the tab is being made in the Data Manager", desk.ask("tab", *_of(wish)))


def _of(wish: Wish) -> tuple[str, str]:
    return wish.uid, wish.tab


ACTIONS: Mapping[str, Action] = {
    "retrain": Action(
        "Retrain now",
        _retrain,
        "A new version is fitted on all labels, and annotators get a queue ranked by it.",
    ),
    "resync": Action(
        "Re-sync",
        _resync,
        "Every task of the project is read anew, which takes minutes where there are many. "
        "Annotators go on with the queue there is.",
    ),
    "hold": Action(
        "Serve this version and hold it",
        _hold,
        "Annotators get a queue ranked by this version, and newer ones are fitted but not served "
        "until you let the project go on.",
    ),
    "promote": Action(
        "Serve this version all the same",
        _promote,
        "The gate found this version significantly worse than the one in force. Annotators get a "
        "queue ranked by it.",
    ),
    "release": Action(
        "Go on with the newest version",
        _release,
        "Annotators get a queue ranked by the newest version, and by every newer one from then on.",
    ),
    "tab": Action("Make the tab", _tab),
}
