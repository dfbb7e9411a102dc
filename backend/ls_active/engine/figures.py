"""The state of the job queue in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QueueFigures:
    """The state of the job queue. `JobDesk.figures` returns it, or raises `QueueDown`."""

    queued: int
    running: int
    failed: int
    workers: int
