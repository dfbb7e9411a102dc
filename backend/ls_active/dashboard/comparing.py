"""Two versions side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from ls_active import words
from ls_active.dashboard.figures import ON_CHOSEN
from ls_active.dashboard.views import VersionView


def side_by_side(one: VersionView, other: VersionView) -> Iterator[tuple[str, Any, Any]]:
    """Yield each figure's name, and what it is of either version."""
    yield "labels", one.labels, other.labels
    yield "tasks", one.tasks, other.tasks
    yield "made", _when(one.created_at), _when(other.created_at)
    yield "strategy", one.strategy, other.strategy
    theirs = {head["control"]: head for head in other.heads}
    for head in one.heads:
        match = theirs.get(head["control"], {})
        for key, name in (("audit", "on random tasks"), ("chosen", ON_CHOSEN)):
            yield f"{head['control']} {name}", _figure(head.get(key)), _figure(match.get(key))


def _figure(figures_: Mapping[str, Any] | None) -> str:
    if not figures_:
        return "not measured"
    low, high = words.percent(figures_["low"]), words.percent(figures_["high"])
    return f"{words.percent(figures_['value'])} ({low} to {high}), {figures_['n']} tasks"


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))
