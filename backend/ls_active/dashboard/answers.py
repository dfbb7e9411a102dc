"""What the page says first: is it worth it, what is it bad at, what happens next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ls_active import words
from ls_active.dashboard.figures import ON_CHOSEN
from ls_active.dashboard.views import Answers
from ls_active.records.project import ProjectStatus, State

WORST = 3
"""Classes that are named."""

TELLING = 5
"""Labels of a class below which its recall says nothing."""

GOOD = 0.8
"""Recall from which a class is not named as weak."""


def answers(status: ProjectStatus) -> Answers:
    """Return the three, each from what is recorded; nothing is guessed."""
    return Answers(_worth(status), tuple(_weak(status)), _next(status))


def _worth(status: ProjectStatus) -> str:
    advice = str(status.advice.get("sentence", ""))
    return advice or f"not known yet: {status.detail or 'no version was tested'}"


def _weak(status: ProjectStatus) -> Iterator[str]:
    for head in status.heads:
        named = f"{head['control']}: " if len(status.heads) > 1 else ""
        said = _weakest(head.get("chosen") or {})
        if said:
            yield named + said


def _weakest(figures: Mapping[str, Any]) -> str:
    """Name the classes that are found least."""
    support, recall = figures.get("support") or {}, figures.get("recall") or {}
    known = [(recall[name], name) for name, n in support.items() if n >= TELLING and name in recall]
    if not known:
        return ""
    worst = [(share, name) for share, name in sorted(known) if share < GOOD][:WORST]
    if not worst:
        return f"nothing stands out: it finds 8 in 10 of each class with {TELLING} labels or more"
    named = ", ".join(f"{words.percent(share)} of {name}" for share, name in worst)
    return f"it finds only {named}, {ON_CHOSEN}"


def _next(status: ProjectStatus) -> str:
    if status.state == State.DISCONNECTED:
        return "nothing: the project is not connected any more"
    if status.state != State.READY:
        return f"{words.sentence(status.detail)} {words.sentence(status.remedy)}".strip()
    if not status.askable:
        return "every task is answered: nothing is asked until more are imported"
    asks = f"annotators who press Label All Tasks get {status.publication}"
    if status.pinned:
        return f"{asks}; newer versions are made, but not served while al-{status.pinned} is held"
    return f"{asks}, {words.count(status.askable, 'task')} to go; new labels make a new version"
