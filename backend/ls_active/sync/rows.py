"""What the mirror keeps of tasks and annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TaskState:
    """A task's row without its data."""

    id: int
    updated_at: str
    is_labeled: bool
    annotations: int
    skips: int


@dataclass(frozen=True)
class Annotation:
    """One annotation, its result cut down to what a tag can read."""

    id: int
    task: int
    annotator: int | None
    result: list[dict[str, Any]]
    skipped: bool
    ground_truth: bool
    created_at: str
    updated_at: str
    lead_time: float | None


@dataclass(frozen=True, eq=False)
class TaskTable:
    """Every task as columns, in ascending id."""

    ids: NDArray[np.int64]
    rows: NDArray[np.int64]
    is_labeled: NDArray[np.bool_]
    annotations: NDArray[np.int64]
    skips: NDArray[np.int64]
