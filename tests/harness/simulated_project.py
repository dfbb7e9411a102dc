"""One project of a Label Studio in memory, and what people do with it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
UID = f"1.{int(CREATED.timestamp())}"
IDS = 1_000_000
"""Ids of a project's own: whose a webhook is, its number tells."""

CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">'
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)
TICK = timedelta(milliseconds=10)


@dataclass
class SimulatedTask:
    """A task with its annotations; its counts follow from them."""

    id: int
    data: Any
    updated_at: datetime
    annotations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def cancelled(self) -> int:
        return sum(bool(item["was_cancelled"]) for item in self.annotations)

    @property
    def submitted(self) -> int:
        return len(self.annotations) - self.cancelled


class SimulatedProject:
    """Tasks, annotations, predictions and connections; its clock moves with every change."""

    def __init__(self, texts: Iterable[Any] = (), *, number: int = 1, **fields: Any) -> None:
        self.number = number
        self.now = CREATED
        self.rows: dict[int, SimulatedTask] = {}
        self.predictions: list[dict[str, Any]] = []
        self.backends: list[dict[str, Any]] = []
        self.hooks: list[dict[str, Any]] = []
        self.locks: dict[int, int] = {}
        self._ids = count((number - 1) * IDS + 1)
        self._random = random.Random(0)
        self.fields: dict[str, Any] = {
            "title": "Pets", "label_config": CONFIG, "model_version": "",
            "sampling": "Sequential sampling", "skip_queue": "REQUEUE_FOR_OTHERS",
            "maximum_annotations": 1, "overlap_cohort_percentage": 100, "show_overlap_first": False,
            "show_ground_truth_first": False, "show_collab_predictions": True, "uid": self.uid,
        } | fields  # fmt: skip
        self.add_tasks(texts)

    @property
    def uid(self) -> str:
        return f"{self.number}.{int(CREATED.timestamp())}"

    def connect(self, url: str, title: str = "our model", extra_params: Any = None) -> None:
        """Press "Connect Model": the title goes into an empty model version, a webhook is made."""
        row = {"id": next(self._ids), "url": url, "title": title, "extra_params": extra_params}
        self.backends.append(row)
        self.fields["model_version"] = self.fields["model_version"] or title
        if is_valid_host(url):
            hook = {"url": f"{url}/webhook", "headers": {}, "is_active": True}
            self.hooks.append({"id": next(self._ids), **hook})

    def add_tasks(self, texts: Iterable[Any]) -> list[int]:
        """Import tasks; what is no text is taken as the whole of a task's data."""
        made = []
        for text in texts:
            task = next(self._ids)
            data = {"text": text} if isinstance(text, str) else text
            self.rows[task] = SimulatedTask(task, data, self._tick())
            made.append(task)
        return made

    def edit_task(self, task: int, text: str) -> None:
        self.rows[task].data = {"text": text}
        self.rows[task].updated_at = self._tick()

    def delete_task(self, task: int) -> None:
        del self.rows[task]
        self.predictions = [item for item in self.predictions if item["task"] != task]

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def next_task(self, user: int = 1) -> int | None:
        """Return the task that somebody is asked next, and lock it for them."""
        if self.locks.get(user) not in self.rows:
            self.locks.pop(user, None)
            task = self._choose(user)
            if task is None:
                return None
            self.locks[user] = task
        return self.locks[user]

    def annotate(self, task: int, choice: str | None, user: int | None = 1, **fields: Any) -> int:
        """Submit a choice (None: nothing at all); return the annotation's id."""
        moment, annotation = self._tick(), next(self._ids)
        blank = {"was_cancelled": False, "ground_truth": False, "lead_time": 1.5}
        made = {"id": annotation, "completed_by": user, "result": _result(choice)}
        stamps = {"created_at": text_of(moment), "updated_at": text_of(moment)}
        self.rows[task].annotations.append({**made, **blank, **stamps, **fields})
        self.rows[task].updated_at = self._tick()
        if user is not None:
            self.locks.pop(user, None)
        return annotation

    def skip(self, task: int, user: int = 1) -> int:
        return self.annotate(task, None, user, was_cancelled=True)

    def update(self, annotation: int, choice: str | None = None, **fields: Any) -> None:
        """Change an annotation: another choice, a star, an un-skip."""
        task, row = self._find(annotation)
        if choice is not None:
            row["result"] = _result(choice)
        row |= {**fields, "updated_at": text_of(self._tick())}
        task.updated_at = self._tick()

    def delete_annotation(self, annotation: int, *, stamped: bool = True) -> None:
        """Delete an annotation; some ways to do so do not stamp the task."""
        task, row = self._find(annotation)
        task.annotations.remove(row)
        if stamped:
            task.updated_at = self._tick()

    def is_labeled(self, task: SimulatedTask) -> bool:
        skips_count = self.fields["skip_queue"] == "IGNORE_SKIPPED"
        done = task.submitted + (task.cancelled if skips_count else 0)
        return done >= int(self.fields["maximum_annotations"])

    def version_counts(self) -> dict[str, int]:
        return dict(Counter(item["model_version"] for item in self.predictions))

    def _tick(self) -> datetime:
        self.now += TICK
        return self.now

    def _find(self, annotation: int) -> tuple[SimulatedTask, dict[str, Any]]:
        pairs = ((task, row) for task in self.rows.values() for row in task.annotations)
        return next((task, row) for task, row in pairs if row["id"] == annotation)

    def _choose(self, user: int) -> int | None:
        mine = {
            row.id
            for row in self.rows.values()
            if user in (item["completed_by"] for item in row.annotations)
        }
        taken = set(self.locks.values())
        waiting = [
            row.id
            for row in sorted(self.rows.values(), key=lambda row: row.id)
            if not self.is_labeled(row) and row.id not in mine
        ]
        unlocked = [task for task in waiting if task not in taken]
        if not unlocked:
            return None
        most = max(self.rows[task].submitted for task in unlocked)
        if most:  # with overlap: breadth first, before any order of ours
            return self._random.choice(
                [task for task in unlocked if self.rows[task].submitted == most]
            )
        if self.fields["sampling"] != "Uncertainty sampling":
            return unlocked[0]
        version = self.fields["model_version"]
        ranked = sorted(
            (item["score"], item["task"])
            for item in self.predictions
            if item["model_version"] == version and item["task"] in unlocked
        )
        return ranked[0][1] if ranked else self._random.choice(unlocked)


def is_valid_host(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return "." in host or host == "localhost"


def _result(choice: str | None) -> list[dict[str, Any]]:
    value = {"choices": [choice]}
    region = {"from_name": "topic", "to_name": "text", "type": "choices", "value": value}
    return [] if choice is None else [region]


def text_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
