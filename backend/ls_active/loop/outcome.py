"""What came of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ls_active.loop.dataset import Dataset
from ls_active.loop.models import ModelVersion
from ls_active.sync.reader import SyncReport


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run found and did; `again_in` (seconds) when something waits for its turn.

    `unreadable` means that the files of the version in force are of no use, or that there is none.
    `gate` is what the gate has to say of the newest version, if anything.
    """

    data: Dataset
    version: ModelVersion | None
    record: Mapping[str, Any] | None
    report: SyncReport
    published: str = ""
    again_in: float | None = None
    pinned: int | None = None
    unreadable: bool = False
    evaluation: Mapping[str, Any] | None = None
    gate: str = ""
