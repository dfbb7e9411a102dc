"""The tabs that we make in a project's Data Manager when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ls_active.errors import BadRequest, NotFoundInLabelStudio
from ls_active.label_studio.client import LabelStudioClient
from ls_active.label_studio.tabs import Tab, put_tab
from ls_active.loop.workshop import find_project
from ls_active.records.store import Store

SUSPECTS_SHOWN = 50
"""Each is a filter row in Label Studio: more than these make its page slow."""

LOOKED_BACK = 20
"""Versions without an evaluation that are passed over: with a pin, none of the newer has one."""


def make_tab(client: LabelStudioClient, store: Store, uid: str, kind: str) -> str:
    """Make a tab in a project, as its records would have it now, or bring it up to date.

    Returns
    -------
    str
        Its title.

    Raises
    ------
    BadRequest
        If there is no tab of this kind.
    NotFoundInLabelStudio
        If there is no such project.
    """
    if kind not in TABS:
        raise BadRequest(f"a tab must be one of {', '.join(TABS)}, got {kind[:40]!r}")
    project = find_project(client, uid)
    if project is None:
        raise NotFoundInLabelStudio("the project is gone from Label Studio, or hidden from our key")
    tab = TABS[kind](store, uid)
    put_tab(client.http, project.id, tab)
    return tab.title


def newest_evaluation(store: Store, uid: str) -> tuple[int, Mapping[str, Any]]:
    """Return the newest version that was evaluated, and its figures; 0 and none before."""
    for number in reversed(store.versions(uid)[-LOOKED_BACK:]):
        evaluation = store.evaluation(uid, number)
        if evaluation is not None:
            return number, evaluation
    return 0, {}


def suspect_tasks(store: Store, uid: str) -> list[int]:
    """Return the tasks whose labels the newest evaluation doubts, the most doubtful first."""
    _, evaluation = newest_evaluation(store, uid)
    found = [item for head in evaluation.get("suspects") or () for item in head or ()]
    found.sort(key=lambda item: -(item.get("score") or 0.0))
    return list(dict.fromkeys(int(item["task"]) for item in found))


def _suspects(store: Store, uid: str) -> Tab:
    return Tab("Suspect labels", tasks=suspect_tasks(store, uid)[:SUSPECTS_SHOWN])


def _queue(_store: Store, _uid: str) -> Tab:
    # The title is all the text that a tab has. Labeling "as displayed" would ignore locks, and two
    # people would get the same task.
    return Tab(
        "Active queue (view only): press Label All Tasks",
        unlabeled=True,
        ordering=("tasks:predictions_score",),
    )


TABS: Mapping[str, Callable[[Store, str], Tab]] = {"suspects": _suspects, "queue": _queue}
"""By the name that the page uses."""
