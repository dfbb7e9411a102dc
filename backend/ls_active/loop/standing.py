"""Where a project stands after a run, in words."""

from __future__ import annotations

from ls_active.loop.outcome import Outcome
from ls_active.records.project import State
from ls_active.words import count

FEWEST = 2
"""Labels that any first model needs."""


def state_of(outcome: Outcome, *, needed: int, contested: bool) -> tuple[State, str, str]:
    """Return the state, what it is about, and what to do."""
    data = outcome.data
    if contested:
        return (
            State.CONTESTED,
            "somebody else set the project's model version or sampling; ours waits",
            "leave it to us: it is put back within 10 minutes, unless on_contested=leave",
        )
    if not len(data.pool.ids):
        return State.WAITING, "the project has no tasks yet", "import some"
    if outcome.version is None and outcome.pinned:
        why = (
            "its files are damaged, or of another release"
            if outcome.unreadable
            else "it does not answer today's label config"
        )
        return (
            State.WAITING,
            f"al-{outcome.pinned} is pinned and cannot be used: {why}",
            "let the project go on: `ls-active rollback PROJECT --unpin`",
        )
    if outcome.version is None:
        few = f"{count(data.labels, 'label')}; the first model needs {needed}"
        # Of two labels the head knows better: they must differ.
        lacking = data.lacking if data.labels >= needed or needed == FEWEST else ""
        return (
            State.WAITING,
            lacking or few,
            "label the tasks of the queue: press Label All Tasks; then a model is made by itself",
        )
    return State.READY, *_ready(outcome)


def _ready(outcome: Outcome) -> tuple[str, str]:
    waiting = f"{count(outcome.data.askable, 'task')} to label"
    if outcome.pinned:
        held = f"{waiting}; al-{outcome.pinned} is held by a rollback, no newer version is served"
        return held, "to go on: `ls-active rollback PROJECT --unpin`"
    if outcome.again_in:
        # Label Studio is busy with each publication for a while.
        turn = f"what is new is published in {outcome.again_in:.0f} s (busy_share, min_interval)"
        return f"{waiting}; {turn}; `ls-active retrain` does not wait", ""
    return waiting, ""


def tied_words(tied: int) -> str:
    """Say that annotators disagree, if they do."""
    return f"{count(tied, 'task')} left out: annotators disagree" if tied else ""


def strategy_words(outcome: Outcome, told: str) -> str:
    """Return the strategy told of, and what it left it to where the last publication says so."""
    if not outcome.version:
        return "cold start"
    record = outcome.record or {}
    asks = record.get("asks", told) if record.get("strategy") == told else told
    return told if asks == told else f"{told}: {asks}"
