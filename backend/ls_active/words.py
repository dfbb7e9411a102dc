"""Figures and states in words, the same on the command line and on the page."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ls_active.records.project import State

STATES: Mapping[str, tuple[str, str]] = {
    State.ADOPTING: ("being connected", "busy"),
    State.SYNCING: ("reading its tasks", "busy"),
    State.WAITING: ("waits", "waits"),
    State.READY: ("up to date", "good"),
    State.CONTESTED: ("contested: somebody else steers the queue", "waits"),
    State.FAILING: ("failing, tried again by itself", "bad"),
    State.REFUSED: ("refused: it is another project than the one connected", "bad"),
    State.GONE: ("gone from Label Studio, or hidden from our key", "bad"),
    State.LEAVING: ("being disconnected", "waits"),
    State.DISCONNECTED: ("disconnected", "off"),
}
"""What a state is called, and how good it is: busy, waits, good, bad or off."""

REASONS: Mapping[str, str] = {
    "audit": "random, for the honest estimate",
    "cold_start": "spread over all tasks, before the first model",
    "strategy": "the model learns most from it",
    "skipped": "skipped before, asked again last",
}
"""Why a task stands in the queue."""


def state(word: str) -> tuple[str, str]:
    """Return what a state is called, and how good it is."""
    return STATES.get(word, (word, "off"))


def audit(estimate: Mapping[str, Any] | None) -> str:
    """Say the honest estimate, or how far it is."""
    if estimate is None:
        return "not estimated yet"
    figures = estimate["figures"]
    if figures is None:
        return f"too few random labels ({estimate['labels']}/{estimate['needed']})"
    return (
        f"{percent(figures['value'])} ({percent(figures['low'])} to "
        f"{percent(figures['high'])}) {_measure(figures)}on {figures['n']} random tasks"
    )


def chosen(figures: Mapping[str, Any] | None) -> str:
    """Say the all-label figure under the only name it deserves."""
    if figures is None:
        return "too few labels to test on the tasks we chose"
    return f"{percent(figures['value'])} {_measure(figures)}on the {figures['n']} tasks we chose"


def _measure(figures: Mapping[str, Any]) -> str:
    """Name what is measured where it is not plain accuracy."""
    return "" if figures["measure"] == "accuracy" else f"{figures['measure']} "


def percent(share: float) -> str:
    """Return a share as whole per cent."""
    return f"{100 * share:.0f} %"


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def sentence(text: str) -> str:
    """Return a text as a sentence of its own; the name of a version stays as it is."""
    first = text[:1] if text.startswith("al-") else text[:1].upper()
    return f"{first}{text[1:].rstrip('.')}." if text else ""


def span(seconds: float) -> str:
    """Return a length of time in its largest fitting unit."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def since(moment: float) -> str:
    """Say for how long something has been so; empty where nobody knows."""
    return f"for {span(max(time.time() - moment, 0))}" if moment else ""
